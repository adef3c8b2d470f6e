import type {Store} from '../repository/store.ts';

/** restic makes it last, so that its repository exists when this does. */
export const CONFIG = 'volumes/config';

/**
 * A signal that aborts with that of the caller, and when nothing moves any more and the store does not answer either, with
 * what is wrong with the store: restic alone would go on trying for a quarter of an hour.
 */
export function watchStall(
  store: Store,
  options: {stallMs: number; signal: AbortSignal; moved: () => number},
): {signal: AbortSignal; stop(): void} {
  const lost = new AbortController();
  const either = AbortSignal.any([options.signal, lost.signal]);
  let seen = options.moved();
  let asking = false;
  const timer = setInterval(async () => {
    const now = options.moved();
    const isMoving = now !== seen;
    seen = now;
    if (isMoving || asking) return;
    asking = true;
    await store.has(CONFIG, {signal: either}).catch((error: unknown) => lost.abort(error));
    asking = false;
  }, options.stallMs);
  timer.unref();
  return {signal: either, stop: () => clearInterval(timer)};
}
