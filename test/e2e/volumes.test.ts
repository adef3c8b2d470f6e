import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {z} from 'zod';
import type {SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import {stateDir} from '../../src/std/paths.ts';
import {type BankBed, type BankRun, makeBankBed} from './bank.ts';
import {ask, historyQuery, INVARIANTS, type Load, longestPause, startLoad} from './bank-load.ts';
import {ARCHIVE, PAPERS} from './bank-objects.ts';
import {databaseOf, METHODS, type Method, NAMESPACES} from './bank-plan.ts';
import {damageVolume} from './damage.ts';
import {leftOfDrill} from './shop.ts';

/** Databases that are written to all the time, saved by each method and recovered: nothing lost, torn or doubled. */

let bank: BankBed;
let plan: string;
let run: BankRun;
let root: SnapshotRoot;
let reports: Record<Method, Awaited<ReturnType<Load['stop']>>>;

vi.setConfig({testTimeout: 900_000, hookTimeout: 900_000});

beforeAll(async () => {
  bank = await makeBankBed();
  const [csi, filesystem, dump] = await Promise.all(
    METHODS.map(method => startLoad(bank.cluster, databaseOf(method))),
  );
  if (!csi || !filesystem || !dump) throw new Error('no load');
  plan = await bank.plan();
  run = await bank.drill(plan);
  root = JSON.parse((await bank.pra('snapshot', 'show', 'latest', '-f', plan, '--json')).stdout);
  reports = {csi: await csi.stop(), filesystem: await filesystem.stop(), dump: await dump.stop()};
});

afterAll(async () => {
  await bank?.stop();
});

const probesOf = ({record}: BankRun) =>
  Object.fromEntries(record.verification.probes.map(probe => [probe.name, probe]));
const recordOf = (namespace: string, claim: string) => {
  const found = root.volumes.find(volume => volume.namespace === namespace && volume.pvcs[0] === claim);
  if (!found) throw new Error(`${namespace}/${claim} is not in the snapshot`);
  return found;
};
const history = z.tuple([z.tuple([z.coerce.number(), z.string(), z.coerce.number()])]);
/** What a recovered database says of itself: its last transaction, the digest of all, and when the last one was written. */
const recovered = (method: Method) => {
  const [[n, digest, at]] = history.parse(probesOf(run)[`${method}-history`]?.observed);
  return {n, digest, at};
};

describe('a drill of databases that are written to', () => {
  test('passes, with every file as it was saved, and leaves nothing in either cluster', async () => {
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'passed', exitCode: 0});
    expect(run.record.cleanup).toMatchObject({destroyed: true, leftovers: []});
    expect(await leftOfDrill(run.record.identity.id)).toEqual([]);
    expect(run.left).toEqual([]);
    expect(root.volumes).toHaveLength(5);
    expect(run.record.volumes).toHaveLength(5);
    for (const volume of run.record.volumes) {
      expect(volume, volume.namespace).toMatchObject({sha256Ok: true, restoredBytes: volume.bytes});
      if (volume.method !== 'dump')
        expect(volume.proof).toMatch(/equal to the manifest taken in the source$/);
    }
    // Nobody wrote while it was read: all of it could be compared.
    const unstable = root.volumes.map(volume => (volume.method === 'dump' ? 0 : volume.manifest.unstable));
    expect(unstable).toEqual([0, 0, 0, 0, 0]);
  });

  test.each(METHODS)('%s brings back a prefix of what was written, down to the snapshot', async method => {
    const probes = probesOf(run);
    for (const name of [...Object.keys(INVARIANTS), 'current'])
      expect(probes[`${method}-${name}`]?.verdict, name).toBe('passed');
    const {n, digest, at} = recovered(method);
    const source = await ask(bank.cluster, databaseOf(method), historyQuery(`${n}`));
    expect(source.split('|').slice(0, 2)).toEqual([`${n}`, digest]);
    expect(at).toBeGreaterThan(Date.parse(root.canary?.writtenAt ?? '') / 1000);
    expect(at).toBeLessThan(Date.parse(root.finishedAt) / 1000);
    for (const {query, equals} of Object.values(INVARIANTS))
      expect(await ask(bank.cluster, databaseOf(method), query)).toBe(equals === true ? 't' : `${equals}`);
    // The load itself came to no harm.
    expect(reports[method].failed).toBe(0);
    expect(reports[method].processed).toBeGreaterThan(n);
  });

  test('csi brings back the moment at which the storage took its snapshot, by crash recovery', async () => {
    const record = recordOf(NAMESPACES.csi, 'data-db-0');
    const takenAt = Date.parse((record.method === 'csi' && record.snapshotAt) || '') / 1000;
    // The cluster tells the time of the snapshot in whole seconds.
    expect(recovered('csi').at).toBeGreaterThan(takenAt - 2);
    expect(recovered('csi').at).toBeLessThan(takenAt + 2);
    const log = await logOf(run, NAMESPACES.csi);
    expect(log).toContain('database system was not properly shut down; automatic recovery in progress');
    expect(log).toMatch(/redo done at/);
    expect(log).toContain('database system is ready to accept connections');
    expect(probesOf(run).canary).toMatchObject({verdict: 'passed'});
    expect(probesOf(run).canary?.message).toContain('found in ConfigMap and database');
  });

  test('csi lets applications go on, and hooks hold those whose files are read for as long as that takes', async () => {
    const span = {from: root.createdAt, to: root.finishedAt};
    const [csi, files, dump] = await Promise.all(
      METHODS.map(method => longestPause(bank.cluster, databaseOf(method), span)),
    );
    const seconds = (Date.parse(root.finishedAt) - Date.parse(root.createdAt)) / 1000;
    const told = `the snapshot took ${seconds.toFixed(1)} s. Writes stood still for: csi ${csi?.seconds} s, filesystem ${files?.seconds} s, dump ${dump?.seconds} s`;
    process.stdout.write(`${run.record.verdict.summary}; ${told}\n`);
    expect(csi?.transactions).toBeGreaterThan(seconds * 20);
    expect(csi?.seconds).toBeLessThan(seconds / 2);
    const read = recordOf(NAMESPACES.filesystem, 'data-db-0').durationMs / 1000;
    expect(files?.seconds).toBeGreaterThan(read);
    expect(files?.seconds).toBeLessThan(seconds);
    expect(root.hooks?.map(({phase, ok}) => [phase, ok])).toEqual([
      ['pre', true],
      ['post', true],
    ]);
  });
});

