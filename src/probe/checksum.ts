import {createHash} from 'node:crypto';
import {createInterface} from 'node:readline';
import {PassThrough} from 'node:stream';
import {z} from 'zod';
import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {execInPod} from '../cluster/exec.ts';
import {listAll} from '../cluster/list.ts';
import {isRunning} from '../cluster/running.ts';
import {PraError} from '../errors.ts';
import type {PlanProbe} from '../plan/schema.ts';
import type {Json} from '../std/json.ts';
import type {Observation, Observe} from './probe.ts';

type Checksum = NonNullable<PlanProbe['checksum']>;

/** Files are told by name as long as there are no more than so many; the digest of all is compared in any case. */
const MAX_NAMED = 500;
const MAX_SHOWN = 5;
/** Enough to tell two files apart. */
const SHORT = 16;

/** Writes `DIGEST  NAME` for each file; what cannot be read makes it fail. Names with line breaks are not told apart. */
const SCRIPT = 'cd "$1" && find . -type f -exec sha256sum {} +';

const baselineSchema = z.object({
  files: z.int(),
  digest: z.string(),
  names: z.record(z.string(), z.string()).optional(),
});
type Baseline = z.infer<typeof baselineSchema>;

/** The files of a folder are those of the snapshot: no other content, none missing, none more. */
export const observeChecksum: Observe = async (probe, {cluster, baselines}, signal) => {
  const wanted = probe.checksum;
  if (!wanted) throw new PraError('BUG', 'not a checksum probe');
  const found = baselineSchema.safeParse(baselines.get(probe.name));
  if (!found.success)
    throw new PraError('SNAPSHOT_FAILED', `the snapshot has no baseline for probe ${probe.name}`, {
      why: 'it was taken before the plan had this probe',
      next: ['take a new snapshot'],
    });
  return judge(found.data, await checksums(cluster, wanted, signal));
};

/** What the probe will compare with, measured in the source. @throws PraError EXEC_FAILED, SNAPSHOT_FAILED */
export async function measureChecksum(
  cluster: Cluster,
  wanted: Checksum,
  signal: AbortSignal,
): Promise<Json> {
  const {files, digest, names} = await checksums(cluster, wanted, signal);
  return {files, digest, ...(names ? {names} : {})};
}

function judge(expected: Baseline, observed: Baseline): Observation {
  const both = {expected: expected.digest, observed: observed.digest};
  if (expected.digest === observed.digest && expected.files === observed.files)
    return {...both, passed: true, message: `${observed.files} files, each as at the snapshot`};
  const differing = namesThatDiffer(expected.names, observed.names);
  const which =
    differing.length === 0
      ? ''
      : `: ${differing
          .slice(0, MAX_SHOWN)
          .map(name => JSON.stringify(name))
          .join(', ')}`;
  const more = differing.length > MAX_SHOWN ? ` and ${differing.length - MAX_SHOWN} more` : '';
  return {
    ...both,
    passed: false,
    message: `${observed.files} files of which some are not as at the snapshot, where there were ${expected.files}${which}${more}`,
  };
}

function namesThatDiffer(a: Baseline['names'], b: Baseline['names']): string[] {
  if (!a || !b) return [];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(name => a[name] !== b[name]).sort();
}

async function checksums(cluster: Cluster, wanted: Checksum, signal: AbortSignal): Promise<Baseline> {
  const {namespace, selector, container, path} = wanted;
  const pods = await listAll(cluster, CORE_TYPES.Pod, {namespace, labelSelector: selector, signal});
  const pod = pods.find(isRunning);
  if (!pod) throw new PraError('EXEC_FAILED', `no pod in ${namespace} that fits ${selector} runs`);
  const stdout = new PassThrough();
  const lines = linesOf(stdout);
  const {exitCode, stderr} = await execInPod(cluster, {
    namespace,
    pod: pod.metadata.name,
    container,
    command: ['sh', '-c', SCRIPT, 'sh', path],
    stdout,
    signal,
  });
  if (exitCode !== 0)
    throw new PraError(
      'EXEC_FAILED',
      `the files in ${path} of pod ${namespace}/${pod.metadata.name} could not be read`,
      {
        why: stderr.trim() || `exit code ${exitCode}`,
        next: ['the container needs sh, find and sha256sum, and has to be able to read the folder'],
      },
    );
  return digestOf(await lines);
}

async function linesOf(stream: PassThrough): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({input: stream, crlfDelay: Number.POSITIVE_INFINITY}))
    lines.push(line);
  return lines;
}

/** The same files give the same digest, in whichever order they were found. */
function digestOf(lines: string[]): Baseline {
  const sorted = lines.filter(line => line !== '').sort();
  const digest = createHash('sha256').update(sorted.join('\n')).digest('hex');
  const files = sorted.length;
  if (files > MAX_NAMED) return {files, digest};
  return {
    files,
    digest,
    names: Object.fromEntries(
      sorted.map(line => [line.slice(66).replace(/^\.\//, ''), line.slice(0, SHORT)]),
    ),
  };
}
