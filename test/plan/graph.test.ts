import fc from 'fast-check';
import {expect, test} from 'vitest';
import {circleOf, orderGroups} from '../../src/plan/graph.ts';

const group = (name: string, ...dependsOn: string[]) => ({name, dependsOn});

test('groups start in layers, each after all that it depends on, in the order of the plan', () => {
  const groups = [
    group('web', 'api', 'db'),
    group('mail'),
    group('api', 'db'),
    group('db'),
    group('ads', 'mail'),
  ];
  expect(orderGroups(groups)).toEqual([['mail', 'db'], ['api', 'ads'], ['web']]);
  expect(orderGroups([])).toEqual([]);
});

test('a dependency that does not exist is refused with the nearest name', () => {
  expect(() => orderGroups([group('data'), group('app', 'date')])).toThrowError(
    expect.objectContaining({code: 'PLAN_INVALID', next: ['did you mean data?']}),
  );
});

test('a circle is named without what only leads to it', () => {
  const groups = [group('first', 'a'), group('a', 'b'), group('b', 'c'), group('c', 'a'), group('free')];
  expect(circleOf(groups)).toEqual(['a', 'b', 'c', 'a']);
  expect(() => orderGroups(groups)).toThrowError(
    expect.objectContaining({
      code: 'PLAN_CYCLE',
      message: 'groups depend on each other in a circle: a → b → c → a',
    }),
  );
});

test('any graph has either an order that keeps all dependencies or a circle of real ones', () => {
  const names = [...'abcdefg'];
  const graphs = fc.tuple(
    ...names.map(name => fc.subarray(names, {maxLength: 2}).map(needs => group(name, ...needs))),
  );
  fc.assert(
    fc.property(graphs, groups => {
      const circle = circleOf(groups);
      const needs = (name: string) => groups.find(({name: own}) => own === name)?.dependsOn ?? [];
      if (circle) {
        expect(circle.length).toBeGreaterThan(1);
        expect(circle[0]).toBe(circle.at(-1));
        for (const [index, name] of circle.slice(0, -1).entries())
          expect(needs(name)).toContain(circle[index + 1]);
        return;
      }
      const layers = orderGroups(groups);
      const layerOf = (name: string) => layers.findIndex(layer => layer.includes(name));
      expect(layers.flat().toSorted()).toEqual(names);
      for (const {name, dependsOn} of groups)
        for (const needed of dependsOn) expect(layerOf(needed)).toBeLessThan(layerOf(name));
    }),
  );
});
