import fc from 'fast-check';
import {expect, test} from 'vitest';
import {parseExactJson, roundedNumber} from '../../src/std/exact-json.ts';

test('every integer is written as it was read, whatever its size', () => {
  fc.assert(
    fc.property(fc.bigInt({min: -(10n ** 30n), max: 10n ** 30n}), fc.jsonValue(), (number, other) => {
      const text = `{"n":${number},"list":[${number}],"other":${JSON.stringify(other)}}`;
      const again = JSON.stringify(parseExactJson(text));
      expect(JSON.parse(again)).toEqual(JSON.parse(text));
      expect(again).toContain(`"n":${number},"list":[${number}]`);
    }),
  );
});

test('what JavaScript holds stays a number, and digits in a text stay text', () => {
  const parsed = parseExactJson(
    '{"a":9007199254740991,"b":"12345678901234567890","c":1.5,"d":12345678901234567890}',
  );
  expect(parsed).toMatchObject({a: 9007199254740991, b: '12345678901234567890', c: 1.5});
  const large = Object.entries(Object(parsed)).find(([key]) => key === 'd')?.[1];
  expect(typeof large).toBe('object');
  expect(roundedNumber(large)).toBe(12345678901234567000);
  expect(roundedNumber(7)).toBeUndefined();
});
