import {setTimeout as delay} from 'node:timers/promises';
import {PraError} from '../errors.ts';
import {formatDuration} from './duration.ts';

/** Sleeps, or rejects at once when the signal aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal ? {signal} : {});
}

/** A signal that aborts when the parent does or after `ms`, whichever is first. */
export function withDeadline(ms: number, parent?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(ms);
  return parent ? AbortSignal.any([parent, timeout]) : timeout;
}

export interface WaitOptions {
  /** What is waited for, as a noun phrase: it is what the timeout error says. */
  waitingFor: string;
  timeoutMs: number;
  intervalMs?: number;
  signal?: AbortSignal | undefined;
  /** What was seen last, for the timeout error. */
  lastSeen?: () => string | undefined;
  next?: string[];
}

/**
 * Calls `check` until it gives something other than undefined.
 * @throws PraError TIMEOUT that names what was waited for and what was seen last.
 */
export async function waitFor<T>(check: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const found = await check();
    if (found !== undefined) return found;
    if (performance.now() >= end) {
      throw new PraError(
        'TIMEOUT',
        `gave up waiting for ${options.waitingFor} after ${formatDuration(options.timeoutMs)}`,
        {
          why: options.lastSeen?.(),
          next: options.next,
        },
      );
    }
    await sleep(options.intervalMs ?? 250, options.signal);
  }
}
