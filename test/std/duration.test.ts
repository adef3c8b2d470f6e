import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {formatDuration, parseDuration} from '../../src/std/duration.ts';

describe('durations', () => {
  it.each([
    ['45m', 2_700_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['1.5s', 1500],
    ['30d', 2_592_000_000],
    ['0s', 0],
  ])('%s is %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '45', 'm', '45 m', '-5m', '5mm', '5x', '1h 30m'])('"%s" is no duration', text =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  it('what is written for people can be read back, to the precision shown', () => {
    fc.assert(
      fc.property(fc.integer({min: 0, max: 10 * 86_400_000}), ms => {
        const read = parseDuration(formatDuration(ms));
        expect(read).toBeDefined();
        expect(Math.abs((read ?? 0) - ms)).toBeLessThanOrEqual(Math.max(50, ms * 0.05));
      }),
    );
  });
});
