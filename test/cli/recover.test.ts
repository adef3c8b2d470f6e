import {expect, test} from 'vitest';
import {parseDeclaredAt} from '../../src/cli/recover.ts';
import {RunLog} from '../../src/drill/context.ts';
import type {Journal} from '../../src/drill/journal.ts';

const NOW = new Date('2026-11-24T03:00:00.000Z');

test.each([
  ['20m', '2026-11-24T02:40:00.000Z'],
  ['2026-11-24T02:12:00Z', '2026-11-24T02:12:00.000Z'],
  ['2026-11-24T03:12:00+01:00', '2026-11-24T02:12:00.000Z'],
])('a disaster was declared at %s', (text, expected) => {
  expect(parseDeclaredAt(text, NOW).toISOString()).toBe(expected);
});

test.each(['yesterday', '2026-11-25T00:00:00Z', ''])('%j is refused', text => {
  expect(() => parseDeclaredAt(text, NOW)).toThrow(/--declared-at/);
});

test('the clock of a recovery runs from the declaration', () => {
  // A clock and a journal that stand still: what is computed is looked at, not what passes.
  const clock = {now: () => NOW, monotonic: () => 5000};
  const journal: Journal = {file: '', append: () => undefined, close: () => undefined};
  const log = new RunLog(clock, journal, () => undefined);
  log.declare(new Date('2026-11-24T02:40:00.000Z'));
  log.mark('T1');
  expect(log.marks).toMatchObject([
    {mark: 'T0', at: '2026-11-24T02:40:00.000Z', elapsedMs: 0},
    {mark: 'T1', at: '2026-11-24T03:00:00.000Z', elapsedMs: 20 * 60_000},
  ]);
  expect(log.declaredMs()).toBe(Date.parse('2026-11-24T02:40:00.000Z'));
});
