import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {generateIdentity, identityToRecipient} from 'age-encryption';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {z} from 'zod';
import {quickstartDir} from '../../src/quickstart/manifests.ts';
import {FileStore} from '../../src/repository/file.ts';
import {listKeys} from '../../src/repository/key/list.ts';
import {openRepository} from '../../src/repository/repository.ts';
import {type CliResult, runPra, startPra} from '../bed/cli.ts';
import {writeFakeKms} from '../bed/fake-kms.ts';

const PASSPHRASE = 'passphrase-that-must-not-be-shown';
const NEXT = 'next-passphrase-that-must-not-be-shown';

let dir: string;
let identity: string;
let recipient: string;
let kms: string;
const outputs: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-keys-'));
  identity = await generateIdentity();
  recipient = await identityToRecipient(identity);
  kms = (await writeFakeKms(dir)).join(' ');
  await writeFile(at('pass'), `${PASSPHRASE}\n`);
  await writeFile(at('next'), `${NEXT}\n`);
  await writeFile(at('identity'), `# mine\n${identity}\n`);
});
afterAll(() => rm(dir, {recursive: true, force: true}));
beforeEach(() => rm(at('repository'), {recursive: true, force: true}));

/** No secret in what any of the commands of a test said. */
afterEach(() => {
  const said = outputs.splice(0).join('\n');
  for (const secret of [PASSPHRASE, NEXT, identity]) expect(said).not.toContain(secret);
  expect(said).not.toMatch(/AGE-SECRET-KEY-1[0-9A-Z]/);
});

const at = (name: string) => join(dir, name);
const url = () => `file://${at('repository')}`;
const withPassphrase = () => ({PRA_PASSPHRASE_FILE: at('pass')});

async function pra(args: string[], env: NodeJS.ProcessEnv): Promise<CliResult> {
  const result = await runPra(['repository', ...args, '--repository', url()], env);
  outputs.push(result.stdout, result.stderr);
  return result;
}

async function praJson(args: string[], env: NodeJS.ProcessEnv): Promise<unknown> {
  const {exitCode, stdout, stderr} = await pra([...args, '--json'], env);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout);
}

const listSchema = z.object({
  apiVersion: z.literal('pra/v1'),
  kind: z.literal('KeyList'),
  repository: z.string(),
  fingerprint: z.string().optional(),
  items: z.array(z.object({id: z.string(), kind: z.string(), opens: z.boolean().optional()})),
});
const list = async (env: NodeJS.ProcessEnv) => listSchema.parse(await praJson(['key', 'list'], env));

describe('pra repository init', () => {
  it('makes one that each of its keys opens', async () => {
    const made = await praJson(['init', '--recipient', recipient, '--kms-command', kms], withPassphrase());
    expect(made).toMatchObject({
      kind: 'Repository',
      url: url(),
      fingerprint: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{8}){3}$/),
    });
    const open = [withPassphrase(), {PRA_AGE_IDENTITY_FILE: at('identity')}, {PRA_KMS_COMMAND: kms}];
    for (const env of open) {
      const {items, fingerprint} = await list(env);
      expect(items.map(({opens}) => opens ?? false).sort()).toEqual([false, false, true]);
      expect(made).toMatchObject({fingerprint});
      const snapshots = await runPra(['snapshot', 'list', '--repository', url()], env);
      expect(snapshots.exitCode, snapshots.stderr).toBe(0);
    }
    expect((await list({})).fingerprint).toBeUndefined();
    const again = await pra(['init'], withPassphrase());
    expect(again).toMatchObject({exitCode: 2, stderr: expect.stringContaining('REPOSITORY_EXISTS')});
  });

  it('takes recipients, KMS and fingerprint of a plan', async () => {
    const text = await readFile(join(quickstartDir(), 'plan.yaml'), 'utf8');
    const planWith = async (more: string) => {
      const encryption = `encryption: {recipients: [${recipient}], kms: {command: [${kms.replace(' ', ', ')}]}${more}}`;
      const changed = text.replace(/^( *)repository: *\{ *url: ([^ }]*) *\}/m, (_all, indent: string) => {
        return `${indent}repository:\n${indent}  url: ${url()}\n${indent}  ${encryption}`;
      });
      expect(changed).not.toBe(text);
      await writeFile(
        join(dir, 'plan.yaml'),
        changed.replaceAll(/dir: terraform/g, `dir: ${process.cwd()}/terraform`),
      );
    };
    await planWith('');
    const made = await praJson(['init', '--no-passphrase', '-f', at('plan.yaml')], {});
    const {fingerprint, keys} = z
      .object({fingerprint: z.string(), keys: z.array(z.object({kind: z.string()}))})
      .parse(made);
    expect(keys.map(({kind}) => kind).sort()).toEqual(['age', 'kms']);
    const snapshots = async () => {
      const result = await runPra(['snapshot', 'list', '-f', at('plan.yaml')]);
      outputs.push(result.stdout, result.stderr);
      return result;
    };
    expect(await snapshots()).toMatchObject({exitCode: 0, stderr: ''});
    await planWith(`, fingerprint: ${fingerprint}`);
    expect(await snapshots()).toMatchObject({exitCode: 0, stderr: ''});
    const anew = await pra(['init', '-f', at('plan.yaml')], withPassphrase());
    expect(anew).toMatchObject({exitCode: 2, stderr: expect.stringContaining('one data key alone')});
    await planWith(`, fingerprint: ${Array(4).fill('00000000').join('-')}`);
    expect(await snapshots()).toMatchObject({exitCode: 12, stderr: expect.stringContaining('fingerprint')});
  });

  it('needs a passphrase, unless it is told that there shall be none', async () => {
    expect(await pra(['init'], {})).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--no-passphrase'),
    });
    expect((await pra(['init', '--no-passphrase'], withPassphrase())).exitCode).toBe(2);
    const secret = await pra(['init', '--recipient', identity], withPassphrase());
    expect(secret).toMatchObject({exitCode: 2, stderr: expect.stringContaining('is secret')});
    expect(await readdir(at('repository')).catch(() => [])).toEqual([]);
  });
});

