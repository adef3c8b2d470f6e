import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeEach, expect, test, vi} from 'vitest';
import {connectCluster} from '../../src/cluster/client.ts';
import {singleContext} from '../../src/cluster/kubeconfig.ts';
import {PraError} from '../../src/errors.ts';

const dir = mkdtempSync(join(tmpdir(), 'pra-kubeconfig-'));
afterAll(() => rmSync(dir, {recursive: true}));
beforeEach(() => vi.unstubAllEnvs());

interface Entry {
  cluster?: object;
  user?: object;
}

function write(name: string, contexts: Record<string, Entry>, current?: string): string {
  const file = join(dir, name);
  const entries = Object.entries(contexts);
  const config = {
    ...(current === undefined ? {} : {'current-context': current}),
    clusters: entries.map(([key, {cluster}]) => ({
      name: key,
      cluster: {server: 'https://127.0.0.1:1', ...cluster},
    })),
    users: entries.map(([key, {user}]) => ({name: key, user: user ?? {token: 's3cr3t'}})),
    contexts: entries.map(([key]) => ({name: key, context: {cluster: key, user: key}})),
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

async function failure(options: Parameters<typeof connectCluster>[0]): Promise<PraError> {
  const result = await connectCluster(options).catch((error: unknown) => error);
  if (!(result instanceof PraError)) throw new Error('it did not fail with a PraError');
  expect(result.code).toBe('KUBECONFIG_INVALID');
  return result;
}

test('an unknown context names those that exist and the nearest one', async () => {
  const kubeconfig = write('contexts', {production: {}, staging: {}}, 'staging');
  const error = await failure({kubeconfig, context: 'prodution'});
  expect(error.message).toContain('"prodution"');
  expect(error.why).toBe('its contexts are: production, staging');
  expect(error.next).toEqual(['did you mean --context production ?']);
  expect((await failure({kubeconfig, context: 'zzzzzzzz'})).next).toEqual([]);
});

test('the given context wins over the current one', async () => {
  const kubeconfig = write('two', {a: {}, b: {cluster: {server: 'https://127.0.0.1:2/'}}}, 'a');
  await using current = await connectCluster({kubeconfig});
  await using given = await connectCluster({kubeconfig, context: 'b'});
  expect([current.context, given.context, given.server]).toEqual(['a', 'b', 'https://127.0.0.1:2']);
});

test('no current context, a missing file, no file at all', async () => {
  expect((await failure({kubeconfig: write('none', {a: {}})})).next).toEqual(['choose one: --context a']);
  expect((await failure({kubeconfig: join(dir, 'absent')})).message).toContain('does not exist');
  vi.stubEnv('KUBECONFIG', '');
  vi.stubEnv('HOME', dir);
  expect((await failure({})).message).toBe('there is no kubeconfig');
});

test('broken files are named without quoting what is in them', async () => {
  const file = join(dir, 'broken');
  writeFileSync(file, 'users:\n- name: x\n  token: s3cr3t\n bad: [');
  const error = await failure({kubeconfig: file});
  expect(error.message).toContain('is not a valid kubeconfig');
  expect(`${error.message} ${error.why}`).not.toContain('s3cr3t');
  writeFileSync(file, '');
  expect((await failure({kubeconfig: file})).why).toContain('empty');
  writeFileSync(file, 'null');
  expect((await failure({kubeconfig: file})).why).toBe('it is not a mapping');
});

test('a context that names a missing cluster or user', async () => {
  const file = join(dir, 'dangling');
  const context = {name: 'x', context: {cluster: 'gone', user: 'u'}};
  writeFileSync(file, JSON.stringify({'current-context': 'x', clusters: [], users: [], contexts: [context]}));
  expect((await failure({kubeconfig: file})).message).toContain('names a cluster "gone" that is not there');
});

test('unverified and absent TLS are refused', async () => {
  const skip = write('skip', {a: {cluster: {'insecure-skip-tls-verify': true}}}, 'a');
  expect((await failure({kubeconfig: skip})).message).toContain('turns the verification of TLS off');
  const plain = write('plain', {a: {cluster: {server: 'http://127.0.0.1:8080'}}}, 'a');
  expect((await failure({kubeconfig: plain})).message).toContain('does not use TLS');
});

test('certificates that cannot be used are found before the server is asked', async () => {
  const garbage = Buffer.from('no certificate').toString('base64');
  const kubeconfig = write(
    'pem',
    {a: {user: {'client-certificate-data': garbage, 'client-key-data': garbage}}},
    'a',
  );
  expect((await failure({kubeconfig})).message).toContain('certificates of context "a" cannot be used');
  const absent = write('pem2', {a: {cluster: {'certificate-authority': 'absent.crt'}}}, 'a');
  expect((await failure({kubeconfig: absent})).why).toContain('absent.crt');
});

test('KUBECONFIG may list several files: the first to name something wins, absent ones are skipped', async () => {
  const first = write('first', {a: {}}, 'a');
  const second = write('second', {a: {cluster: {server: 'https://127.0.0.1:9'}}, b: {}}, 'b');
  vi.stubEnv('KUBECONFIG', [join(dir, 'absent'), first, second].join(':'));
  await using cluster = await connectCluster({});
  expect([cluster.context, cluster.server]).toEqual(['a', 'https://127.0.0.1:1']);
  await using other = await connectCluster({context: 'b'});
  expect(other.context).toBe('b');
});

test('a kubeconfig of one context knows no other cluster and no other user', async () => {
  const {KubeConfig} = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: ['a', 'b'].map(name => ({name, server: `https://${name}.example`, skipTLSVerify: false})),
    users: ['a', 'b'].map(name => ({name, token: `token-of-${name}`})),
    contexts: ['a', 'b'].map(name => ({name, cluster: name, user: name})),
    currentContext: 'b',
  });
  const text = await singleContext(config);
  expect(JSON.parse(text)).toMatchObject({'current-context': 'b', clusters: [{name: 'b'}]});
  expect(text).toContain('token-of-b');
  expect(text).not.toMatch(/token-of-a|a\.example/);
});
