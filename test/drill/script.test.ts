import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {runScript, type ScriptOptions} from '../../src/drill/script.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-script-'));
});

afterEach(async () => {
  await rm(dir, {recursive: true, force: true});
});

const context = {
  drillId: '20261123-154501-3f9a1c',
  plan: 'shop',
  mode: 'drill' as const,
  group: 'app',
  step: 'warm up',
  snapshot: '20261123T154501Z-1a2b3c4d',
  kubeconfig: '/run/target/kubeconfig',
};

const run = (what: ScriptOptions['run'], more: Partial<ScriptOptions> = {}) =>
  runScript({
    run: what,
    baseDir: dir,
    workDir: dir,
    context,
    timeoutMs: 20_000,
    signal: AbortSignal.timeout(30_000),
    ...more,
  });

test('a zx script has $ and knows the run, and the key of the repository is not its business', async () => {
  process.env.PRA_PASSPHRASE = 'not for scripts';
  const lines: string[] = [];
  await writeFile(
    join(dir, 'warm.mjs'),
    `const about = JSON.parse(fs.readFileSync(process.env.PRA_STEP_CONTEXT, 'utf8'));
     const said = await $\`echo \${about.group} \${process.env.KUBECONFIG} \${String(process.env.PRA_PASSPHRASE)}\`;
     console.log(said.stdout.trim(), process.argv.slice(2).join());`,
  );
  try {
    await run(['./warm.mjs', '--fast'], {onLine: line => lines.push(line)});
  } finally {
    delete process.env.PRA_PASSPHRASE;
  }
  expect(lines.join('\n')).toContain('app /run/target/kubeconfig undefined --fast');
  const told = join(dir, 'step-app-warm_up.json');
  expect(JSON.parse(await readFile(told, 'utf8'))).toEqual(context);
  expect((await stat(told)).mode & 0o777).toBe(0o600);
});

test('a command is not read by a shell', async () => {
  const lines: string[] = [];
  await run(['printf', '%s\n', '$HOME; echo x'], {onLine: line => lines.push(line)});
  expect(lines).toContain('$HOME; echo x');
});

test('a script that fails is a failed step with its last words', async () => {
  await writeFile(join(dir, 'fails.mjs'), `console.error('the cache is cold'); process.exit(3);`);
  await expect(run('fails.mjs')).rejects.toMatchObject({
    code: 'STEP_FAILED',
    message: expect.stringContaining('warm up'),
    why: expect.stringContaining('the cache is cold'),
  });
});

test('a script that hangs ends at its deadline', async () => {
  await writeFile(join(dir, 'hangs.mjs'), 'await sleep(60_000);');
  const began = performance.now();
  await expect(run('hangs.mjs', {timeoutMs: 1000})).rejects.toMatchObject({code: 'STEP_FAILED'});
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('a script or command that is not there is a failed step', async () => {
  await expect(run('nowhere.mjs')).rejects.toMatchObject({code: 'STEP_FAILED'});
  await expect(run(['no-such-command'])).rejects.toMatchObject({code: 'STEP_FAILED'});
});
