const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;
const NINE = 0x39;

const NULL = Buffer.from('null');
const LITERALS = ['true', 'false', 'null'].map(text => Buffer.from(text));

/** Brackets that are open in `skip`, which never waits and so can share it. */
const opened = new Uint8Array(2000);

/** Walks over JSON in bytes without making values of it. Input comes from a server: what is no JSON is an error. */
export class JsonReader {
  readonly input: Buffer;
  at = 0;
  /** Where the key of the last member lies, with its quotes. */
  keyStart = 0;
  keyEnd = 0;
  /** Whether an object or list was entered and nothing of it was asked for. */
  private first = false;

  constructor(input: Buffer, at = 0) {
    this.input = input;
    this.at = at;
  }

  /** Goes past white space to the next byte, and gives it. */
  byte(): number | undefined {
    let byte = this.input[this.at];
    while (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      this.at += 1;
      byte = this.input[this.at];
    }
    return byte;
  }

  /** Enters the object at the position; its members are asked for next. */
  object(): void {
    if (this.byte() !== OPEN_BRACE) throw malformed(this.at);
    this.at += 1;
    this.first = true;
  }

  /** Enters the list at the position, whose items are asked for next; or passes null, and is false. */
  array(): boolean {
    if (this.byte() === OPEN_BRACKET) {
      this.at += 1;
      this.first = true;
      return true;
    }
    if (!isAt(NULL, this.input, this.at)) throw malformed(this.at);
    this.skip();
    return false;
  }

  /** Makes sure that nothing follows. */
  end(): void {
    if (this.byte() !== undefined) throw malformed(this.at);
  }

  /** Goes on in an object that was entered, to the value of its next member; false at its end, which is then passed. */
  member(): boolean {
    if (!this.next(CLOSE_BRACE)) return false;
    this.keyStart = this.at;
    this.at = endOfString(this.input, this.at);
    this.keyEnd = this.at;
    if (this.byte() !== COLON) throw malformed(this.at);
    this.at += 1;
    this.byte();
    return true;
  }

  /** Whether the last member has this key, given with its quotes. */
  isKey(key: Uint8Array): boolean {
    return this.keyEnd - this.keyStart === key.length && isAt(key, this.input, this.keyStart);
  }

  /** Goes on in a list that was entered, to its next item; false at its end, which is then passed. */
  item(): boolean {
    return this.next(CLOSE_BRACKET);
  }

  private next(close: number): boolean {
    const byte = this.byte();
    const {first} = this;
    this.first = false;
    if (byte === close) {
      this.at += 1;
      return false;
    }
    if (first) return true;
    if (byte !== COMMA) throw malformed(this.at);
    this.at += 1;
    if (this.byte() === close) throw malformed(this.at);
    return true;
  }

  /** Goes past the value at the position. Brackets are matched; commas and colons are left to whoever parses the value. */
  skip(): void {
    const {input} = this;
    const first = this.byte();
    if (first === QUOTE) {
      this.at = endOfString(input, this.at);
      return;
    }
    if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
      this.at = endOfScalar(input, this.at);
      return;
    }
    let depth = 0;
    let at = this.at;
    for (;;) {
      const byte = input[at];
      if (byte === undefined) throw malformed(at);
      if (byte === QUOTE) {
        at = endOfString(input, at);
        continue;
      }
      at += 1;
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (depth === opened.length) throw malformed(at);
        opened[depth] = byte;
        depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth -= 1;
        // What closes comes two behind what opens, for both kinds.
        if (opened[depth] !== byte - 2) throw malformed(at);
        if (depth === 0) break;
      }
    }
    this.at = at;
  }
}

/** Parses a range of JSON. */
export function parseRange(input: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(textOf(input, start, end));
  } catch {
    throw malformed(start);
  }
}

/** The string that a range with its quotes holds. */
export function stringOf(input: Buffer, start: number, end: number): string {
  for (let at = start + 1; at < end - 1; at += 1) {
    const byte = input[at];
    if (byte === undefined || byte === BACKSLASH || byte >= 0x80)
      return String(parseRange(input, start, end));
  }
  return input.toString('latin1', start + 1, end - 1);
}

function textOf(input: Buffer, start: number, end: number): string {
  return input.toString('utf8', start, end);
}

/** Strings longer than this are searched by the runtime, which is faster but costs a call. */
const LONG_STRING = 64;

/** The position behind the string that begins here. */
export function endOfString(input: Buffer, start: number): number {
  if (input[start] !== QUOTE) throw malformed(start);
  const short = start + LONG_STRING;
  for (let at = start + 1; at < short; at += 1) {
    const byte = input[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at += 1;
    else if (byte === undefined || byte < SPACE) throw malformed(at);
  }
  return endOfLongString(input, start);
}

function endOfLongString(input: Buffer, start: number): number {
  for (let at = input.indexOf(QUOTE, start + 1); at >= 0; at = input.indexOf(QUOTE, at + 1)) {
    let slashes = 0;
    while (input[at - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at + 1;
  }
  throw malformed(start);
}

/** The position behind the number or literal that begins here. */
export function endOfScalar(input: Buffer, start: number): number {
  for (const literal of LITERALS) if (isAt(literal, input, start)) return start + literal.length;
  let at = start;
  for (;;) {
    const byte = input[at];
    if (byte === undefined || byte < 0x2b || byte === COMMA || byte > 0x65) break;
    if (byte > NINE && byte !== 0x45 && byte !== 0x65) break;
    at += 1;
  }
  if (at === start) throw malformed(at);
  return at;
}

/** Whether the input has these bytes at the position. */
export function isAt(bytes: Uint8Array, input: Buffer, start: number): boolean {
  for (let i = 0; i < bytes.length; i += 1) if (input[start + i] !== bytes[i]) return false;
  return true;
}

/** The bytes are no JSON, or not what they should be. */
export class MalformedJson extends Error {
  override readonly name = 'MalformedJson';
}

export const malformed = (at: number) => new MalformedJson(`no valid JSON at byte ${at}`);
