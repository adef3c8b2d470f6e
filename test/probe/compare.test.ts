import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {compareObserved, isWithin, show} from '../../src/probe/compare.ts';
import type {Json} from '../../src/std/json.ts';
import {type ProbeText, planProbe} from './plan-probe.ts';

const sql = {secretRef: 'shop-db/dsn', query: 'select count(*) from orders'};

const compared = (compare: ProbeText['compare'], observed: Json, baseline?: Json) =>
  compareObserved(
    planProbe({sql, compare}),
    observed,
    new Map(baseline === undefined ? [] : [['asked', baseline]]),
  );

const snapshot = (tolerance?: number | string): ProbeText['compare'] => ({
  baseline: 'snapshot',
  ...(tolerance === undefined ? {} : {tolerance}),
});

describe('a fixed value', () => {
  test('equal passes, and other fails with both values', () => {
    expect(compared({equals: 3}, 3)).toEqual({passed: true, message: '3', expected: 3, observed: 3});
    expect(compared({equals: 'open'}, 'shut')).toEqual({
      passed: false,
      message: 'expected open, saw shut',
      expected: 'open',
      observed: 'shut',
    });
  });

  test('a number of the plan equals a count that PostgreSQL sends as text', () => {
    expect(compared({equals: 5000}, '5000').passed).toBe(true);
    expect(compared({equals: 1438875}, '1438875.00').passed).toBe(true);
    expect(compared({equals: 5000}, '5001').passed).toBe(false);
    expect(compared({equals: [[5000, 1]]}, [['5000', 1]]).passed).toBe(true);
  });

  test('objects are equal by what they hold, and nothing else than null is null', () => {
    expect(compared({equals: {a: 1, b: [2]}}, {b: [2], a: 1}).passed).toBe(true);
    expect(compared({equals: null}, null).passed).toBe(true);
    for (const other of [0, '', false, []]) expect(compared({equals: null}, other).passed).toBe(false);
    expect(compared({equals: true}, 'true').passed).toBe(false);
  });
});

describe('the baseline', () => {
  test('without a tolerance a single row too few fails', () => {
    expect(compared(snapshot(), '5000', '5000')).toMatchObject({
      passed: true,
      message: '5000 as at the snapshot',
    });
    expect(compared(snapshot(), '4999', '5000')).toMatchObject({
      passed: false,
      message: 'expected 5000 as at the snapshot, saw 4999',
    });
  });

  test('without one nothing is compared: an error, and no verdict', () => {
    expect(() => compared(snapshot(), 5)).toThrow('the snapshot has no baseline for probe asked');
  });

  test('null is a baseline too', () => {
    expect(compared(snapshot(), null, null).passed).toBe(true);
    expect(compared(snapshot(), 0, null).passed).toBe(false);
  });

  test('a tolerance is absolute, both ways', () => {
    for (const value of ['98', '102', 100]) expect(compared(snapshot(2), value, '100').passed).toBe(true);
    for (const value of ['97', 103, '102.01']) expect(compared(snapshot(2), value, '100').passed).toBe(false);
  });

  test('a percentage is one of the baseline, not of what is seen', () => {
    for (const value of [90, '110']) expect(compared(snapshot('10%'), value, '100').passed).toBe(true);
    for (const value of [89, 111]) expect(compared(snapshot('10%'), value, '100').passed).toBe(false);
    expect(compared(snapshot('10%'), 1, 0).passed).toBe(false);
    expect(compared(snapshot('10%'), -91, -100).passed).toBe(true);
  });

  test('a tolerance does not reach what is no number', () => {
    expect(compared(snapshot('100%'), 'abc', 'abd').passed).toBe(false);
    expect(compared(snapshot(1), '2026-11-24', '2026-11-23').passed).toBe(false);
    expect(compared(snapshot(1), '007', '7').passed).toBe(false);
    expect(compared(snapshot(5), null, '3').passed).toBe(false);
  });

  test('it reaches every number of a row, and rows must be as many', () => {
    const baseline = [['5000', '1438875.00', 'EUR']];
    expect(compared(snapshot('1%'), [['4990', '1438000.00', 'EUR']], baseline).passed).toBe(true);
    expect(compared(snapshot('1%'), [['4990', '1338000.00', 'EUR']], baseline).passed).toBe(false);
    expect(compared(snapshot('1%'), [['5000', '1438875.00', 'USD']], baseline).passed).toBe(false);
    expect(compared(snapshot('1%'), [...baseline, ...baseline], baseline).passed).toBe(false);
    expect(compared(snapshot('1%'), [], baseline).passed).toBe(false);
  });
});

describe('exactness', () => {
  test('counts that no JavaScript number can tell apart are told apart', () => {
    expect(isWithin('9007199254740993', '9007199254740992', 0)).toBe(false);
    expect(isWithin('12345678901234567890.01', '12345678901234567890.02', '0%')).toBe(false);
    expect(isWithin('9007199254740993', '9007199254740993', 0)).toBe(true);
  });

  test('zeros at the end of a decimal make no difference, those of an integer do', () => {
    expect(isWithin('10.50', '10.5', 0)).toBe(true);
    expect(isWithin('100.00', 100, 0)).toBe(true);
    expect(isWithin('-0.00', 0, 0)).toBe(true);
    expect(isWithin('100', '1', 0)).toBe(false);
  });

  test('a tolerance is meant in decimals', () => {
    expect(isWithin(1.1, 1, 0.1)).toBe(true);
    expect(isWithin('0.3', '0.2', 0.1)).toBe(true);
    expect(isWithin(1.1001, 1, 0.1)).toBe(false);
  });

  test('any bigint as text equals itself, and not its neighbours', () => {
    const big = fc.bigInt({min: -(2n ** 80n), max: 2n ** 80n});
    fc.assert(
      fc.property(big, fc.integer({min: 1, max: 9}), (value, more) => {
        expect(isWithin(String(value), String(value), 0)).toBe(true);
        expect(isWithin(String(value), String(value + BigInt(more)), 0)).toBe(false);
      }),
    );
  });

  test('any JSON is within any tolerance of itself', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 3, '5%'), (value, tolerance) => {
        const json: Json = JSON.parse(JSON.stringify(value));
        expect(isWithin(json, json, tolerance)).toBe(true);
      }),
    );
  });

  test('within a tolerance is what integers say', () => {
    const small = fc.integer({min: -10_000, max: 10_000});
    fc.assert(
      fc.property(small, small, fc.nat(50), (a, b, tolerance) => {
        expect(isWithin(a, String(b), tolerance)).toBe(Math.abs(a - b) <= tolerance);
      }),
    );
  });
});

describe('how a value is shown', () => {
  test('the rows of a query are shown without brackets', () => {
    const rows: Json = [['5000', '1438875.00', 5000]];
    expect(compared(snapshot(), rows, rows).message).toBe('5000, 1438875.00, 5000 as at the snapshot');
    expect(
      show([
        ['a', 1],
        ['b', null],
      ]),
    ).toBe('a, 1; b, null');
    expect(compared(snapshot(), [], rows).message).toBe(
      'expected 5000, 1438875.00, 5000 as at the snapshot, saw []',
    );
  });

  test('a long one is cut', () => {
    expect(show('x'.repeat(200))).toBe('x'.repeat(200));
    expect(show('x'.repeat(201))).toBe(`${'x'.repeat(197)}...`);
  });

  test('a probe that compares with nothing passes and says what it saw', () => {
    expect(compared(undefined, '5')).toEqual({passed: true, message: 'saw 5', observed: '5'});
  });
});
