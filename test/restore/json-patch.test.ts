import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {JsonPatchOperation} from '../../src/restore/policy.ts';
import {applyJsonPatch} from '../../src/restore/transform/json-patch.ts';
import type {Json} from '../../src/std/json.ts';

/** Examples of RFC 6902, appendix A, by their number there. */
const EXAMPLES: [string, Json, JsonPatchOperation[], Json][] = [
  ['A.1', {foo: 'bar'}, [{op: 'add', path: '/baz', value: 'qux'}], {baz: 'qux', foo: 'bar'}],
  ['A.2', {foo: ['bar', 'baz']}, [{op: 'add', path: '/foo/1', value: 'qux'}], {foo: ['bar', 'qux', 'baz']}],
  ['A.3', {baz: 'qux', foo: 'bar'}, [{op: 'remove', path: '/baz'}], {foo: 'bar'}],
  ['A.4', {foo: ['bar', 'qux', 'baz']}, [{op: 'remove', path: '/foo/1'}], {foo: ['bar', 'baz']}],
  ['A.5', {baz: 'qux', foo: 'bar'}, [{op: 'replace', path: '/baz', value: 'boo'}], {baz: 'boo', foo: 'bar'}],
  [
    'A.6',
    {foo: {bar: 'baz', waldo: 'fred'}, qux: {corge: 'grault'}},
    [{op: 'move', from: '/foo/waldo', path: '/qux/thud'}],
    {foo: {bar: 'baz'}, qux: {corge: 'grault', thud: 'fred'}},
  ],
  [
    'A.7',
    {foo: ['all', 'grass', 'cows', 'eat']},
    [{op: 'move', from: '/foo/1', path: '/foo/3'}],
    {foo: ['all', 'cows', 'eat', 'grass']},
  ],
  [
    'A.8',
    {baz: 'qux', foo: ['a', 2, 'c']},
    [
      {op: 'test', path: '/baz', value: 'qux'},
      {op: 'test', path: '/foo/1', value: 2},
    ],
    {baz: 'qux', foo: ['a', 2, 'c']},
  ],
  [
    'A.10',
    {foo: 'bar'},
    [{op: 'add', path: '/child', value: {grandchild: {}}}],
    {foo: 'bar', child: {grandchild: {}}},
  ],
  ['A.14', {'/': 9, '~1': 10}, [{op: 'test', path: '/~01', value: 10}], {'/': 9, '~1': 10}],
  [
    'A.16',
    {foo: ['bar']},
    [{op: 'add', path: '/foo/-', value: ['abc', 'def']}],
    {foo: ['bar', ['abc', 'def']]},
  ],
  ['copy', {a: {b: 1}}, [{op: 'copy', from: '/a', path: '/c'}], {a: {b: 1}, c: {b: 1}}],
  ['replace in an array', {a: [1, 2, 3]}, [{op: 'replace', path: '/a/1', value: 9}], {a: [1, 9, 3]}],
  ['add to the whole', {a: 1}, [{op: 'add', path: '', value: {b: 2}}], {b: 2}],
];

const REFUSED: [string, Json, JsonPatchOperation][] = [
  ['A.9 failed test', {baz: 'qux'}, {op: 'test', path: '/baz', value: 'bar'}],
  ['A.12 no parent', {foo: 'bar'}, {op: 'add', path: '/baz/bat', value: 'qux'}],
  ['A.15 string is not number', {'~1': 10}, {op: 'test', path: '/~01', value: '10'}],
  ['remove of nothing', {}, {op: 'remove', path: '/a'}],
  ['replace of nothing', {}, {op: 'replace', path: '/a', value: 1}],
  ['index beyond the end', {a: [1]}, {op: 'add', path: '/a/2', value: 1}],
  ['index with a leading zero', {a: [1, 2]}, {op: 'remove', path: '/a/01'}],
  ['no value', {a: 1}, {op: 'add', path: '/b'}],
  ['no from', {a: 1}, {op: 'move', path: '/b'}],
  ['move into itself', {a: {b: {}}}, {op: 'move', from: '/a', path: '/a/b'}],
  ['path without a slash', {a: 1}, {op: 'remove', path: 'a'}],
  ['inherited member', {}, {op: 'test', path: '/constructor', value: {}}],
];

describe('applyJsonPatch', () => {
  test.each(EXAMPLES)('does %s', (_, document, patch, expected) => {
    const before = structuredClone(document);
    expect(applyJsonPatch(document, patch)).toEqual(expected);
    expect(document).toEqual(before);
  });

  test.each(REFUSED)('refuses %s', (_, document, operation) => {
    expect(() => applyJsonPatch(document, [operation])).toThrow(`${operation.op} ${operation.path}`);
  });

  test('does not touch prototypes', () => {
    applyJsonPatch({}, [{op: 'add', path: '/__proto__', value: {polluted: true}}]);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  test('what is added is there, and removing it gives the document back', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.string(),
        fc.jsonValue(),
        (rest, key, value) => {
          const document: Json = JSON.parse(JSON.stringify(rest));
          fc.pre(typeof document === 'object' && document !== null && !Object.hasOwn(document, key));
          const json: Json = JSON.parse(JSON.stringify(value));
          const path = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
          const added = applyJsonPatch(document, [
            {op: 'add', path, value: json},
            {op: 'test', path, value: json},
          ]);
          expect(applyJsonPatch(added, [{op: 'remove', path}])).toEqual(document);
        },
      ),
    );
  });
});
