import fc from 'fast-check';
import {expect, test} from 'vitest';
import {readPath} from '../../src/probe/json-path.ts';

const order = {items: [{id: 7}, {id: 8}], spec: {suspend: true, none: null}, 'a-b': {c: 'd'}};

test('a path reads keys, indices and the length of a list, with or without a dollar or a dot at its start', () => {
  expect(readPath(order, '.spec.suspend')).toBe(true);
  expect(readPath(order, 'items[1].id')).toBe(8);
  expect(readPath(order, '$.items[0].id')).toBe(7);
  expect(readPath(order, 'items.length')).toBe(2);
  expect(readPath(order, 'a-b.c')).toBe('d');
  expect(readPath(order, '.')).toEqual(order);
});

test('what is absent is undefined, and what is null is null', () => {
  expect(readPath(order, 'spec.none')).toBeNull();
  for (const path of ['spec.none.x', 'items[2]', 'items[-1]', 'nothing.at.all', 'a-b.c.length']) {
    expect(readPath(order, path), path).toBeUndefined();
  }
});

test('a path never reaches what the value does not hold itself', () => {
  const hostile = [
    '__proto__',
    'constructor',
    'constructor.name',
    'toString',
    'items.map',
    '__proto__.x',
    'valueOf',
  ];
  for (const path of hostile) expect(readPath(order, path), path).toBeUndefined();
  for (const value of [null, undefined, 5, 'text', true])
    expect(readPath(value, '__proto__')).toBeUndefined();
});

test('a key that is called like a prototype is read as the key that it is', () => {
  expect(readPath(JSON.parse('{"__proto__": {"x": 5}}'), '__proto__.x')).toBe(5);
  expect(readPath({constructor: 'mine'}, 'constructor')).toBe('mine');
});

const key = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/);

test('whatever is put at a path is read there', () => {
  fc.assert(
    fc.property(fc.array(key, {minLength: 1, maxLength: 5}), fc.integer(), (keys, value) => {
      const nested = keys.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value);
      expect(readPath(nested, keys.join('.'))).toBe(value);
      expect(readPath(nested, `.${keys.join('.')}.more`)).toBeUndefined();
    }),
  );
});

test('no path and no value make it throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (value, path) => {
      const found = readPath(value, path);
      fc.pre(!/(^|[^a-z])length/.test(path)); // A length is of the list, and stands nowhere in it.
      expect(found === undefined || JSON.stringify(value).includes(JSON.stringify(found))).toBe(true);
    }),
  );
});
