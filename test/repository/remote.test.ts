import {randomBytes} from 'node:crypto';
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it, vi} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import {PraError} from '../../src/errors.ts';
import {FileStore} from '../../src/repository/file.ts';
import {openStore} from '../../src/repository/open.ts';
import {
  initRepository,
  openOrInitRepository,
  openRepository,
  type Repository,
} from '../../src/repository/repository.ts';
import {findRoot, listRoots, type SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import type {Store} from '../../src/repository/store.ts';
import {verifyPacks} from '../../src/repository/verify.ts';
import {canonicalJson, sha256} from '../../src/std/json.ts';
import {runProcess} from '../../src/std/process.ts';
import {isLinuxRoot} from '../../src/tool/platform.ts';
import {errorOf} from '../bed/error-of.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {configMap, loadSnapshot, saveSnapshot} from './snapshots.ts';

const passphrase = 'correct horse';
/** Much that does not compress, so that there is more than one pack. */
const large = Array.from({length: 24}, (_, i) =>
  configMap(`ns-${i % 2}`, `m-${i}`, {blob: randomBytes(900_000).toString('base64')}),
);

let s3: TestS3;
beforeAll(async () => {
  s3 = await startVersitygw();
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3.stop();
});

const openS3 = (prefix: string, bucket = s3.bucket) =>
  openStore(`s3://${bucket}/${prefix}`, {endpoint: s3.endpoint, profile: s3.profiles.right, silenceMs: 500});

async function keysOf(store: Store, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const {key} of store.list(prefix)) keys.push(key);
  return keys;
}

