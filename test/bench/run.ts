/** `npm run bench`: see docs/benchmarks.md. */
import {execFile} from 'node:child_process';
import {mkdtemp, readdir, rm} from 'node:fs/promises';
import {cpus, tmpdir, totalmem} from 'node:os';
import {join} from 'node:path';
import {parseArgs, promisify} from 'node:util';
import {z} from 'zod';
import {connectCluster} from '../../src/cluster/client.ts';
import {renderTable} from '../../src/view/table.ts';
import {startControlPlane} from '../bed/control-plane.ts';
import {changeSome, loadObjects} from './load.ts';
import {measureRestore} from './restore.ts';
import {backUpWithVelero} from './velero.ts';

const {values} = parseArgs({
  options: {
    json: {type: 'boolean', default: false},
    objects: {type: 'string', default: '50000'},
    rounds: {type: 'string', default: '5'},
    'restore-rounds': {type: 'string', default: '2'},
    velero: {type: 'string'},
    'velero-plugins': {type: 'string'},
  },
});
const objects = Number(values.objects);
const rounds = Number(values.rounds);
const restoreRounds = Number(values['restore-rounds']);
const note = (text: string) => process.stderr.write(`${text}\n`);

const timing = z.object({ms: z.number(), objects: z.number(), peakMiB: z.number()});
const captured = timing.extend({written: z.number(), raw: z.number()});
const reading = z.object({
  listMs: z.number(),
  showMs: z.number(),
  getMs: z.number(),
  diffWhichMs: z.number(),
  diffFieldsMs: z.number(),
  different: z.number(),
});
const streamed = z.object({compressed: z.number()});

const dir = await mkdtemp(join(tmpdir(), 'pra-bench-'));
const run = promisify(execFile);

async function phase<T>(
  name: string,
  repository: string,
  schema: z.ZodType<T>,
  kubeconfig = plane.kubeconfig,
): Promise<T> {
  const script = join(import.meta.dirname, import.meta.url.endsWith('.ts') ? 'phase.ts' : 'phase.js');
  const {stdout} = await run(process.execPath, [script, name, kubeconfig, `file://${repository}`], {
    maxBuffer: 1 << 24,
  });
  return schema.parse(JSON.parse(stdout));
}

const median = (numbers: readonly number[]) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const rate = (one: {ms: number; objects: number}) => Math.round((one.objects / one.ms) * 1000);
const round = (value: number, digits = 3) => Number(value.toFixed(digits));

note(`== a control plane with ${objects} objects`);
const plane = await startControlPlane();
try {
  const cluster = await connectCluster({kubeconfig: plane.kubeconfig});
  const began = performance.now();
  const set = await loadObjects(cluster, plane.etcd, objects);
  note(`   loaded in ${Math.round((performance.now() - began) / 1000)} s`);
  // The API server reads what etcd has into its cache first.
  await phase('raw', dir, timing);

  const raw: z.infer<typeof timing>[] = [];
  const first: z.infer<typeof captured>[] = [];
  const unchanged: z.infer<typeof captured>[] = [];
  for (let i = 0; i < rounds; i += 1) {
    note(`== round ${i + 1} of ${rounds}: raw, first, unchanged`);
    const repository = join(dir, `repository-${i}`);
    raw.push(await phase('raw', repository, timing));
    first.push(await phase('capture', repository, captured));
    raw.push(await phase('raw', repository, timing));
    unchanged.push(await phase('capture', repository, captured));
    raw.push(await phase('raw', repository, timing));
  }
  // Each against the two raw runs around it, so that what else the machine does counts for both.
  const against = (captures: readonly z.infer<typeof timing>[], place: number) =>
    median(
      captures.map((one, i) => {
        const around = [raw[3 * i + place], raw[3 * i + place + 1]].flatMap(found =>
          found ? [rate(found)] : [],
        );
        return rate(one) / (around.reduce((a, b) => a + b, 0) / around.length);
      }),
    );
  const repository = join(dir, `repository-${rounds - 1}`);
  note('== 1 % changed');
  const changed = await changeSome(cluster, set.namespaces, Math.ceil(objects / 100));
  const incremental = await phase('capture', repository, captured);
  note('== list, show, get, diff');
  const read = await phase('read', repository, reading);
  const stream = await phase('stream', join(dir, 'repository-0'), streamed);
  await cluster.close();
  if (values.velero) note('== velero');
  const velero = values.velero
    ? await backUpWithVelero({
        velero: values.velero,
        plugins: values['velero-plugins'] ?? join(values.velero, '..', 'plugins'),
        kubeconfig: plane.kubeconfig,
      })
    : undefined;

  // Two API servers at once would share the processors.
  await plane.stop();
  const restored = await measureRestore(
    (name, kubeconfig) => phase(name, repository, timing, kubeconfig),
    restoreRounds,
    note,
  );
  const rates = {
    raw: median(raw.map(rate)),
    captureFirst: median(first.map(rate)),
    captureUnchanged: median(unchanged.map(rate)),
    rawCreate: median(restored.raw.map(rate)),
    restore: median(restored.restore.map(rate)),
  };
  const firstBytes = first[0]?.written ?? 0;
  const document = {
    apiVersion: 'pra/v1',
    kind: 'Benchmark',
    at: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? '',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
    },
    ratios: {
      captureFirst: round(against(first, 0)),
      captureUnchanged: round(against(unchanged, 1)),
      restoreCreate: round(restored.ratio),
      incrementalBytes: round(incremental.written / firstBytes, 4),
      firstBytesOfStream: round(firstBytes / stream.compressed),
      ...(velero ? {captureFirstOfVelero: round(median(first.map(rate)) / rate(velero), 1)} : {}),
    },
    raw: {
      objects: first[0]?.objects ?? 0,
      listed: raw[0]?.objects ?? 0,
      rates,
      runs: {
        raw: raw.map(rate),
        captureFirst: first.map(rate),
        captureUnchanged: unchanged.map(rate),
        rawCreate: restored.raw.map(rate),
        restore: restored.restore.map(rate),
      },
      peakMiB: {
        raw: Math.max(...raw.map(one => one.peakMiB)),
        captureFirst: Math.max(...first.map(one => one.peakMiB)),
        captureUnchanged: Math.max(...unchanged.map(one => one.peakMiB)),
        rawCreate: Math.max(0, ...restored.raw.map(one => one.peakMiB)),
        restore: Math.max(0, ...restored.restore.map(one => one.peakMiB)),
      },
      bytes: {
        json: first[0]?.raw ?? 0,
        first: firstBytes,
        unchanged: unchanged[0]?.written ?? 0,
        changed: incremental.written,
        zstd3Stream: stream.compressed,
      },
      ...(velero ? {velero: {...velero, ms: Math.round(velero.ms), rate: rate(velero)}} : {}),
      changed,
      incrementalMs: Math.round(incremental.ms),
      read: Object.fromEntries(Object.entries(read).map(([key, value]) => [key, round(value, 1)])),
      files: (await readdir(repository, {recursive: true, withFileTypes: true})).filter(one => one.isFile())
        .length,
    },
  };
  process.stdout.write(`${values.json ? JSON.stringify(document, undefined, 2) : table(document)}\n`);
} finally {
  await plane.stop();
  await rm(dir, {recursive: true, force: true});
}

