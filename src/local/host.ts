import {existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {z} from 'zod';
import {withFileLock} from '../tool/lock.ts';
import {RUN_DIR} from './layout.ts';

/**
 * The few things of the machine itself that local clusters share: settings that were changed and empty folders that
 * were made. The first cluster that changes one records what it was; the last one that leaves puts it back.
 */
const changesSchema = z.object({
  /** Path of a kernel setting and its value before. */
  settings: z.record(z.string(), z.string()),
  folders: z.array(z.string()),
});
type Changes = z.infer<typeof changesSchema>;

const FILE = join(RUN_DIR, '.host.json');
const LOCK_TIMEOUT_MS = 60_000;

/** Runs `work` while no other process changes the machine's links, rules or settings for a local cluster. */
export async function withHostLock<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const waitingFor = 'another local cluster that comes up or goes down';
  return withFileLock(join(RUN_DIR, '.host.lock'), {waitingFor, timeoutMs: LOCK_TIMEOUT_MS, signal}, work);
}

/** Sets a kernel setting, after recording what it was. Call it under the host lock. */
export function changeSetting(path: string, value: string): void {
  const before = readFileSync(path, 'utf8').trim();
  if (before === value) return;
  const changes = readChanges();
  writeChanges({...changes, settings: {[path]: before, ...changes.settings}});
  writeFileSync(path, value);
}

/** Makes an empty folder where something of the system expects one, after recording that it was not there. Under the host lock. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const changes = readChanges();
  writeChanges({...changes, folders: [...changes.folders, path]});
  mkdirSync(path, {recursive: true, mode: 0o755});
}

/** Puts everything back if no local cluster is left. Call it under the host lock. */
export function restoreHost(): void {
  const clusters = readdirSync(RUN_DIR, {withFileTypes: true}).filter(entry => entry.isDirectory());
  if (clusters.length > 0 || !existsSync(FILE)) return;
  const {settings, folders} = readChanges();
  for (const [path, value] of Object.entries(settings)) ignoreErrors(() => writeFileSync(path, value));
  // Only when it is empty: whoever put something there since then needs it.
  for (const folder of folders.toReversed()) ignoreErrors(() => rmdirSync(folder));
  rmSync(FILE, {force: true});
}

function readChanges(): Changes {
  try {
    return changesSchema.parse(JSON.parse(readFileSync(FILE, 'utf8')));
  } catch {
    return {settings: {}, folders: []};
  }
}

const writeChanges = (changes: Changes) => writeFileSync(FILE, JSON.stringify(changes), {mode: 0o600});

function ignoreErrors(work: () => void): void {
  try {
    work();
  } catch {
    // A device that is gone has no setting; a folder that is in use stays.
  }
}