describe('a repository in a bucket', () => {
  let repository: Repository;
  let root: SnapshotRoot;
  beforeAll(async () => {
    repository = await initRepository(await openS3('whole'), {passphrase});
    root = await saveSnapshot(repository, large);
  });

  it('gives back its snapshots to whoever opens it anew', async () => {
    const again = await openRepository(await openS3('whole'), {passphrase});
    expect((await listRoots(again)).map(({id}) => id)).toEqual([root.id]);
    expect(await findRoot(again, 'latest')).toEqual(root);
    expect(await verifyPacks(again, root)).toMatchObject({packs: 2});
    const digests = (objects: KubeObject[]) => objects.map(object => sha256(canonicalJson(object))).sort();
    expect(digests(await loadSnapshot(again, root))).toEqual(digests(large));
  });

  it('shares objects between snapshots', async () => {
    const next = await saveSnapshot(
      repository,
      [...large.slice(1), configMap('ns-0', 'new', {a: 'b'})],
      root,
    );
    expect(next.bytes.written).toBeLessThan(20_000);
    expect(await loadSnapshot(repository, next, {names: ['m-1', 'new']})).toHaveLength(2);
    await verifyPacks(repository, next);
  });

  it('opens with no other passphrase, and says so', async () => {
    const error = await errorOf(openRepository(await openS3('whole'), {passphrase: 'Correct horse'}));
    expect(error).toMatchObject({code: 'REPOSITORY_WRONG_KEY', exitCode: 12});
    expect(error.next).toEqual(['check PRA_PASSPHRASE_FILE or PRA_PASSPHRASE']);
    expect(error.message).not.toContain('orrect horse');
  });

  it('is made by one of two that make it at once, and the other says so', async () => {
    const store = await openS3('race');
    const results = await Promise.allSettled([1, 2].map(() => initRepository(store, {passphrase})));
    const won = results.filter(result => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({code: 'REPOSITORY_EXISTS'});
    expect(await keysOf(store, 'keys/')).toHaveLength(1);
    const opened = await openRepository(store, {passphrase});
    expect(opened.treeKey).toEqual(won[0]?.value.treeKey);
  });

  it('is not made in a bucket that is not there', async () => {
    const error = await errorOf(openOrInitRepository(await openS3('x', 'no-such-bucket'), {passphrase}));
    expect(error).toMatchObject({code: 'REPOSITORY_ABSENT', exitCode: 10});
    expect(error.next).toEqual(['make the bucket, or mend spec.repository.url']);
  });

  it('is neither opened nor made while the server is down', async () => {
    const store = await openS3('down');
    await s3.kill();
    try {
      const error = await errorOf(openOrInitRepository(store, {passphrase}));
      expect(error).toMatchObject({code: 'STORE_UNREACHABLE', why: 'ECONNREFUSED'});
      expect((await errorOf(verifyPacks(repository, root))).code).toBe('STORE_UNREACHABLE');
      expect((await errorOf(listRoots(repository))).code).toBe('STORE_UNREACHABLE');
    } finally {
      await s3.start();
    }
    expect(await keysOf(store)).toEqual([]);
  });

  it('lists no snapshot that was being written when the server went down, and takes the next', async () => {
    const before = await keysOf(repository.store, 'snapshots/');
    const saving = errorOf(saveSnapshot(repository, large));
    await s3.kill();
    try {
      expect((await saving).code).toBe('STORE_UNREACHABLE');
    } finally {
      await s3.start();
    }
    expect(await keysOf(repository.store, 'snapshots/')).toEqual(before);
    const next = await saveSnapshot(repository, large);
    await verifyPacks(repository, next);
  });
});

describe('a key slot', () => {
  it('that a making which was killed left behind is not taken for that of the repository', async () => {
    // The slot is written before the root: the same files as after a kill between the two.
    for (let round = 0; round < 3; round += 1) {
      const dir = await mkdtemp(join(tmpdir(), 'pra-slot-'));
      try {
        const store = new FileStore(dir);
        await initRepository(store, {passphrase});
        await store.delete('pra.json');
        await expect(openRepository(store, {passphrase})).rejects.toMatchObject({code: 'REPOSITORY_ABSENT'});
        const made = await initRepository(store, {passphrase});
        expect(await keysOf(store, 'keys/')).toHaveLength(2);
        expect((await openRepository(store, {passphrase})).treeKey).toEqual(made.treeKey);
      } finally {
        await rm(dir, {recursive: true, force: true});
      }
    }
  });

  it('stays when nobody knows whether the root of the repository was written', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'pra-slot-'));
    try {
      const store = new FileStore(dir);
      const put = store.put.bind(store);
      vi.spyOn(store, 'put').mockImplementation(async (key, body, options) => {
        await put(key, body, options);
        if (key === 'pra.json') throw new PraError('STORE_UNREACHABLE', 'the answer was lost');
      });
      expect((await errorOf(initRepository(store, {passphrase}))).code).toBe('STORE_UNREACHABLE');
      vi.restoreAllMocks();
      await openRepository(store, {passphrase});
    } finally {
      await rm(dir, {recursive: true, force: true});
    }
  });

  it.each([
    ['a cost that scrypt cannot have', (text: string) => text.replace('131072', '131071')],
    ['a cost that would take all memory', (text: string) => text.replace('131072', '2147483648')],
    ['half of its content', (text: string) => text.slice(0, text.length / 2)],
  ])('with %s is named', async (_what, damage) => {
    const store = await openS3(`slot-${randomBytes(4).toString('hex')}`);
    await initRepository(store, {passphrase});
    const [key = ''] = await keysOf(store, 'keys/');
    await store.put(key, Buffer.from(damage(Buffer.from(await store.get(key)).toString())));
    const error = await errorOf(openRepository(store, {passphrase}));
    expect(error).toMatchObject({code: 'REPOSITORY_CORRUPT', message: expect.stringContaining(key)});
    expect(error.next).not.toEqual([]);
  });

  it('must be there', async () => {
    const store = await openS3('no-slot');
    await initRepository(store, {passphrase});
    for (const key of await keysOf(store, 'keys/')) await store.delete(key);
    expect(await errorOf(openRepository(store, {passphrase}))).toMatchObject({
      code: 'REPOSITORY_CORRUPT',
      message: expect.stringContaining('keys/'),
    });
  });
});

