import {mkdir, rm, stat} from 'node:fs/promises';
import {PraError} from '../errors.ts';
import {sleep} from '../std/wait.ts';
import {usedSubnets} from './network.ts';

const LOCK = '/run/pra-subnet.lock';
const STALE_MS = 10_000;

/**
 * Finds a free subnet for a link and lets `use` make the link. Two clusters that come up at once must not take the
 * same, so this goes one at a time.
 */
export async function claimSubnet(
  signal: AbortSignal,
  use: (subnet: number) => Promise<void>,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await mkdir(LOCK);
      break;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const held = await stat(LOCK).catch(() => undefined);
      // Whoever holds it for this long was killed: taking a subnet takes milliseconds.
      if (held && Date.now() - held.mtimeMs > STALE_MS) await rm(LOCK, {recursive: true, force: true});
      await sleep(25, signal);
    }
  }
  try {
    const used = await usedSubnets(signal);
    const free = Array.from({length: 250}, (_, index) => index + 1).find(subnet => !used.has(subnet));
    if (free === undefined)
      throw new PraError('LOCAL_CLUSTER_FAILED', 'no free subnet for another local cluster', {
        next: ['pra drill clean'],
      });
    await use(free);
  } finally {
    await rm(LOCK, {recursive: true, force: true});
  }
}
