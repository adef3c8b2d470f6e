import {mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {z} from 'zod';
import type {Layout} from './layout.ts';

const processSchema = z.object({name: z.string(), pid: z.number(), startedAt: z.string()});

const stateSchema = z.object({
  name: z.string(),
  node: z.enum(['kubelet', 'kwok', 'none']),
  isolated: z.boolean(),
  /** Which start of the machine this is of: after another, its pids name other processes. */
  bootId: z.string(),
  /** Who brings it up; it must end before anything is taken down. */
  owner: processSchema,
  /** Third octet of the link's addresses, 10.201.N.1 and .2; 0 before it is known. */
  subnet: z.number(),
  processes: z.array(processSchema),
  ready: z.boolean(),
});

/** What a local cluster consists of, written before each part is made, so that all of it can be found after a crash. */
export type LocalState = z.infer<typeof stateSchema>;
export type LocalProcess = z.infer<typeof processSchema>;

/** What was recorded; undefined when there is nothing, or nothing that can be read. */
export function readState(stateFile: string): LocalState | undefined {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(stateFile, 'utf8')));
  } catch {
    return undefined;
  }
}

export function writeState(layout: Layout, state: LocalState): void {
  mkdirSync(dirname(layout.stateFile), {recursive: true, mode: 0o700});
  const partial = `${layout.stateFile}.tmp`;
  writeFileSync(partial, JSON.stringify(state, undefined, 2), {mode: 0o600});
  renameSync(partial, layout.stateFile);
}

/** Names this start of the machine. */
export const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
