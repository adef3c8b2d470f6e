import {once} from 'node:events';
import {setTimeout as pause} from 'node:timers/promises';
import {expect, test} from 'vitest';
import {dumpVolume, type Exec} from '../../src/volume/dump.ts';
import type {Restic} from '../../src/volume/restic.ts';
import {dumpRequest as request} from './dump-request.ts';

/** A fake, because real timing shows the race once in ten dumps: it takes the bytes only when it is asked for the next. */
function slowRestic(received: Buffer[]): Pick<Restic, 'backup'> {
  return {
    backup: async stream => {
      for await (const chunk of stream) {
        await pause(2);
        received.push(Buffer.from(chunk));
      }
      return {snapshotId: 'fake', bytes: Buffer.concat(received).length, sha256: ''};
    },
  };
}

/** A fake command: it returns its exit code as soon as its output has taken the last byte, not when somebody read it. */
const quickCommand =
  (chunks: readonly Buffer[]): Exec =>
  async ({stdout}) => {
    if (!stdout) throw new Error('a dump has an output');
    const finished = once(stdout, 'finish');
    for (const chunk of chunks) if (!stdout.write(chunk)) await once(stdout, 'drain');
    stdout.end();
    await finished;
    return {exitCode: 0, stderr: ''};
  };

test('a dump whose command has ended is saved to its last byte, however slowly it is taken', async () => {
  const chunks = Array.from({length: 40}, (_, index) => Buffer.alloc(20_000, index));
  const received: Buffer[] = [];
  const record = await dumpVolume({
    exec: quickCommand(chunks),
    restic: slowRestic(received),
    request,
    tags: [],
    signal: AbortSignal.timeout(10_000),
  });
  expect(Buffer.concat(received).equals(Buffer.concat(chunks))).toBe(true);
  expect(record.bytes).toBe(800_000);
});
