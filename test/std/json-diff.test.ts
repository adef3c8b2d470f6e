import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {canonicalJson} from '../../src/std/json.ts';
import {diffJson, formatPath, type PathStep} from '../../src/std/json-diff.ts';

const at = (value: unknown, path: readonly PathStep[]): unknown =>
  path.reduce<unknown>((found, step) => {
    if (typeof found !== 'object' || found === null) return undefined;
    if (typeof step !== 'object') return Reflect.get(found, step);
    return Array.isArray(found) ? found.find(item => item?.name === step.name) : undefined;
  }, value);

describe('the difference of two values', () => {
  test('is nothing for equal ones, in whatever order their keys are', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        expect(diffJson(value, JSON.parse(canonicalJson(value)))).toEqual([]);
      }),
    );
  });

  test('is something for others, and each field of it has these values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (before, after) => {
        const changes = diffJson(before, after);
        expect(changes.length === 0).toBe(canonicalJson(before) === canonicalJson(after));
        for (const change of changes.filter(({path}) => path.at(-1) !== 'order')) {
          expect(at(before, change.path)).toEqual(change.before);
          expect(at(after, change.path)).toEqual(change.after);
        }
      }),
    );
  });

  test('of lists matches items by name, and tells when only their order changed', () => {
    const container = (name: string, image: string) => ({name, image});
    const before = {containers: [container('web', 'a:1'), container('log', 'b:1')]};
    const after = {containers: [container('log', 'b:1'), container('web', 'a:2')]};
    expect(diffJson(before, after).map(({path, ...rest}) => ({path: formatPath(path), ...rest}))).toEqual([
      {path: 'containers[web].image', before: 'a:1', after: 'a:2'},
      {path: 'containers.order', before: ['web', 'log'], after: ['log', 'web']},
    ]);
  });

  test('tells null from absent', () => {
    expect(diffJson({a: null}, {})).toEqual([{path: ['a'], before: null}]);
  });

  test('has paths that a person can read', () => {
    expect(formatPath(['metadata', 'annotations', 'a.b/c', 0])).toBe('metadata.annotations["a.b/c"][0]');
  });
});
