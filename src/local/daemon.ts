import {spawn} from 'node:child_process';
import {closeSync, openSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {isSameProcess, pidStartedAt} from '../std/pid.ts';
import type {Layout} from './layout.ts';
import type {LocalProcess} from './state.ts';

export interface DaemonOptions {
  layout: Layout;
  name: string;
  file: string;
  args: readonly string[];
  /** Process whose mounts it shares; the host's without one. */
  mountsOf?: LocalProcess | undefined;
}

/**
 * Starts a long-lived program inside the cluster's network namespace. It outlives this process. Should this process be
 * killed before the program is recorded, the program is found by the namespace that it runs in.
 */
export function startDaemon(options: DaemonOptions): LocalProcess {
  const {layout, name, mountsOf} = options;
  const log = openSync(logFile(layout, name), 'a', 0o600);
  // nsenter, not `ip netns exec`: that mounts /sys anew, and the kubelet then finds no cgroups.
  const namespaces = [
    `--net=${layout.netnsPath}`,
    ...(mountsOf ? [`--mount=/proc/${mountsOf.pid}/ns/mnt`] : []),
  ];
  const child = spawn('nsenter', [...namespaces, '--', options.file, ...options.args], {
    detached: true,
    stdio: ['ignore', log, log],
    env: {PATH: process.env.PATH, HOME: layout.dir, TMPDIR: join(layout.dir, 'tmp')},
  });
  closeSync(log);
  child.on('error', () => undefined);
  child.unref();
  if (child.pid === undefined)
    throw new PraError('LOCAL_CLUSTER_FAILED', `${name} could not be started`, {why: options.file});
  return {name, pid: child.pid, startedAt: pidStartedAt(child.pid) ?? 'gone'};
}

export const logFile = (layout: Layout, name: string) => join(layout.logs, `${name}.log`);

/** @throws PraError LOCAL_CLUSTER_FAILED that names the first component that has ended, with the last lines of its log. */
export function requireAlive(layout: Layout, processes: readonly LocalProcess[]): void {
  const dead = processes.find(({pid, startedAt}) => !isSameProcess(pid, startedAt));
  if (!dead) return;
  throw new PraError('LOCAL_CLUSTER_FAILED', `${dead.name} ended while the cluster was coming up`, {
    why: lastLines(logFile(layout, dead.name)),
  });
}

function lastLines(file: string, count = 8): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
  } catch {
    return 'it wrote no log';
  }
}
