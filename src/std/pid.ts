import {readFileSync} from 'node:fs';

/**
 * When a process started, in the kernel's clock ticks, or undefined when there is no such process.
 * A pid alone names nothing for long: pids are used again.
 */
export function pidStartedAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return aliveWithoutProc(pid) ? 'unknown' : undefined;
  }
}

/** Whether this very process still runs. */
export function isSameProcess(pid: number, startedAt: string): boolean {
  return pidStartedAt(pid) === startedAt;
}

/** Systems without /proc (macOS) still tell whether a pid is in use. */
function aliveWithoutProc(pid: number): boolean {
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
