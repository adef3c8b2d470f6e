import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {quickstartDir} from '../../src/quickstart/manifests.ts';
import {runPra} from '../bed/cli.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';

const PASSPHRASE = 'passphrase-that-must-not-be-shown';
const TOKEN = 'token-that-must-not-be-shown';

let dir: string;
let plane: ControlPlane;
let planText: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-bad-'));
  plane = await startControlPlane();
  planText = await readFile(join(quickstartDir(), 'plan.yaml'), 'utf8');
  await writeFile(join(dir, 'passphrase'), PASSPHRASE, {mode: 0o600});
  await writeFile(join(dir, 'plan.yaml'), planText.replace('{ context: pra-quickstart }', '{}'));
});

afterAll(async () => {
  await plane?.stop();
  await rm(dir, {recursive: true, force: true});
});

afterEach(async () => {
  for (const made of ['state', 'repository']) await rm(at(made), {recursive: true, force: true});
});

const at = (...parts: string[]) => join(dir, ...parts);
const environment = () => ({
  PRA_STATE_DIR: at('state'),
  PRA_PASSPHRASE_FILE: at('passphrase'),
  PRA_KUBECONFIG: plane.kubeconfig,
  AWS_CONFIG_FILE: at('none'),
  AWS_SHARED_CREDENTIALS_FILE: at('none'),
  AWS_EC2_METADATA_DISABLED: 'true',
});

/** Runs `pra`, and expects one error: nothing on stdout, no stack trace, no secret, nothing made. */
async function expectError(
  args: string[],
  wanted: {exitCode: number; says: (string | RegExp)[]},
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const {exitCode, stdout, stderr} = await runPra(args, {...environment(), ...env});
  expect(exitCode, stderr).toBe(wanted.exitCode);
  expect(stdout).toBe('');
  for (const said of wanted.says) expect(stderr).toMatch(said);
  expect(stderr.match(/^✖ /gm), stderr).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at .*\.[jt]s:\d+/m);
  expect(stderr).not.toContain(PASSPHRASE);
  expect(stderr).not.toContain(TOKEN);
  expect(existsSync(at('state', 'runs'))).toBe(false);
  expect(existsSync(at('repository'))).toBe(false);
}

const drill = (plan = 'plan.yaml', ...more: string[]) => [
  'drill',
  'run',
  at(plan),
  '--repository',
  `file://${at('repository')}`,
  ...more,
];

async function planWith(name: string, change: (text: string) => string): Promise<string> {
  const text = change(planText);
  expect(text).not.toBe(planText);
  await writeFile(at(name), text);
  return name;
}

describe('a plan', () => {
  test('with an unknown field is refused where the field is, with the one that was meant', async () => {
    const plan = await planWith('unknown.yaml', text => text.replace('scenario:', 'scenaro:'));
    await expectError(drill(plan), {exitCode: 2, says: [/unknown\.yaml:\d+:3: /, 'scenaro', 'scenario']});
  });

  test('with a wrong type, and another mistake elsewhere, shows both', async () => {
    const plan = await planWith('type.yaml', text =>
      text.replace('rto: 5m,', 'rto: 5,').replace('status: 200', 'status: fine'),
    );
    await expectError(drill(plan), {
      exitCode: 2,
      says: [/type\.yaml:\d+:\d+: .*duration/, /type\.yaml:\d+:\d+: .*number/],
    });
  });

  test('that is not there is said so, and how to get one', async () => {
    await expectError(drill('nowhere.yaml'), {exitCode: 2, says: [/nowhere\.yaml/, 'pra init']});
  });

  test('with a cycle is refused with the cycle', async () => {
    const plan = await planWith('cycle.yaml', text =>
      text.replace('    - name: data\n', '    - name: data\n      dependsOn: [app]\n'),
    );
    await expectError(drill(plan), {
      exitCode: 2,
      says: [/data → app → data|app → data → app/, /cycle\.yaml:\d+/],
    });
  });

  test('whose Terraform module is not there is refused', async () => {
    const plan = await planWith('module.yaml', text =>
      text.replace('dir: terraform/local', 'dir: ./no-module'),
    );
    await expectError(drill(plan), {exitCode: 2, says: [/no-module/]});
  });
});