describe('pra repository key', () => {
  it('changes a passphrase: one is added, one removed', async () => {
    await praJson(['init'], withPassphrase());
    const [old] = (await list({})).items;
    await praJson(['key', 'add', '--passphrase-file', at('next'), '--label', 'ops'], withPassphrase());
    const withNext = {PRA_PASSPHRASE_FILE: at('next')};
    const asked = await pra(['key', 'remove', old?.id ?? ''], withNext);
    expect(asked).toMatchObject({exitCode: 2, stderr: expect.stringContaining('there is no terminal')});
    const removed = await pra(['key', 'remove', old?.id ?? '', '--yes'], withNext);
    expect(removed.exitCode, removed.stderr).toBe(0);
    expect(removed.stderr).toContain('The data key does not change');
    const wrong = await pra(['key', 'add', '--recipient', recipient], withPassphrase());
    expect(wrong).toMatchObject({exitCode: 12, stderr: expect.stringContaining('check PRA_PASSPHRASE_FILE')});
    const [last] = (await list(withNext)).items;
    const refused = await pra(['key', 'remove', last?.id ?? '', '--yes'], withNext);
    expect(refused).toMatchObject({exitCode: 2, stderr: expect.stringContaining('REPOSITORY_LAST_KEY')});
  });

  it('survives the loss of the passphrase by an identity out of a safe', async () => {
    await praJson(['init'], withPassphrase());
    const added = await pra(['key', 'add', '--label', 'safe', '--recipient', recipient], withPassphrase());
    expect(added.stdout).toMatch(/^added age key slot [0-9a-f]{16} \(safe, age1\w+\)$/);
    expect(added.stderr).toContain('it was not opened');
    const fromSafe = {PRA_AGE_IDENTITY_FILE: at('identity')};
    expect(await praJson(['key', 'add', '--passphrase-file', at('next')], fromSafe)).toMatchObject({
      kind: 'Key',
      proven: true,
    });
    expect((await list({PRA_PASSPHRASE: NEXT})).fingerprint).toBeDefined();
  });

  it('takes exactly one key, and none on the command line', async () => {
    await praJson(['init'], withPassphrase());
    expect((await pra(['key', 'add'], withPassphrase())).exitCode).toBe(2);
    const two = ['key', 'add', '--recipient', recipient, '--passphrase-file', at('next')];
    expect((await pra(two, withPassphrase())).exitCode).toBe(2);
    expect(
      (await pra(['key', 'add', '--recipient', recipient, '--label', 'a\u001b[2Jb'], withPassphrase()))
        .exitCode,
    ).toBe(2);
    const broken = await pra(['key', 'list'], {PRA_AGE_IDENTITY_FILE: at('pass')});
    expect(broken).toMatchObject({exitCode: 2, stderr: expect.stringContaining('line 1 of')});
    expect((await list({})).items).toHaveLength(1);
  });

  it('says that there is no repository', async () => {
    expect((await pra(['key', 'list'], {})).exitCode).toBe(10);
    expect((await pra(['key', 'add', '--recipient', recipient], withPassphrase())).exitCode).toBe(10);
  });

  it('leaves whole slots when it is killed while it adds one', async () => {
    await praJson(['init'], withPassphrase());
    const add = ['repository', 'key', 'add', '--repository', url(), '--passphrase-file', at('next')];
    const store = new FileStore(at('repository'));
    for (let round = 0; round < 6; round += 1) {
      const child = startPra(add, withPassphrase());
      await delay(500 + round * 350);
      child.kill('SIGKILL');
      await child;
      const {items} = await listKeys(store, {passphrase: NEXT});
      expect(items.every(({state}) => state === 'good')).toBe(true);
      expect(items.filter(({opens}) => !opens)).toHaveLength(1);
    }
    await openRepository(store, {passphrase: PASSPHRASE});
  });
});
