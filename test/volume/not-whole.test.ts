import {randomBytes} from 'node:crypto';
import {appendFile, mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import type {ClaimRecord} from '../../src/repository/snapshot-root.ts';
import {VolumeFilling} from '../../src/restore/fill-volumes.ts';
import {ROOT} from '../../src/volume/mover/identity.ts';
import {Mover} from '../../src/volume/mover/mover.ts';
import {errorOf} from '../bed/error-of.ts';
import {atData} from '../bed/faulty-store.ts';
import {claimObject, idlePod, SETTINGS, startVolumeBed, type VolumeBed} from '../bed/volume-bed.ts';
import {differences, type Filling, fillVolume, makeClaim, type Saving, saveVolume} from './saving.ts';

/** What is not whole never counts as saved or restored. */
const MIB = 1024 ** 2;
const LIMIT_MS = 60_000;

let bed: VolumeBed;
let source: string;
let copies = 0;
let notes: string[] = [];

beforeAll(async () => {
  bed = await startVolumeBed();
  source = await makeClaim(bed, 'source');
  await mkdir(join(source, 'rows'));
  for (let i = 0; i < 4; i += 1) await writeFile(join(source, `rows/${i}`), randomBytes(MIB));
});
afterAll(async () => {
  await bed?.stop();
});
afterEach(async () => {
  notes = [];
  expect(await bed.leftovers()).toEqual([]);
});

const save = (saving: Pick<Saving, 'restic'> & Partial<Saving>): Promise<ClaimRecord> =>
  saveVolume(bed, {
    namespace: 'source',
    rules: [{select: {app: 'app'}, method: 'filesystem'}, {method: 'none'}],
    onEvent: event => void (event.type === 'volume-note' && notes.push(event.message)),
    ...saving,
    settings: {runAs: 'root', ...saving.settings},
  });
const fill = (filling: Pick<Filling, 'restic' | 'record' | 'claim'> & Partial<Filling>) =>
  fillVolume(bed, {namespace: 'source', onMessage: message => notes.push(message), ...filling});

/** An empty claim. */
async function newClaim(): Promise<string> {
  copies += 1;
  const claim = `copy-${copies}`;
  await bed.create(claimObject('source', claim));
  return claim;
}

describe('a folder that gets another name while it is saved', () => {
  let folder: string;
  let names = 0;
  beforeAll(async () => {
    folder = await makeClaim(bed, 'moved');
    await writeFile(join(folder, 'a'), randomBytes(20 * MIB));
    await mkdir(join(folder, 'z0'));
    for (let i = 0; i < 5; i += 1) await writeFile(join(folder, 'z0', `${i}`), `there all the time: ${i}`);
  });
  const renameIt = async () => {
    await rename(join(folder, `z${names}`), join(folder, `z${names + 1}`));
    names += 1;
  };

  test('is saved under the new one', async () => {
    const kept = await bed.keep();
    kept.store.before = atData('put', 1, renameIt);
    const record = await save({...kept, namespace: 'moved'});
    expect(notes.join()).toContain('5 entries were moved while it was read; once more');
    const claim = await newClaim();
    await fill({...kept, record, claim});
    expect(await differences(folder, await bed.folderOf('source', claim))).toBe('');
  });

  test('again and again is an error, not a snapshot without it', async () => {
    const kept = await bed.keep();
    kept.store.before = async (operation, key) => {
      if (operation === 'put' && key.startsWith('volumes/data/')) await renameIt();
    };
    const error = await errorOf(save({...kept, namespace: 'moved'}), {limitMs: LIMIT_MS});
    expect(error).toMatchObject({
      code: 'VOLUME_SAVE_FAILED',
      message: 'claim data does not hold still enough to be saved',
    });
  });
});

test('what changed while it was saved is never found to be restored already', async () => {
  const folder = await makeClaim(bed, 'database');
  await writeFile(join(folder, 'rows'), randomBytes(MIB));
  const kept = await bed.keep();
  kept.store.before = atData('put', 1, () => appendFile(join(folder, 'rows'), 'more'));
  const record = await save({...kept, namespace: 'database'});
  expect(record.manifest.unstable).toBe(1);
  await writeFile(join(folder, 'rows'), 'damaged since');
  const held = fill({...kept, record, claim: 'data', namespace: 'database'});
  expect(await errorOf(held, {limitMs: LIMIT_MS})).toMatchObject({
    code: 'VOLUME_NOT_EMPTY',
    why: expect.stringContaining('1 entries changed while they were saved'),
  });
  expect(await readFile(join(folder, 'rows'), 'utf8')).toBe('damaged since');
});

describe('a claim that was there', () => {
  let kept: Awaited<ReturnType<VolumeBed['keep']>>;
  let record: ClaimRecord;
  beforeAll(async () => {
    kept = await bed.keep();
    record = await save(kept);
  });

  test('is not filled while the pod of a restore before may still write into it', async () => {
    const claim = await newClaim();
    const settings = {...SETTINGS, runAs: 'root' as const};
    const claims = [{name: claim, path: record.path}];
    const about = {signal: new AbortController().signal};
    const earlier = await Mover.create(
      bed.cluster,
      {
        run: 'earlier',
        purpose: 'restore',
        namespace: 'source',
        claims,
        identity: ROOT,
        placement: {},
        settings,
      },
      about,
    );
    await earlier.started(about);
    await fill({...kept, record, claim});
    expect(notes.join()).toContain('a restore that did not end still mounts what is to be filled');
    expect(await differences(source, await bed.folderOf('source', claim))).toBe('');
  });

  test('half filled and in use is an error, not a claim that keeps what it holds', async () => {
    const folder = await makeClaim(bed, 'half');
    await writeFile(join(folder, '.pra-restoring'), `${record.resticSnapshot}\n`);
    const filling = new VolumeFilling({
      cluster: bed.cluster,
      restic: kept.restic,
      settings: SETTINGS,
      run: 'half',
    });
    const look = () =>
      filling.fillUnlessHeld(
        {namespace: 'half', claims: [{claim: 'data', record}], placement: {}, users: [], refs: ['data']},
        {signal: new AbortController().signal, onFilled: () => undefined},
      );
    expect(await errorOf(look(), {limitMs: LIMIT_MS})).toMatchObject({
      code: 'VOLUME_HALF_FILLED',
      message: 'claim half/data is half filled by a restore that did not end, and a pod mounts it',
    });
    await rm(join(folder, '.pra-restoring'));
    expect(await look()).toBe(true);
  });

  test('with a mark that was broken off before anything was written is empty', async () => {
    const claim = await newClaim();
    await bed.create(idlePod('source', 'first-user', claim));
    const folder = await bed.folderOf('source', claim);
    await writeFile(join(folder, '.pra-restoring'), '');
    await fill({...kept, record, claim});
    expect(await differences(source, folder)).toBe('');
  });
});
