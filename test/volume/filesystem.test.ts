import {execFile} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {
  chmod,
  chown,
  link,
  lutimes,
  mkdir,
  open,
  readdir,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {VolumeRule} from '../../src/snapshot/volume-rule.ts';
import {claimObject, idlePod, namespaceObject, startVolumeBed, type VolumeBed} from '../bed/volume-bed.ts';
import {differences, fillVolume, saveVolume} from './saving.ts';

let bed: VolumeBed;
const run = promisify(execFile);
beforeAll(async () => {
  bed = await startVolumeBed();
});
afterAll(() => bed.stop());

const FILES = 10_000;
const SPARSE_BYTES = 2 * 1024 ** 3;

/** 10,000 small files, a sparse one, and whatever else a file system can hold. */
async function makeTree(root: string): Promise<void> {
  for (let folder = 0; folder < 100; folder += 1) {
    const dir = join(root, `folder-${folder}`);
    await mkdir(dir);
    for (let i = 0; i < FILES / 100; i += 1)
      await writeFile(join(dir, `file-${i}`), `${folder}/${i}\n`.repeat((i % 50) + 1));
    await chown(dir, folder, 1000 + folder);
  }
  const sparse = join(root, 'sparse.img');
  await writeFile(sparse, 'the beginning');
  await truncate(sparse, SPARSE_BYTES);
  const handle = await open(sparse, 'r+');
  await handle.write('in the middle', SPARSE_BYTES / 2);
  await handle.close();
  await writeFile(join(root, 'secret'), 'only for its owner', {mode: 0o600});
  await chown(join(root, 'secret'), 4711, 4712);
  await writeFile(join(root, 'setuid'), '#!/bin/sh\n');
  await chmod(join(root, 'setuid'), 0o6755);
  await mkdir(join(root, 'sticky'));
  await chmod(join(root, 'sticky'), 0o1777);
  await link(join(root, 'secret'), join(root, 'hard-link'));
  await symlink('secret', join(root, 'link'));
  await symlink('/nowhere/at all', join(root, 'dangling'));
  await lutimes(join(root, 'link'), 1_500_000_000, 1_500_000_000);
  await writeFile(join(root, 'new\nline "quoted" \u00e9'), '');
  await run('python3', [
    '-c',
    'import os,sys; open(os.path.join(os.fsencode(sys.argv[1]), b"not-utf8-\\xff\\xfe"), "w").write("x")',
    root,
  ]).catch(() => undefined);
  await run('setfattr', ['-n', 'user.origin', '-v', 'warehouse', join(root, 'secret')]);
  await mkdir(join(root, 'empty', 'deeper'), {recursive: true});
  await run('mkfifo', [join(root, 'pipe')]);
  await utimes(join(root, 'empty'), 1_400_000_000, 1_400_000_000.25);
}

test('10,000 files, a sparse one and all that a file system knows come back as they were', async () => {
  const namespace = 'tree';
  await bed.create(
    namespaceObject(namespace),
    claimObject(namespace, 'data'),
    idlePod(namespace, 'app', 'data'),
  );
  const source = await bed.folderOf(namespace, 'data');
  await makeTree(source);
  const {restic} = await bed.keep();
  const rules: VolumeRule[] = [{select: {app: 'app'}, method: 'filesystem'}];
  const record = await saveVolume(bed, {restic, rules, namespace});
  expect(record).toMatchObject({
    method: 'filesystem',
    workload: 'Pod/app',
    transport: 'stream',
    runAs: 'root',
  });
  expect(record.manifest.unstable).toBe(0);
  expect(record.manifest.files).toBeGreaterThan(FILES);
  await bed.create(claimObject(namespace, 'copy'));
  const filled = await fillVolume(bed, {restic, record, namespace, claim: 'copy'});
  expect(filled.comparison).toMatchObject({differing: 0, differences: []});
  const copy = await bed.folderOf(namespace, 'copy');
  expect(await differences(source, copy)).toBe('');
  const {blocks, size} = await stat(join(copy, 'sparse.img'));
  expect(size).toBe(SPARSE_BYTES);
  expect(blocks * 512).toBeLessThan(SPARSE_BYTES / 100);
  expect(await bed.leftovers()).toEqual([]);
  // What is compared can also differ.
  await rm(join(copy, 'secret'));
  expect(await differences(source, copy)).toContain('secret');
});

const MIB = 1024 ** 2;

/** Bytes of all files below a folder. */
async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, {withFileTypes: true, recursive: true}))
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  return sum;
}

test('a volume that has not changed is stored once', async () => {
  const namespace = 'same';
  await bed.create(
    namespaceObject(namespace),
    claimObject(namespace, 'data'),
    idlePod(namespace, 'app', 'data'),
  );
  const source = await bed.folderOf(namespace, 'data');
  for (let i = 0; i < 8; i += 1) await writeFile(join(source, `${i}`), randomBytes(32 * MIB));
  const {restic, repository} = await bed.keep();
  const rules: VolumeRule[] = [{select: {app: 'app'}, method: 'filesystem'}];
  const stored = () => bytesIn(fileURLToPath(repository.store.url));
  const first = await saveVolume(bed, {restic, rules, namespace});
  const before = await stored();
  expect(first.addedBytes).toBeGreaterThan(256 * MIB);
  const second = await saveVolume(bed, {restic, rules, namespace});
  expect(second.bytes).toBe(256 * MIB);
  expect(second.addedBytes / second.bytes).toBeLessThan(0.001);
  expect(((await stored()) - before) / second.bytes).toBeLessThan(0.001);
  // What changes is stored, and it alone.
  await writeFile(join(source, '0'), randomBytes(2 * MIB));
  const third = await saveVolume(bed, {restic, rules, namespace});
  expect(third.addedBytes / MIB).toBeCloseTo(2, 0);
});