describe('damage in a bucket', () => {
  let repository: Repository;
  let root: SnapshotRoot;
  let older: SnapshotRoot;
  beforeAll(async () => {
    repository = await initRepository(await openS3('damage'), {passphrase});
    older = await saveSnapshot(repository, [configMap('a', 'old', {x: 'y'})]);
    root = await saveSnapshot(repository, large);
  });

  const file = (key: string) => join(s3.files, 'damage', key);
  const sealed = async () => [
    ...(await keysOf(repository.store, 'packs/')),
    ...(await keysOf(repository.store, 'trees/')),
  ];

  /** Every object that the snapshot needs, in turn: what was done to it must be found, and it must be named. */
  async function eachFound(damage: (content: Buffer, other: Buffer) => Buffer): Promise<void> {
    const others = new Map<string, Buffer>();
    for (const key of await sealed()) others.set(key, await readFile(file(key)));
    for (const [key, content] of others) {
      const [other = content] = [...others].filter(([name]) => name !== key).map(([, bytes]) => bytes);
      await writeFile(file(key), damage(content, other));
      const found = await Promise.all(
        [root, older].map(async snapshot => {
          const result = await verifyPacks(repository, snapshot).catch((error: unknown) => error);
          if (!(result instanceof PraError)) return false;
          expect(result).toMatchObject({code: 'REPOSITORY_CORRUPT', message: expect.stringContaining(key)});
          expect(result.next).toEqual(['use another snapshot: pra snapshot list']);
          return true;
        }),
      );
      expect(found.filter(Boolean), key).toHaveLength(1);
      await writeFile(file(key), content);
    }
    await verifyPacks(repository, root);
    await verifyPacks(repository, older);
  }

  it('by one changed bit is found and named', () =>
    eachFound(content => {
      const copy = Buffer.from(content);
      const at = copy.length >> 1;
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    }));

  it('by cutting off is found and named', () => eachFound(content => content.subarray(0, -1)));

  it('by emptying is found and named', () => eachFound(() => Buffer.alloc(0)));

  it('by putting another object of the repository in its place is found and named', () =>
    eachFound((_content, other) => other));

  it('by removing is found and named', async () => {
    for (const key of await sealed()) {
      const content = await readFile(file(key));
      await repository.store.delete(key);
      const errors = await Promise.all(
        [root, older].map(snapshot => verifyPacks(repository, snapshot).catch((error: unknown) => error)),
      );
      expect(errors).toContainEqual(
        expect.objectContaining({code: 'REPOSITORY_CORRUPT', message: expect.stringContaining(key)}),
      );
      await repository.store.put(key, content);
    }
  });

  it('is found by reading too, where nothing was verified before', async () => {
    for (const key of await keysOf(repository.store, 'packs/')) {
      const content = await readFile(file(key));
      const copy = Buffer.from(content);
      copy.writeUInt8(copy.readUInt8(100) ^ 1, 100);
      await writeFile(file(key), copy);
      const errors = await Promise.all(
        [root, older].map(snapshot => loadSnapshot(repository, snapshot).catch((error: unknown) => error)),
      );
      expect(errors).toContainEqual(
        expect.objectContaining({code: 'REPOSITORY_CORRUPT', message: expect.stringContaining(key)}),
      );
      await writeFile(file(key), content);
    }
  });

  it('by swapping two frames of the same length is found, as frames know which they are', async () => {
    const own = await initRepository(await openS3('swapped'), {passphrase});
    // More than a frame takes, and equally well compressed.
    const twin = (name: string, letter: string) => configMap('a', name, {blob: letter.repeat(5_000_000)});
    const snapshot = await saveSnapshot(own, [twin('m-1', 'x'), twin('m-2', 'y')]);
    const [key = ''] = await keysOf(own.store, 'packs/');
    const pack = Buffer.from(await own.store.get(key));
    const half = (pack.length - 8) / 2;
    const swapped = [pack.subarray(0, 8), pack.subarray(8 + half), pack.subarray(8, 8 + half)];
    await own.store.put(key, Buffer.concat(swapped));
    const error = await errorOf(loadSnapshot(own, snapshot));
    expect(error).toMatchObject({
      code: 'REPOSITORY_CORRUPT',
      message: `${key} in ${own.store.url} is damaged`,
      why: 'its content was changed or cut off',
    });
  });

  it('of a snapshot root is found however it was done', async () => {
    const [key, olderKey] = [`snapshots/${root.id}.json`, `snapshots/${older.id}.json`];
    const content = await readFile(file(key), 'utf8');
    const parsed: unknown = JSON.parse(content);
    if (typeof parsed !== 'object') throw new Error('a root is an object');
    const forged: [string, string][] = [
      ['the root of another snapshot', await readFile(file(olderKey), 'utf8')],
      ['another tree', content.replace(root.trees[0]?.name ?? '', older.trees[0]?.name ?? '')],
      ['a field more', JSON.stringify({...parsed, extra: true})],
      ['a field less', JSON.stringify({...parsed, bytes: undefined})],
      ['another code', content.replace(root.mac, older.mac)],
      ['no code', JSON.stringify({...parsed, mac: undefined})],
      ['a half', content.slice(0, content.length / 2)],
      ['nothing', ''],
    ];
    for (const [what, replaced] of forged) {
      await writeFile(file(key), replaced);
      for (const action of [
        () => listRoots(repository),
        () => findRoot(repository, root.id),
        () => findRoot(repository, 'latest'),
      ])
        expect(await errorOf(action()), what).toMatchObject({
          code: 'REPOSITORY_CORRUPT',
          message: expect.stringContaining(key),
        });
    }
    await writeFile(file(key), content);
    expect(await listRoots(repository)).toHaveLength(2);
  });

  it('by a root from a repository with another key is found', async () => {
    const other = await initRepository(await openS3('other'), {passphrase});
    const foreign = await saveSnapshot(other, [configMap('a', 'b', {})]);
    const key = `snapshots/${foreign.id}.json`;
    await repository.store.put(key, await other.store.get(key));
    expect(await errorOf(listRoots(repository))).toMatchObject({
      code: 'REPOSITORY_CORRUPT',
      message: expect.stringContaining(key),
    });
    await repository.store.delete(key);
  });
});

