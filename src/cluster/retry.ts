import {sleep} from '../std/wait.ts';
import {interruption} from './interruption.ts';

/** Longer waits than this are not asked for by API servers in good faith. */
const MAX_WAIT_MS = 60_000;

/**
 * How long an answer asks to wait before the same request is sent again: only 429 and 5xx with a Retry-After in
 * seconds, as client-go has it.
 */
export function retryAfterMs(response: {
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
}): number | undefined {
  if (response.statusCode !== 429 && response.statusCode < 500) return undefined;
  const header = response.headers['retry-after'];
  const seconds = Number(typeof header === 'string' ? header : Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, MAX_WAIT_MS) : undefined;
}

/** Waits a time that the server named, and up to a fifth more, so that many waiting requests do not come back at once. */
export async function waitRetry(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms * (1 + Math.random() / 5), signal);
  } catch (error) {
    throw signal?.aborted ? interruption(signal, 'wait until the API server takes requests again') : error;
  }
}