/** What a database said in the target, which is gone. */
const logOf = ({record}: BankRun, namespace: string) =>
  readFile(join(stateDir(), 'runs', record.identity.id, 'collected', `${namespace}_db-0_db.log`), 'utf8');

describe('files of volumes that nobody uses', () => {
  const {quiet} = NAMESPACES;
  const pra = (...args: string[]) => bank.pra(...args, '-f', plan, '--json');

  test.each([ARCHIVE, PAPERS])('are all there, byte by byte: %s', async claim => {
    const expected = bank.contents[claim] ?? {};
    const listed = await pra('snapshot', 'files', 'latest', `${quiet}/${claim}`, '--recursive');
    expect(listed.exitCode, listed.stderr).toBe(0);
    const files = listing.parse(JSON.parse(listed.stdout)).items.filter(({type}) => type === 'file');
    const sizes = Object.entries(expected).map(([path, bytes]) => [`/${path}`, bytes.length]);
    expect(files.map(({path, size}) => [path, size]).sort()).toEqual(sizes.sort());
    const to = join(bank.dir, 'whole');
    const restored = await pra('restore', 'files', 'latest', `${quiet}/${claim}`, '--to', to);
    expect(restored.exitCode, restored.stderr).toBe(0);
    for (const [path, bytes] of Object.entries(expected))
      expect((await readFile(join(to, claim, path))).equals(bytes), path).toBe(true);
  });

  test('can be had one by one and by folder, and never take the place of others', async () => {
    const to = join(bank.dir, 'some');
    const get = (path: string) => pra('restore', 'files', 'latest', PAPERS, path, '--to', to);
    const one = await get('letters/2026/first letter, é.txt');
    expect(one.exitCode, one.stderr).toBe(0);
    const letter = bank.contents[PAPERS]?.['letters/2026/first letter, é.txt'];
    expect(await readFile(join(to, 'first letter, é.txt'))).toEqual(letter);
    const folder = await get('/letters');
    expect(folder.exitCode, folder.stderr).toBe(0);
    expect(await readFile(join(to, 'letters', '2026', 'first letter, é.txt'))).toEqual(letter);
    expect((await readdir(to)).sort()).toEqual(['first letter, é.txt', 'letters']);

    const [again, missing, outside] = await Promise.all(
      ['/letters', '/letters/lost.txt', '/letters/../../../etc'].map(get),
    );
    expect(again).toMatchObject({exitCode: 2});
    expect(again?.stderr).toContain(`${join(to, 'letters')} is there already`);
    expect(missing).toMatchObject({exitCode: 2});
    expect(missing?.stderr).toContain('the volume of papers has no /letters/lost.txt');
    expect(outside).toMatchObject({exitCode: 2});
    expect(outside?.stderr).toContain('leads out of the volume');
    expect((await readdir(to)).sort()).toEqual(['first letter, é.txt', 'letters']);
  });

  test('are listed by volume and by folder', async () => {
    const [volumes, folder, nowhere] = await Promise.all(
      [[], [PAPERS, '/letters'], [PAPERS, '/nowhere']].map(args =>
        pra('snapshot', 'files', 'latest', ...args),
      ),
    );
    const claims = savedVolumes.parse(JSON.parse(volumes?.stdout ?? '')).items.flatMap(({pvcs}) => pvcs);
    expect(claims).toEqual(['data-db-0', 'data-db-0', ARCHIVE, PAPERS]);
    const items = listing.parse(JSON.parse(folder?.stdout ?? '')).items;
    expect(items.map(({path}) => path).sort()).toEqual(['/letters/2026', '/letters/empty']);
    expect(nowhere).toMatchObject({exitCode: 2});
    expect(nowhere?.stderr).toContain('the volume of papers has no /nowhere');
  });
});

