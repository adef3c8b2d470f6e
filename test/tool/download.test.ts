import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {createServer, type Server} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, beforeEach, expect, test, vi} from 'vitest';
import {runProcess} from '../../src/std/process.ts';
import {downloadTool} from '../../src/tool/download.ts';

const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
let dir: string;
let base: string;
let server: Server;
const files = new Map<string, Uint8Array>();
const asked: string[] = [];

beforeAll(async () => {
  vi.stubEnv('PRA_OFFLINE', '');
  dir = await mkdtemp(join(tmpdir(), 'pra-download-'));
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const file = files.get(request.url ?? '');
    response.writeHead(file ? 200 : 404).end(file);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});
beforeEach(() => {
  files.clear();
  asked.length = 0;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  server.close();
  await rm(dir, {recursive: true, force: true});
});

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

function publish(path: string, data: Uint8Array, checksums = sha256(data)): {url: string; sha256Url: string} {
  files.set(path.replace('{arch}', arch), data);
  files.set('/sums', Buffer.from(checksums));
  return {url: base + path, sha256Url: `${base}/sums`};
}

test('a release whose checksum fits becomes a program', async () => {
  const out = join(dir, 'one', 'kubelet');
  expect(await downloadTool(publish('/{arch}/kubelet', Buffer.from('program')), out)).toBe(true);
  expect(await readFile(out, 'utf8')).toBe('program');
  expect((await stat(out)).mode & 0o111).toBe(0o111);
  expect(await readdir(join(dir, 'one'))).toEqual(['kubelet']);
});

test('one whose checksum is wrong is thrown away', async () => {
  const told: string[] = [];
  const out = join(dir, 'two', 'kubelet');
  const release = publish('/kubelet', Buffer.from('altered'), sha256(Buffer.from('program')));
  expect(await downloadTool(release, out, {onProgress: message => told.push(message)})).toBe(false);
  expect(await readdir(join(dir, 'two'))).toEqual([]);
  expect(told.at(-1)).toContain('checksum is wrong');
});

test('a program is taken out of an archive, its checksum out of a list', async () => {
  const member = `etcd-{arch}/etcd`;
  await mkdir(join(dir, `etcd-${arch}`));
  await writeFile(join(dir, `etcd-${arch}`, 'etcd'), 'etcd itself');
  await runProcess('tar', ['-czf', join(dir, 'e.tgz'), '-C', dir, `etcd-${arch}`]);
  const archive = await readFile(join(dir, 'e.tgz'));
  const sums = `${'0'.repeat(64)}  other.tar.gz\n${sha256(archive)}  e-${arch}.tar.gz\n`;
  const out = join(dir, 'three', 'etcd');
  expect(await downloadTool({...publish('/e-{arch}.tar.gz', archive, sums), member}, out)).toBe(true);
  expect(await readFile(out, 'utf8')).toBe('etcd itself');
  expect(await readdir(join(dir, 'three'))).toEqual(['etcd']);
});

test('no release, no published checksum, no network, or PRA_OFFLINE: there is no way to it', async () => {
  const out = join(dir, 'four', 'x');
  expect(await downloadTool({url: `${base}/absent`, sha256Url: `${base}/absent.sha256`}, out)).toBe(false);
  expect(await downloadTool(publish('/x', Buffer.from('x'), 'not a checksum'), out)).toBe(false);
  expect(asked).not.toContain('/x');
  const nowhere = {url: 'http://127.0.0.1:1/x', sha256Url: 'http://127.0.0.1:1/x.sha256'};
  const told: string[] = [];
  const options = {onProgress: (message: string) => told.push(message)};
  expect(await downloadTool(nowhere, out, options)).toBe(false);
  // The second time it is not even tried.
  expect(await downloadTool(nowhere, out, options)).toBe(false);
  expect(told).toHaveLength(1);
  vi.stubEnv('PRA_OFFLINE', '1');
  asked.length = 0;
  expect(await downloadTool(publish('/x', Buffer.from('x')), out)).toBe(false);
  expect(asked).toEqual([]);
  vi.stubEnv('PRA_OFFLINE', '');
});
