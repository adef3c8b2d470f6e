import {expect, test} from 'vitest';
import {progressText, VolumeMeter} from '../../src/volume/progress.ts';

const MIB = 1024 ** 2;

test('rates are of the last seconds, and times left follow from them', () => {
  let now = 0;
  const meter = new VolumeMeter(() => now);
  const note = (doneMiB: number, totalMiB = 100, volume = 'data') =>
    meter.note(volume, {doneBytes: doneMiB * MIB, totalBytes: totalMiB * MIB});
  expect(note(0)).toMatchObject({bytesPerSecond: 0, leftMs: undefined});
  now = 1000;
  expect(note(10)).toMatchObject({bytesPerSecond: 10 * MIB, leftMs: 9000});
  // Then it goes ten times slower; what was before the window no longer counts.
  for (let i = 1; i <= 20; i += 1) {
    now += 1000;
    note(10 + i);
  }
  const slow = note(30);
  expect(slow.bytesPerSecond).toBeCloseTo(MIB, -4);
  expect(slow.all).toMatchObject({doneBytes: 30 * MIB, volumes: 1});
  note(0, 50, 'other');
  now += 1000;
  const other = note(5, 50, 'other');
  expect(other.all).toMatchObject({doneBytes: 35 * MIB, totalBytes: 150 * MIB, volumes: 2});
  // One that is done takes no part in the rate of all.
  const done = note(50, 50, 'other');
  expect(done.leftMs).toBe(0);
  expect(done.all.bytesPerSecond).toBeCloseTo(slow.bytesPerSecond, -4);
});

test('more than was foreseen is no less than all', () => {
  const meter = new VolumeMeter(() => 0);
  expect(meter.note('a', {doneBytes: 12, totalBytes: 10})).toMatchObject({totalBytes: 12, doneBytes: 12});
});

test('it reads as a sentence', () => {
  const all = {doneBytes: 30 * MIB, totalBytes: 150 * MIB, bytesPerSecond: 2 * MIB, volumes: 2};
  const one = {
    volume: 'shop data',
    doneBytes: 30 * MIB,
    totalBytes: 100 * MIB,
    bytesPerSecond: MIB,
    leftMs: 70_000,
  };
  expect(progressText({...one, all})).toBe(
    'shop data: 30.0 MiB of 100.0 MiB, 1.0 MiB/s, 1m10s left; 2 volumes: 30.0 MiB of 150.0 MiB, 2.0 MiB/s',
  );
  const done = {...one, doneBytes: one.totalBytes, leftMs: 0};
  expect(progressText({...done, all: {...all, volumes: 1}})).toBe(
    'shop data: 100.0 MiB of 100.0 MiB, 1.0 MiB/s',
  );
});