function table(document: {
  ratios: {
    captureFirst: number;
    captureUnchanged: number;
    restoreCreate: number;
    incrementalBytes: number;
    firstBytesOfStream: number;
    captureFirstOfVelero?: number;
  };
  raw: {
    rates: {raw: number; captureFirst: number; captureUnchanged: number; rawCreate: number; restore: number};
    peakMiB: Record<string, number>;
    bytes: Record<string, number>;
    read: Record<string, number>;
    incrementalMs: number;
    objects: number;
    velero?: {rate: number; objects: number; peakMiB: number};
  };
}): string {
  const {ratios, raw} = document;
  const percent = (value: number) => `${(value * 100).toFixed(1)} %`;
  const mb = (value = 0) => `${(value / 1e6).toFixed(2)} MB`;
  return [
    renderTable(
      ['WHAT', 'OBJECTS/S', 'OF RAW', 'PEAK MEMORY'],
      [
        ['raw LIST and JSON.parse', String(raw.rates.raw), '100 %', `${raw.peakMiB.raw} MiB`],
        [
          'first snapshot',
          String(raw.rates.captureFirst),
          percent(ratios.captureFirst),
          `${raw.peakMiB.captureFirst} MiB`,
        ],
        [
          'unchanged snapshot',
          String(raw.rates.captureUnchanged),
          percent(ratios.captureUnchanged),
          `${raw.peakMiB.captureUnchanged} MiB`,
        ],
        ...(raw.velero
          ? [
              [
                'Velero, first backup',
                String(raw.velero.rate),
                percent(raw.velero.rate / raw.rates.raw),
                `${raw.velero.peakMiB} MiB`,
              ],
            ]
          : []),
        ['raw creates', String(raw.rates.rawCreate), '', `${raw.peakMiB.rawCreate} MiB`],
        [
          'restore',
          String(raw.rates.restore),
          `${percent(ratios.restoreCreate)} of raw creates`,
          `${raw.peakMiB.restore} MiB`,
        ],
      ],
    ),
    '',
    `${raw.objects} objects, ${mb(raw.bytes.json)} of JSON; first snapshot ${mb(raw.bytes.first)}, ${percent(ratios.firstBytesOfStream)} of one zstd -3 stream`,
    `1 % changed: ${mb(raw.bytes.changed)} written, ${percent(ratios.incrementalBytes)} of the first, in ${raw.incrementalMs} ms; unchanged: ${raw.bytes.unchanged} bytes`,
    `list ${raw.read.listMs} ms, show ${raw.read.showMs} ms, get ${raw.read.getMs} ms, diff ${raw.read.diffWhichMs} ms, with all fields ${raw.read.diffFieldsMs} ms`,
  ].join('\n');
}
