import {PraError} from '../errors.ts';
import type {Store} from '../repository/store.ts';
import {sleep} from '../std/wait.ts';
import {CONFIG} from './stall.ts';

/** Whoever has written it makes restic's repository; restic itself passes it over. */
const CLAIM = 'volumes/init';
const PATIENCE_MS = 60_000;
const POLL_MS = 500;

export interface InitOptions {
  store: Store;
  /** Makes the repository. */
  init: () => Promise<unknown>;
  signal: AbortSignal;
  /** How long another one is waited for who makes it; 1 min by default. */
  patienceMs?: number | undefined;
}

/**
 * Makes restic's repository in a store that has none, also when several want to at the same time: restic asks before it writes,
 * and of two that are made at once, the key of one would be left with the settings of the other.
 * @throws what `init` throws; PraError RESTIC_FAILED when somebody else who had begun did not end
 */
export async function initOnce({store, init, signal, patienceMs = PATIENCE_MS}: InitOptions): Promise<void> {
  const mine = new TextEncoder().encode(`${JSON.stringify({at: new Date().toISOString()})}\n`);
  const end = performance.now() + patienceMs;
  for (;;) {
    try {
      await store.put(CLAIM, mine, {ifAbsent: true, signal});
      break;
    } catch (error) {
      if (!(error instanceof PraError) || error.code !== 'STORE_CONFLICT') throw error;
    }
    if (await store.has(CONFIG, {signal})) return;
    if (performance.now() >= end)
      throw new PraError(
        'RESTIC_FAILED',
        'somebody has begun to make the repository of the volumes, and not ended',
        {
          why: `${CLAIM} is in ${store.url}, and ${CONFIG} is not`,
          next: [`when nobody is at it any more: delete ${CLAIM} from ${store.url}, and try again`],
        },
      );
    await sleep(POLL_MS, signal);
  }
  try {
    if (!(await store.has(CONFIG, {signal}))) await init();
  } finally {
    // With a repository it is in nobody's way, and who writes may have no right to delete.
    await store.delete(CLAIM, {signal: AbortSignal.timeout(PATIENCE_MS)}).catch(() => undefined);
  }
}
