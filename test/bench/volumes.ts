/** `npm run bench -- --volumes`: see docs/benchmarks.md. */
import {execFile} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {cpus, tmpdir, totalmem} from 'node:os';
import {join} from 'node:path';
import {parseArgs, promisify} from 'node:util';
import {deleteObject} from '../../src/cluster/apply.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import type {ClaimRecord} from '../../src/repository/snapshot-root.ts';
import {VolumeSaving} from '../../src/snapshot/save-volumes.ts';
import {compileSelect} from '../../src/snapshot/select.ts';
import {planVolumes} from '../../src/snapshot/volumes.ts';
import {resolveTool} from '../../src/tool/resolve.ts';
import {renderTable} from '../../src/view/table.ts';
import {fillClaims} from '../../src/volume/fill-claims.ts';
import type {MoverSettings} from '../../src/volume/mover/settings.ts';
import type {Restic} from '../../src/volume/restic.ts';
import {StoreLink} from '../../src/volume/store-link.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {
  claimObject,
  idlePod,
  namespaceObject,
  SETTINGS,
  startVolumeBed,
  type VolumeBed,
} from '../bed/volume-bed.ts';

const {values} = parseArgs({
  options: {
    json: {type: 'boolean', default: false},
    volumes: {type: 'boolean'},
    mebibytes: {type: 'string', default: '4096'},
    rounds: {type: 'string', default: '3'},
  },
});
const mebibytes = Number(values.mebibytes);
const rounds = Number(values.rounds);
const run = promisify(execFile);
const note = (text: string) => process.stderr.write(`${text}\n`);
const {signal} = new AbortController();
const MIB = 1 << 20;
/** Several volumes at once share so much. */
const AT_ONCE = 4;

const median = (numbers: readonly number[]) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const ratio = (value: number) => Number(value.toFixed(2));

/** Files of 4 MiB, every second one of text that compresses, the others of random bytes; no two are alike. */
async function fillFolder(folder: string, size: number, seed: number): Promise<void> {
  for (let i = 0; i * 4 < size; i += 1) {
    if (i % 50 === 0) await mkdir(join(folder, `d${i / 50}`), {recursive: true});
    const file = join(folder, `d${Math.floor(i / 50)}`, `f${i}`);
    const text = () => {
      const line = createHash('sha256').update(`${seed}/${i}`).digest('hex');
      return Buffer.from(
        Array.from({length: (4 * MIB) / 80}, (_, n) => `${line} ${n}`.padEnd(79)).join('\n'),
      );
    };
    await writeFile(file, i % 2 === 0 ? text() : randomBytes(4 * MIB));
  }
}

/** What was written before is on the disk by then, or one would pay for the other. */
async function timed<T>(work: () => Promise<T>): Promise<{ms: number; result: T}> {
  await run('sync');
  const began = performance.now();
  const result = await work();
  return {ms: performance.now() - began, result};
}

const {path: binary} = await resolveTool('mover-restic');
const dir = await mkdtemp(join(tmpdir(), 'pra-bench-'));

/** restic alone, on the same folder, into a repository of its own; when it restores it verifies, as pra does. */
async function bare(
  folder: string,
  repository: string,
  more: Record<string, string>,
): Promise<{saveMs: number; restoreMs: number}> {
  const env = {PATH: process.env.PATH, HOME: dir, ...more, RESTIC_PASSWORD: 'bench'};
  const restic = (...args: string[]) =>
    run(binary, [...args, '--repo', repository, '--quiet', '--no-cache'], {env});
  await restic('init');
  const saved = await timed(() => restic('backup', folder));
  const target = join(dir, 'restored');
  const restored = await timed(() => restic('restore', 'latest', '--sparse', '--verify', '--target', target));
  await rm(target, {recursive: true, force: true});
  return {saveMs: saved.ms, restoreMs: restored.ms};
}

let snapshots = 0;
async function save(
  bed: VolumeBed,
  restic: Restic,
  namespace: string,
  more: Partial<MoverSettings>,
): Promise<ClaimRecord[]> {
  const selection = compileSelect({namespaces: [namespace], clusterScoped: 'none'});
  const plan = await planVolumes({cluster: bed.cluster, rules: [{method: 'filesystem'}], selection, signal});
  snapshots += 1;
  const saving = new VolumeSaving({
    cluster: bed.cluster,
    plan,
    engine: {restic, settings: {...SETTINGS, ...more}},
    run: `bench-${snapshots}`,
    signal,
  });
  await saving.whileQuiet();
  const records = await saving.afterwards();
  await saving.end();
  return records.filter(record => record.method !== 'dump');
}

async function restore(
  bed: VolumeBed,
  restic: Restic,
  record: ClaimRecord,
  namespace: string,
  more: Partial<MoverSettings>,
): Promise<void> {
  const settings = {...SETTINGS, ...more};
  const link = new StoreLink({repository: restic.repository, store: restic.store, settings});
  const group = {namespace, claims: [{claim: 'data', record}], placement: {}};
  await fillClaims(group, {cluster: bed.cluster, restic, settings, link, run: 'bench', signal});
}

/** How pods get at the repository, and restic alone at one in the same store. */
interface Way {
  settings: Partial<MoverSettings>;
  keep(name: string): ReturnType<VolumeBed['keep']>;
  bare(folder: string, name: string): ReturnType<typeof bare>;
}