describe('a source', () => {
  test('that does not answer is one error, before a repository is made', async () => {
    const kubeconfig = at('unreachable.kubeconfig');
    const text = (await readFile(plane.kubeconfig, 'utf8')).replaceAll(plane.server, 'https://127.0.0.1:1');
    await writeFile(kubeconfig, text);
    await expectError(
      drill(),
      {exitCode: 1, says: ['cannot reach', 'connection refused', 'CLUSTER_UNREACHABLE']},
      {
        PRA_KUBECONFIG: kubeconfig,
      },
    );
  });

  test('in a context that the kubeconfig does not have is one error with those that it has', async () => {
    await expectError(drill('plan.yaml', '--context', 'prod'), {
      exitCode: 2,
      says: ['no context "prod"', 'its contexts are'],
    });
  });

  test('that does not know us is one error without the token', async () => {
    const kubeconfig = at('stranger.kubeconfig');
    const known = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
    const text = JSON.stringify({...known, users: [{name: known.users[0].name, user: {token: TOKEN}}]});
    await writeFile(kubeconfig, text);
    await expectError(
      drill(),
      {exitCode: 1, says: [/401|Unauthorized|does not accept/]},
      {PRA_KUBECONFIG: kubeconfig},
    );
  });

  test('that knows us and lets us do nothing is one error', async () => {
    const kubeconfig = await plane.kubeconfigOf('nobody');
    await expectError(
      drill(),
      {exitCode: 1, says: [/forbidden|may not|not allowed/i]},
      {PRA_KUBECONFIG: kubeconfig},
    );
  });

  test('for which there is no kubeconfig is one error', async () => {
    await expectError(
      drill(),
      {exitCode: 2, says: ['kubeconfig', '--kubeconfig']},
      {
        PRA_KUBECONFIG: undefined,
        HOME: dir,
      },
    );
  });
});

describe('a repository', () => {
  const s3 = (...more: string[]) => [
    'drill',
    'run',
    at('plan.yaml'),
    '--repository',
    's3://backup/shop',
    ...more,
  ];

  test('on S3 without credentials is one error', async () => {
    await expectError(s3(), {exitCode: 2, says: ['no credentials', 'AWS_ACCESS_KEY_ID']});
  });

  test('on an S3 that is down is one error, soon', async () => {
    const began = performance.now();
    await expectError(
      s3(),
      {exitCode: 1, says: ['does not answer', 'STORE_UNREACHABLE']},
      {
        AWS_ACCESS_KEY_ID: 'key',
        AWS_SECRET_ACCESS_KEY: PASSPHRASE,
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
        AWS_REGION: 'eu-west-3',
      },
    );
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  test('without a passphrase is one error', async () => {
    await expectError(
      drill(),
      {exitCode: 2, says: ['no key was given', 'PRA_PASSPHRASE_FILE']},
      {
        PRA_PASSPHRASE_FILE: undefined,
      },
    );
  });

  test('that is not there cannot be drilled from', async () => {
    await expectError(drill('plan.yaml', '--snapshot', 'latest'), {
      exitCode: 10,
      says: ['there is no repository'],
    });
  });
});

describe('a full disk', () => {
  const fullDisk = async <T>(work: (path: string) => Promise<T>): Promise<T> => {
    const path = at('full');
    await mkdir(path);
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=4k,mode=700', 'tmpfs', path]);
    try {
      return await work(path);
    } finally {
      await promisify(execFile)('umount', [path]);
      await rm(path, {recursive: true});
    }
  };

  test('under the repository is one error, and no repository', async () => {
    await fullDisk(async path => {
      const args = ['drill', 'run', at('plan.yaml'), '--repository', `file://${path}/repository`];
      await expectError(args, {exitCode: 1, says: [/no space|full/i]});
      const again = await runPra(
        ['snapshot', 'list', '--repository', `file://${path}/repository`],
        environment(),
      );
      expect(again.exitCode).toBe(10);
    });
  });

  test('under the journal is one error, before a target is made', async () => {
    await fullDisk(async path => {
      await writeFile(join(path, 'filling'), Buffer.alloc(4096));
      const {exitCode, stdout, stderr} = await runPra(drill(), {...environment(), PRA_STATE_DIR: path});
      expect(exitCode, stderr).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/no space|full/i);
      expect(stderr).not.toMatch(/^\s+at .*\.[jt]s:\d+/m);
      expect(stderr).not.toContain('terraform apply');
    });
  });
});

describe('a command line', () => {
  test.each([
    [
      ['dril', 'run'],
      ['not a command', 'pra drill run'],
    ],
    [['drill', 'run'], ['plan']],
    [['drill', 'run', 'plan.yaml', '--bogus'], ['--bogus']],
    [['drill', 'run', join(quickstartDir(), 'plan.yaml'), '--var', 'x'], ['NAME=VALUE']],
    [['snapshot', 'list'], ['no repository']],
    [
      ['snapshot', 'list', '--repository', 'ftp://x'],
      ['ftp://x', 'file:///'],
    ],
    [
      ['drill', 'show', 'none'],
      ['no drill none', 'drill list'],
    ],
    [['explain', 'NOSUCH'], ['NOSUCH']],
  ])('%j is a usage error', async (args, said) => {
    await expectError(args, {exitCode: 2, says: said.map(text => new RegExp(text))});
  });

  test('with --json gives the error as a document too', async () => {
    const {exitCode, stdout} = await runPra(['drill', 'show', 'none', '--json'], environment());
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({kind: 'Error', code: 'DRILL_NOT_FOUND', exitCode: 2});
  });
});