describe.runIf(isLinuxRoot())('a disk that is full', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pra-full-'));
    await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=700', 'tmpfs', dir]);
  });
  afterAll(async () => {
    await runProcess('umount', [dir]);
    await rm(dir, {recursive: true});
  });

  it('is one clear error, leaves nothing half written, and a later run succeeds', async () => {
    const repository = await initRepository(new FileStore(dir), {passphrase});
    const first = await saveSnapshot(repository, [configMap('a', 'b', {c: 'd'})]);
    const ballast = join(dir, 'ballast');
    await writeFile(ballast, Buffer.alloc(4 * 1024 * 1024));
    const error = await errorOf(saveSnapshot(repository, large, first));
    expect(error).toMatchObject({code: 'DISK_FULL', exitCode: 1});
    expect(error.message).toMatch(/^packs\/\S+ could not be written: the disk of \S+ is full$/);
    expect(error.next).toEqual([expect.stringContaining('free some space')]);
    expect((await listRoots(repository)).map(({id}) => id)).toEqual([first.id]);
    await verifyPacks(repository, first);
    const names = await readdir(dir, {recursive: true});
    expect(names.filter(name => name.includes('.partial-'))).toEqual([]);
    await rm(ballast);
    const fewer = large.slice(0, 8);
    const second = await saveSnapshot(repository, fewer, first);
    await verifyPacks(repository, second);
    expect(await loadSnapshot(repository, second)).toHaveLength(8);
  });

  it('when a repository is made leaves none behind that cannot be opened', async () => {
    const ballast = join(dir, 'ballast');
    const fill = runProcess('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4k'], {okCodes: [1]});
    await fill;
    const store = new FileStore(join(dir, 'new'));
    expect((await errorOf(initRepository(store, {passphrase}))).code).toBe('DISK_FULL');
    await rm(ballast);
    const {created} = await openOrInitRepository(store, {passphrase});
    expect(created).toBe(true);
    await openRepository(store, {passphrase});
  });
});