const bed = await startVolumeBed({isolated: false});
let s3: TestS3 | undefined;
try {
  const server = await startVersitygw({address: bed.hostAddress, users: true});
  s3 = server;
  Object.assign(process.env, server.env);
  const {endpoint, region, bucket, profiles, credentials} = server;
  const ways: Record<'direct' | 'stream', Way> = {
    direct: {
      settings: {transport: 'direct', credentials: {profile: profiles.right}},
      keep: name => bed.keep(`s3://${bucket}/${name}`, {endpoint, region, profile: profiles.right}),
      bare: (folder, name) =>
        bare(folder, `s3:${endpoint}/${bucket}/${name}`, {
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          AWS_DEFAULT_REGION: region,
        }),
    },
    stream: {
      settings: {transport: 'stream'},
      keep: () => bed.keep(),
      bare: async (folder, name) => {
        const found = await bare(folder, join(dir, name), {});
        await rm(join(dir, name), {recursive: true, force: true});
        return found;
      },
    },
  };

  /** One round: restic alone, pra, restic alone. @returns the times of restic, of those of pra */
  async function compare(kind: 'direct' | 'stream', folder: string, round: number) {
    const {settings, keep, bare} = ways[kind];
    const name = `${kind}-${round}`;
    const before = await bare(folder, `${name}-before`);
    const {restic} = await keep(name);
    const saved = await timed(() => save(bed, restic, 'one', settings));
    const [record] = saved.result;
    if (!record) throw new Error('nothing was saved');
    const [again] = await save(bed, restic, 'one', settings);
    // The storage system makes the volume for its first pod; restic alone is not kept waiting for one either.
    await bed.create(namespaceObject(name), claimObject(name, 'data'), idlePod(name, 'first', 'data'));
    await deleteObject(bed.cluster, CORE_TYPES.Pod, {namespace: name, name: 'first'});
    const restored = await timed(() => restore(bed, restic, record, name, settings));
    await bed.remove(name);
    const after = await bare(folder, `${name}-after`);
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    note(
      `   ${kind}: save: restic ${seconds(before.saveMs)} and ${seconds(after.saveMs)} s, pra ${seconds(saved.ms)} s; restore: restic ${seconds(before.restoreMs)} and ${seconds(after.restoreMs)} s, pra ${seconds(restored.ms)} s`,
    );
    return {
      save: (before.saveMs + after.saveMs) / 2 / saved.ms,
      restore: (before.restoreMs + after.restoreMs) / 2 / restored.ms,
      unchangedBytes: again?.addedBytes ?? 0,
    };
  }

  note(`== ${mebibytes} MiB in one volume`);
  await bed.create(namespaceObject('one'), claimObject('one', 'data'), idlePod('one', 'app', 'data'));
  const folder = await bed.folderOf('one', 'data');
  await fillFolder(folder, mebibytes, 0);
  const direct: Awaited<ReturnType<typeof compare>>[] = [];
  const stream: Awaited<ReturnType<typeof compare>>[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    note(`== round ${round} of ${rounds}: restic alone, pra, restic alone`);
    direct.push(await compare('direct', folder, round));
    stream.push(await compare('stream', folder, round));
  }
  note(`== ${AT_ONCE} volumes of ${mebibytes / 2 / AT_ONCE} MiB`);
  await bed.create(namespaceObject('several'));
  for (let i = 0; i < AT_ONCE; i += 1) {
    await bed.create(claimObject('several', `data-${i}`), idlePod('several', `app-${i}`, `data-${i}`));
    await fillFolder(await bed.folderOf('several', `data-${i}`), mebibytes / 2 / AT_ONCE, i + 1);
  }
  const oneByOne: number[] = [];
  const atOnce: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const [parallel, times] of [
      [1, oneByOne],
      [AT_ONCE, atOnce],
    ] as const) {
      const {settings, keep} = ways.direct;
      const {restic} = await keep(`several-${parallel}-${round}`);
      const more = {...settings, parallel, perNode: parallel};
      times.push((await timed(() => save(bed, restic, 'several', more))).ms);
    }
    note(
      `   one after another ${Math.round(oneByOne.at(-1) ?? 0)} ms, at once ${Math.round(atOnce.at(-1) ?? 0)} ms`,
    );
  }
  const [cpu] = cpus();
  const document = {
    machine: {cpu: cpu?.model, cores: cpus().length, memoryGiB: Math.round(totalmem() / 1024 ** 3)},
    mebibytes,
    rounds,
    ratios: {
      saveOfRestic: ratio(median(direct.map(({save}) => save))),
      restoreOfRestic: ratio(median(direct.map(({restore}) => restore))),
      streamSaveOfRestic: ratio(median(stream.map(({save}) => save))),
      streamRestoreOfRestic: ratio(median(stream.map(({restore}) => restore))),
      atOnceOfOneByOne: ratio(median(oneByOne.map((ms, i) => ms / (atOnce[i] ?? ms)))),
      unchangedBytes:
        Math.max(...[...direct, ...stream].map(({unchangedBytes}) => unchangedBytes)) / (mebibytes * MIB),
    },
    raw: {direct, stream, oneByOne, atOnce},
  };
  const {ratios} = document;
  if (values.json) process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  else
    process.stdout.write(
      `${renderTable(
        ['RATIO', 'VALUE', 'GOAL'],
        [
          ['saveOfRestic', String(ratios.saveOfRestic), '>= 0.80'],
          ['restoreOfRestic', String(ratios.restoreOfRestic), '>= 0.80'],
          ['streamSaveOfRestic', String(ratios.streamSaveOfRestic), ''],
          ['streamRestoreOfRestic', String(ratios.streamRestoreOfRestic), ''],
          ['atOnceOfOneByOne', String(ratios.atOnceOfOneByOne), '> 1'],
          ['unchangedBytes', ratios.unchangedBytes.toExponential(1), '< 0.005'],
        ],
      )}\n`,
    );
} finally {
  await s3?.stop();
  await bed.stop();
  await rm(dir, {recursive: true, force: true});
}
