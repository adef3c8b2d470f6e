/** Node has these (TC39 "JSON.parse source text access"); the typings of TypeScript do not yet. */
interface ExactJson {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is {rawJSON: string};
  parse(text: string, reviver: (key: string, value: unknown, context: {source?: string}) => unknown): unknown;
}
// biome-ignore lint/suspicious/noShadowRestrictedNames: the same object, with what its typings lack
declare const JSON: ExactJson & typeof globalThis.JSON;

/** So many digits in a row may be more than a number of JavaScript holds. */
const MANY_DIGITS = /\d{16}/;

/**
 * Parses JSON in which integers may be larger than JavaScript's. Such a number becomes a value of its own that
 * JSON.stringify writes as it was read, digit by digit; everything else is as JSON.parse has it.
 */
export function parseExactJson(text: string): unknown {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, {source}) =>
    typeof value === 'number' &&
    source !== undefined &&
    String(value) !== source &&
    !Number.isSafeInteger(value)
      ? JSON.rawJSON(source)
      : value,
  );
}

/** The number, rounded, that a value of `parseExactJson` stands for; undefined for any other value. */
export const roundedNumber = (value: unknown): number | undefined =>
  JSON.isRawJSON(value) ? Number(value.rawJSON) : undefined;
