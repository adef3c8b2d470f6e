import {z} from 'zod';
import {PraError} from '../errors.ts';
import type {VolumeStore} from '../repository/prune.ts';
import {sleep} from '../std/wait.ts';
import {connect, type ResticOptions} from './restic.ts';

const snapshotsSchema = z.array(z.object({id: z.string()}));

/** What is not done often takes as long as it takes; the store is asked for by restic itself. */
const LONG_MS = 12 * 3_600_000;

const LOCK_ATTEMPTS = 30;
const LOCK_PAUSE_MS = 10_000;

/** What keeps restic's repository in order. */
export interface VolumeMaintenance extends VolumeStore {
  /** @returns what restic found wrong, line by line */
  check(options: {readData: boolean}): Promise<string[]>;
  /** Removes restic's own stale locks. */
  unlock(): Promise<void>;
  /** Bytes as they lie in the store. */
  bytes(): Promise<number>;
}

/**
 * The volumes of a repository, to be kept in order; undefined when none were ever saved in it.
 * @throws PraError RESTIC_FAILED, STORE_*
 */
export async function maintainVolumes(options: ResticOptions): Promise<VolumeMaintenance | undefined> {
  const {there, quick} = await connect(options);
  if (!there) return undefined;
  return {
    async list() {
      const {stdout} = await quick(['snapshots', '--json', '--no-lock'], [], LONG_MS);
      return parse(stdout).map(({id}) => id);
    },
    async forget(ids) {
      // One that was killed leaves its lock, and a dump that fails is killed; those of the living stay.
      await quick(['unlock']);
      await whileLocked(() => quick(['forget', '--prune', ...ids], [], LONG_MS), options.signal);
    },
    async check({readData}) {
      const args = ['check', ...(readData ? ['--read-data'] : [])];
      const {exitCode, stderr, stdout} = await quick(args, [1], LONG_MS);
      if (exitCode === 0) return [];
      const lines = `${stdout}\n${stderr}`
        .split('\n')
        .filter(line => /error|fatal|damaged|missing/i.test(line));
      return lines.length > 0 ? lines.slice(0, 20) : [`restic check failed: ${stderr.trim().slice(0, 500)}`];
    },
    async unlock() {
      await quick(['unlock']);
    },
    async bytes() {
      let sum = 0;
      for await (const {size} of options.repository.store.list('volumes/', options)) sum += size;
      return sum;
    },
  };
}

/** Waits for dumps that are being saved: restic prunes alone, and gives up at once when it is not. */
async function whileLocked<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const locked =
        error instanceof PraError && /already locked|unable to create lock/i.test(error.why ?? '');
      if (!locked || attempt === LOCK_ATTEMPTS) throw error;
      await sleep(LOCK_PAUSE_MS, signal);
    }
  }
}

function parse(stdout: string): z.infer<typeof snapshotsSchema> {
  try {
    return snapshotsSchema.parse(JSON.parse(stdout));
  } catch (error) {
    throw new PraError('RESTIC_FAILED', 'restic does not say which snapshots it has', {cause: error});
  }
}
