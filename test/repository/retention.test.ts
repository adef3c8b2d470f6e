import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {decideRetention, KEEP_TAG, type Retention} from '../../src/repository/retention.ts';

const now = new Date('2026-11-24T03:00:00Z');
const HOUR = 3_600_000;

interface Kept {
  id: string;
  createdAt: string;
  plan?: {name: string; hash: string};
  source: {uid: string; version: string; server: string; context: string};
}

function rootAt(at: Date | string, plan = 'shop', uid = 'u'): Kept {
  const createdAt = new Date(at).toISOString();
  const id = `${createdAt.replaceAll(/[-:]|\.\d+/g, '')}-${plan}${uid}`;
  return {id, createdAt, plan: {name: plan, hash: ''}, source: {uid, version: '', server: '', context: ''}};
}

const kept = (roots: readonly Kept[], rules: Retention, at = now) =>
  decideRetention(roots, rules, {now: at}).flatMap(({root, reasons}) =>
    reasons.length > 0 ? [root.id] : [],
  );
const idsOf = (roots: readonly Kept[]) => roots.map(({id}) => id);

describe('what stays', () => {
  it.each<[string, Retention, string[], string[]]>([
    ['the newest N', {last: 2}, ['2026-11-20', '2026-11-21', '2026-11-22'], ['2026-11-22', '2026-11-21']],
    [
      'the newest of each day, in UTC',
      {daily: 2},
      ['2026-11-21T23:59:59Z', '2026-11-22T00:00:01Z', '2026-11-22T23:59:59Z', '2026-11-23T00:00:00Z'],
      ['2026-11-23T00:00:00Z', '2026-11-22T23:59:59Z'],
    ],
    [
      'the newest of each ISO week, of which one lies in two years',
      {weekly: 5},
      // Monday 28 Dec 2026 to Sunday 3 Jan 2027 is one week.
      ['2026-12-27', '2026-12-28', '2027-01-03', '2027-01-04'],
      ['2027-01-04', '2027-01-03', '2026-12-27'],
    ],
    [
      'months without a snapshot do not count',
      {monthly: 2},
      ['2026-03-01', '2026-07-01', '2026-11-01'],
      ['2026-11-01', '2026-07-01'],
    ],
    [
      'years',
      {yearly: 2},
      ['2024-06-01', '2025-01-01', '2025-12-31', '2026-01-01'],
      ['2026-01-01', '2025-12-31'],
    ],
    [
      'those that are not much older than the newest, however long ago that is',
      {withinMs: 24 * HOUR},
      ['2026-01-01', '2026-01-02', '2026-01-03'],
      ['2026-01-03', '2026-01-02'],
    ],
    ['the newest, whatever the rules', {}, ['2026-11-01', '2026-11-02'], ['2026-11-02']],
  ])('%s', (_what, rules, times, expected) => {
    const late = new Date('2028-01-01');
    expect(
      kept(
        times.map(time => rootAt(time)),
        rules,
        late,
      ),
    ).toEqual(idsOf(expected.map(time => rootAt(time))));
  });

  it('each plan and cluster by itself', () => {
    const roots = [rootAt('2026-11-01', 'a'), rootAt('2026-11-02', 'b'), rootAt('2026-11-03', 'a', 'v')];
    expect(kept(roots, {last: 1})).toHaveLength(3);
  });

  it('what has the tag keep', () => {
    const [old, fresh] = [rootAt('2026-11-01'), rootAt('2026-11-02')];
    const decisions = decideRetention(
      [old, fresh],
      {last: 1},
      {
        now,
        tagsOf: root => (root === old ? [KEEP_TAG] : []),
      },
    );
    expect(decisions.map(({reasons}) => reasons)).toEqual([['newest', 'last'], ['tag keep']]);
  });

  it('is not decided by a clock that is ahead, be it that of this machine or of one that wrote', () => {
    const roots = ['2026-11-22', '2026-11-23', '2026-11-24'].map(time => rootAt(time));
    expect(kept(roots, {withinMs: 48 * HOUR}, new Date('2036-01-01'))).toHaveLength(3);
    const wrong = rootAt('2036-01-01');
    expect(kept([...roots, wrong], {withinMs: 48 * HOUR})).toHaveLength(4);
    expect(kept([...roots, wrong], {})).toEqual(idsOf([wrong, ...roots.slice(2)]));
  });
});

const times = fc.uniqueArray(
  fc.date({min: new Date('2020-01-01'), max: new Date('2026-11-24'), noInvalidDate: true}),
  {minLength: 1, maxLength: 60, selector: time => Math.floor(time.getTime() / 1000)},
);
const few = fc.option(fc.integer({min: 0, max: 8}), {nil: undefined});
const rules = fc.record({
  last: few,
  hourly: few,
  daily: few,
  weekly: few,
  monthly: few,
  yearly: few,
  withinMs: fc.option(fc.integer({min: 0, max: 1000 * 24 * HOUR}), {nil: undefined}),
});

describe('whatever the rules and the times', () => {
  it('the newest stays, every snapshot is decided on once, and doing it twice forgets nothing more', () => {
    fc.assert(
      fc.property(times, rules, (all, retention) => {
        const roots = all.map(time => rootAt(time));
        const decisions = decideRetention(roots, retention, {now});
        expect(idsOf(decisions.map(({root}) => root))).toEqual(idsOf(roots).sort().reverse());
        const staying = kept(roots, retention);
        expect(staying[0]).toBe(idsOf(roots).sort().at(-1));
        const left = roots.filter(({id}) => staying.includes(id));
        expect(kept(left, retention)).toEqual(staying);
      }),
    );
  });

  it('a rule more never forgets more, and no rule keeps more than it says', () => {
    fc.assert(
      fc.property(times, rules, rules, (all, one, other) => {
        const roots = all.map(time => rootAt(time));
        const both: Retention = {...other};
        for (const [name, value] of Object.entries(one))
          if (value !== undefined)
            Object.assign(both, {[name]: Math.max(value, Reflect.get(other, name) ?? 0)});
        expect(kept(roots, both)).toEqual(expect.arrayContaining(kept(roots, one)));
        for (const [name, count] of Object.entries(one))
          if (name !== 'withinMs')
            expect(kept(roots, {[name]: count}).length).toBeLessThanOrEqual(Math.max(1, count ?? 0));
      }),
    );
  });
});
