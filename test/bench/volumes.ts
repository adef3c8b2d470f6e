/** `npm run bench -- --volumes`: see docs/benchmarks.md. */
import {execFile} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {cpus, tmpdir, totalmem} from 'node:os';
import {join} from 'node:path';
import {parseArgs, promisify} from 'node:util';
import type {ClaimRecord} from '../../src/repository/snapshot-root.ts';
import {VolumeSaving} from '../../src/snapshot/save-volumes.ts';
import {compileSelect} from '../../src/snapshot/select.ts';
import {planVolumes} from '../../src/snapshot/volumes.ts';
import {resolveTool} from '../../src/tool/resolve.ts';
import {renderTable} from '../../src/view/table.ts';
import {fillClaims} from '../../src/volume/fill-claims.ts';
import type {Restic} from '../../src/volume/restic.ts';
import {StoreLink} from '../../src/volume/store-link.ts';
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
    mebibytes: {type: 'string', default: '2048'},
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

async function timed<T>(work: () => Promise<T>): Promise<{ms: number; result: T}> {
  const began = performance.now();
  const result = await work();
  return {ms: performance.now() - began, result};
}

const {path: binary} = await resolveTool('mover-restic');
const dir = await mkdtemp(join(tmpdir(), 'pra-bench-'));

/** restic alone, on the same folder, into a repository of its own. */
async function bare(folder: string, name: string): Promise<{saveMs: number; restoreMs: number}> {
  const env = {...process.env, RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: join(dir, name)};
  await run(binary, ['init', '--quiet'], {env});
  const saved = await timed(() => run(binary, ['backup', '--quiet', '--no-cache', folder], {env}));
  const target = join(dir, `${name}-restored`);
  const restored = await timed(() =>
    run(binary, ['restore', 'latest', '--quiet', '--no-cache', '--sparse', '--target', target], {env}),
  );
  await rm(target, {recursive: true, force: true});
  await rm(join(dir, name), {recursive: true, force: true});
  return {saveMs: saved.ms, restoreMs: restored.ms};
}

let snapshots = 0;
async function save(
  bed: VolumeBed,
  restic: Restic,
  namespace: string,
  parallel: number,
): Promise<ClaimRecord[]> {
  const selection = compileSelect({namespaces: [namespace], clusterScoped: 'none'});
  const plan = await planVolumes({cluster: bed.cluster, rules: [{method: 'filesystem'}], selection, signal});
  snapshots += 1;
  const settings = {...SETTINGS, parallel, perNode: parallel};
  const saving = new VolumeSaving({
    cluster: bed.cluster,
    plan,
    engine: {restic, settings},
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
  claim: string,
): Promise<void> {
  const link = new StoreLink({repository: restic.repository, store: restic.store, settings: SETTINGS});
  const group = {namespace, claims: [{claim, record}], placement: {}};
  await fillClaims(group, {cluster: bed.cluster, restic, settings: SETTINGS, link, run: 'bench', signal});
}

const bed = await startVolumeBed();
try {
  note(`== ${mebibytes} MiB in one volume`);
  await bed.create(namespaceObject('one'), claimObject('one', 'data'), idlePod('one', 'app', 'data'));
  const folder = await bed.folderOf('one', 'data');
  await fillFolder(folder, mebibytes, 0);
  const saves: number[] = [];
  const restores: number[] = [];
  const unchanged: {ms: number; addedBytes: number}[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    note(`== round ${round} of ${rounds}: restic alone, pra, restic alone`);
    const before = await bare(folder, `bare-${round}-a`);
    const {restic} = await bed.keep();
    const saved = await timed(() => save(bed, restic, 'one', 1));
    const [record] = saved.result;
    if (!record) throw new Error('nothing was saved');
    const again = await timed(() => save(bed, restic, 'one', 1));
    unchanged.push({ms: again.ms, addedBytes: again.result[0]?.addedBytes ?? 0});
    await bed.create(namespaceObject(`back-${round}`), claimObject(`back-${round}`, 'data'));
    const restored = await timed(() => restore(bed, restic, record, `back-${round}`, 'data'));
    const after = await bare(folder, `bare-${round}-b`);
    saves.push((before.saveMs + after.saveMs) / 2 / saved.ms);
    restores.push((before.restoreMs + after.restoreMs) / 2 / restored.ms);
    note(
      `   save: restic ${Math.round(before.saveMs)} and ${Math.round(after.saveMs)} ms, pra ${Math.round(saved.ms)} ms; restore: restic ${Math.round(before.restoreMs)} and ${Math.round(after.restoreMs)} ms, pra ${Math.round(restored.ms)} ms`,
    );
    await bed.remove(`back-${round}`);
  }
  note(`== ${AT_ONCE} volumes`);
  await bed.create(namespaceObject('several'));
  for (let i = 0; i < AT_ONCE; i += 1) {
    await bed.create(claimObject('several', `data-${i}`), idlePod('several', `app-${i}`, `data-${i}`));
    await fillFolder(await bed.folderOf('several', `data-${i}`), mebibytes / AT_ONCE, i + 1);
  }
  const oneByOne: number[] = [];
  const atOnce: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const [parallel, times] of [
      [1, oneByOne],
      [AT_ONCE, atOnce],
    ] as const) {
      const {restic} = await bed.keep();
      times.push((await timed(() => save(bed, restic, 'several', parallel))).ms);
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
      saveOfRestic: ratio(median(saves)),
      restoreOfRestic: ratio(median(restores)),
      atOnceOfOneByOne: ratio(median(oneByOne.map((ms, i) => ms / (atOnce[i] ?? ms)))),
      unchangedBytes: Math.max(...unchanged.map(({addedBytes}) => addedBytes)) / (mebibytes * MIB),
    },
    raw: {saves, restores, unchanged, oneByOne, atOnce},
  };
  if (values.json) process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  else
    process.stdout.write(
      `${renderTable(
        ['RATIO', 'VALUE', 'GOAL'],
        [
          ['saveOfRestic', String(document.ratios.saveOfRestic), '>= 0.80'],
          ['restoreOfRestic', String(document.ratios.restoreOfRestic), ''],
          ['atOnceOfOneByOne', String(document.ratios.atOnceOfOneByOne), '> 1'],
          ['unchangedBytes', document.ratios.unchangedBytes.toExponential(1), '< 0.005'],
        ],
      )}\n`,
    );
} finally {
  await bed.stop();
  await rm(dir, {recursive: true, force: true});
}