const listing = z.object({
  items: z.array(z.object({path: z.string(), type: z.string(), size: z.number()})),
});
const savedVolumes = z.object({items: z.array(z.object({pvcs: z.array(z.string())}))});

describe('what must not pass', () => {
  test('a claim that no rule covers is named before anything is touched', async () => {
    const uncovered = await bank.plan(({spec}) => {
      spec.source.volumes = spec.source.volumes.filter(rule => !('keep' in (rule.select ?? {})));
    });
    const [taken, drilled] = await Promise.all([
      bank.pra('snapshot', 'create', uncovered),
      bank.drill(uncovered),
    ]);
    expect(taken.exitCode, taken.stderr).toBe(2);
    expect(taken.stderr).toContain('PLAN_UNPROTECTED_VOLUME');
    expect(taken.stderr).toContain(`PersistentVolumeClaim ${NAMESPACES.quiet}/${PAPERS}`);
    expect(taken.stderr).not.toContain(ARCHIVE);
    expect(drilled.record.verdict.result).not.toBe('passed');
    expect(drilled.record.verdict.summary).toContain(`${NAMESPACES.quiet}/${PAPERS}`);
    expect(drilled.stderr).not.toContain('▶ target');
  });

  test('a class of snapshots that is not there is told before anybody is kept waiting', async () => {
    const nowhere = await bank.plan(({spec}) => {
      for (const rule of spec.source.volumes) if (rule.csi) rule.csi = {snapshotClass: 'nowhere'};
    });
    const taken = await bank.pra('snapshot', 'create', nowhere);
    expect(taken.exitCode, taken.stderr).not.toBe(0);
    expect(taken.stderr).toContain('there is no VolumeSnapshotClass nowhere for driver csi.pra.test');
    expect(taken.stderr).not.toContain('hook hold');
  });

  test('a volume that is damaged in the repository fails the drill, and its workload is never started', async () => {
    const pack = await damageVolume(
      join(bank.dir, 'repository'),
      bank.passphrase,
      `/pra/${NAMESPACES.csi}/data-db-0`,
    );
    const damaged = await bank.drill(plan, '--snapshot', 'latest');
    expect(damaged.record.verdict, damaged.stderr).toMatchObject({result: 'failed', exitCode: 3});
    const steps = Object.fromEntries(damaged.record.timeline.steps.map(step => [step.id, step.result]));
    expect(steps).toMatchObject({
      [`group/${NAMESPACES.csi}/volumes`]: 'failed',
      [`group/${NAMESPACES.csi}/start`]: 'skipped',
      [`group/${NAMESPACES.filesystem}/start`]: 'passed',
    });
    expect(damaged.record.verdict.summary).toContain(
      'the data of claim data-db-0 is damaged in the repository',
    );
    const [cause] = damaged.record.findings.filter(({severity}) => severity === 'critical');
    expect(cause?.cause).toContain(pack.split('/').at(-1)?.slice(0, 8));
    expect(cause?.next).toContain('pra repository check --read-data');
    const csi = damaged.record.volumes.find(({namespace}) => namespace === NAMESPACES.csi);
    expect(csi).toMatchObject({sha256Ok: false});
    await expect(logOf(damaged, NAMESPACES.csi)).rejects.toThrow('ENOENT');
    expect(await logOf(damaged, NAMESPACES.filesystem)).toContain('ready to accept connections');
    expect(damaged.record.cleanup).toMatchObject({destroyed: true, leftovers: []});
    expect(await leftOfDrill(damaged.record.identity.id)).toEqual([]);
  });
});
