import {formatBytes} from '../std/bytes.ts';
import {formatDuration} from '../std/duration.ts';

/** How far the data of one volume is. */
export interface VolumeProgress {
  volume: string;
  doneBytes: number;
  totalBytes: number;
  /** Of the last seconds. */
  bytesPerSecond: number;
  /** Until this one is done, at this rate; undefined until there is a rate. */
  leftMs: number | undefined;
  /** All volumes that have begun, this one among them. */
  all: {doneBytes: number; totalBytes: number; bytesPerSecond: number; volumes: number};
}

interface Sample {
  atMs: number;
  bytes: number;
}

const WINDOW_MS = 10_000;

/** Turns byte counts of several volumes at once into rates and times left. */
export class VolumeMeter {
  readonly #now: () => number;
  readonly #volumes = new Map<string, {doneBytes: number; totalBytes: number; samples: Sample[]}>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  note(volume: string, {doneBytes, totalBytes}: {doneBytes: number; totalBytes: number}): VolumeProgress {
    const atMs = this.#now();
    const known = this.#volumes.get(volume) ?? {doneBytes: 0, totalBytes: 0, samples: [{atMs, bytes: 0}]};
    known.doneBytes = doneBytes;
    known.totalBytes = Math.max(totalBytes, doneBytes);
    known.samples.push({atMs, bytes: doneBytes});
    while (known.samples.length > 2 && atMs - (known.samples[0]?.atMs ?? atMs) > WINDOW_MS)
      known.samples.shift();
    this.#volumes.set(volume, known);
    const bytesPerSecond = rateOf(known.samples);
    const left = known.totalBytes - doneBytes;
    const all = [...this.#volumes.values()];
    return {
      volume,
      doneBytes,
      totalBytes: known.totalBytes,
      bytesPerSecond,
      leftMs: bytesPerSecond > 0 ? Math.round((left / bytesPerSecond) * 1000) : undefined,
      all: {
        doneBytes: sum(all.map(one => one.doneBytes)),
        totalBytes: sum(all.map(one => one.totalBytes)),
        bytesPerSecond: sum(
          all.filter(one => one.doneBytes < one.totalBytes).map(one => rateOf(one.samples)),
        ),
        volumes: all.length,
      },
    };
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function rateOf(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs <= first.atMs) return 0;
  return Math.max(0, ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000);
}

/** `shop data: 1.2 GiB of 4.0 GiB, 80.0 MiB/s, 36s left; 3 volumes: 2.0 GiB of 9.0 GiB, 160.0 MiB/s`. */
export function progressText({
  volume,
  doneBytes,
  totalBytes,
  bytesPerSecond,
  leftMs,
  all,
}: VolumeProgress): string {
  const rate = (value: number) => `${formatBytes(Math.round(value))}/s`;
  const of = (done: number, total: number) => `${formatBytes(done)} of ${formatBytes(total)}`;
  const left = leftMs === undefined || doneBytes >= totalBytes ? '' : `, ${formatDuration(leftMs)} left`;
  const one = `${volume}: ${of(doneBytes, totalBytes)}, ${rate(bytesPerSecond)}${left}`;
  if (all.volumes < 2) return one;
  return `${one}; ${all.volumes} volumes: ${of(all.doneBytes, all.totalBytes)}, ${rate(all.bytesPerSecond)}`;
}
