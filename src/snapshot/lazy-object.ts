import {isAt, JsonReader, parseRange, stringOf} from '../std/json-reader.ts';

const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;
/** Objects up to this length are parsed whole, which is then faster than to look for single fields. */
const SMALL = 512;

/**
 * An object of JSON in bytes that parses what is asked for, when it is asked for: rules look at few fields of many
 * objects. For its readers it is a plain object; it cannot be changed.
 */
export function lazyObject(input: Buffer, start: number): Record<string, unknown> {
  return new Proxy({}, new LazyHandler(input, start, NOTHING, undefined));
}

/**
 * As `lazyObject`, of an object whose members were found already.
 * @param ranges start and end of each key with its quotes, and of its value
 * @param extra fields that the bytes do not have
 */
export function lazyMembers(
  input: Buffer,
  ranges: readonly number[],
  extra: Readonly<Record<string, unknown>> = NOTHING,
): Record<string, unknown> {
  return new Proxy({}, new LazyHandler(input, 0, extra, ranges));
}

const NOTHING = Object.freeze({});

/** Keys that were asked for, in bytes with their quotes. */
const KEYS = new Map<string, Uint8Array>();
/** Rules name few fields; keys that come from objects are not kept. */
const MAX_KEYS = 500;

class LazyHandler implements ProxyHandler<Record<string, unknown>> {
  private readonly input: Buffer;
  private readonly start: number;
  private readonly extra: Readonly<Record<string, unknown>>;
  private known: Map<string, unknown> | undefined;
  /** Start and end of each key and of its value. */
  private ranges: readonly number[] | undefined;

  constructor(
    input: Buffer,
    start: number,
    extra: Readonly<Record<string, unknown>>,
    ranges: readonly number[] | undefined,
  ) {
    this.input = input;
    this.start = start;
    this.extra = extra;
    this.ranges = ranges;
  }

  get(_target: object, key: string | symbol): unknown {
    if (typeof key === 'symbol') return undefined;
    if (Object.hasOwn(this.extra, key)) return this.extra[key];
    if (this.known?.has(key)) return this.known.get(key);
    const index = this.find(key);
    if (index < 0) return undefined;
    const value = this.read(index);
    // Numbers and strings are parsed faster than they are looked up.
    if (typeof value === 'object' && value !== null) {
      this.known ??= new Map();
      this.known.set(key, value);
    }
    return value;
  }

  has(_target: object, key: string | symbol): boolean {
    return typeof key === 'string' && (Object.hasOwn(this.extra, key) || this.find(key) >= 0);
  }

  ownKeys(): string[] {
    const ranges = this.members();
    const keys = new Set(Object.keys(this.extra));
    for (let i = 0; i < ranges.length; i += 4)
      keys.add(stringOf(this.input, ranges[i] ?? 0, ranges[i + 1] ?? 0));
    return [...keys];
  }

  getOwnPropertyDescriptor(target: object, key: string | symbol): PropertyDescriptor | undefined {
    if (!this.has(target, key)) return undefined;
    return {configurable: true, enumerable: true, writable: false, value: this.get(target, key)};
  }

  set(): boolean {
    return false;
  }

  private read(index: number): unknown {
    const {input} = this;
    const [start = 0, end = 0] = [this.members()[index + 2], this.members()[index + 3]];
    if (input[start] === OPEN_BRACE && end - start > SMALL) return lazyObject(input, start);
    return input[start] === QUOTE ? stringOf(input, start, end) : parseRange(input, start, end);
  }

  private find(key: string): number {
    let quoted = KEYS.get(key);
    if (!quoted) {
      quoted = Buffer.from(JSON.stringify(key));
      if (KEYS.size < MAX_KEYS) KEYS.set(key, quoted);
    }
    const ranges = this.members();
    for (let i = 0; i < ranges.length; i += 4) {
      const [start = 0, end = 0] = [ranges[i], ranges[i + 1]];
      if (end - start === quoted.length && isAt(quoted, this.input, start)) return i;
    }
    return this.findEscaped(key, ranges);
  }

  /** Go writes some characters as escapes, so a key may have other bytes than the one that is asked for. */
  private findEscaped(key: string, ranges: readonly number[]): number {
    if (!/[^\w./-]/.test(key)) return -1;
    for (let i = 0; i < ranges.length; i += 4)
      if (stringOf(this.input, ranges[i] ?? 0, ranges[i + 1] ?? 0) === key) return i;
    return -1;
  }

  private members(): readonly number[] {
    if (this.ranges) return this.ranges;
    const ranges: number[] = [];
    const reader = new JsonReader(this.input, this.start);
    reader.object();
    while (reader.member()) {
      const {keyStart, keyEnd, at} = reader;
      reader.skip();
      ranges.push(keyStart, keyEnd, at, reader.at);
    }
    this.ranges = ranges;
    return ranges;
  }
}
