import type {KubeObject} from '../cluster/object.ts';
import type {ByteSearch} from '../std/byte-search.ts';
import type {ByteSink} from '../std/byte-sink.ts';
import {isJsonObject} from '../std/json-at.ts';
import {isAt, type JsonReader, MalformedJson, malformed, parseRange, stringOf} from '../std/json-reader.ts';
import {lazyMembers, lazyObject} from './lazy-object.ts';

const quoted = (text: string) => Buffer.from(`"${text}"`);
const METADATA = quoted('metadata');
const SPEC = quoted('spec');
const STATUS = quoted('status');
const API_VERSION = quoted('apiVersion');
const KIND = quoted('kind');
const NAME = quoted('name');
const DELETION = quoted('deletionTimestamp');
const NAMESPACE = quoted('namespace');
const METADATA_BEGIN = Buffer.from('"metadata":{');

/** Fields of metadata that the API server writes by itself; the same as in `canonicalObject`. */
const VOLATILE = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
].map(quoted);

const NONE: [number, number] = [-1, -1];

const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * One object of a list, in the bytes of the answer. Reused from item to item, so that millions of them leave nothing to
 * collect.
 */
export class Item {
  name = '';
  /** Empty for objects without one. */
  namespace = '';
  isBeingDeleted = false;
  private input: Buffer = Buffer.alloc(0);
  private start = 0;
  private lastNamespace = {bytes: Buffer.alloc(0), text: ''};
  /** Its own fields, start and end; -1 where the list says it once for all. */
  private apiVersion: [start: number, end: number] = NONE;
  private kind: [start: number, end: number] = NONE;
  private spec: [start: number, end: number] = NONE;
  private status: [start: number, end: number] = NONE;
  /** Start and end of what is kept, in the order of the input; members that follow each other are one range. */
  private readonly top: number[] = [];
  private readonly metadata: number[] = [];
  /** How many ranges of `top` come before metadata. */
  private before = 0;
  /** All members of the object and of its metadata: start and end of the key and of the value. */
  private readonly allTop: number[] = [];
  private readonly allMetadata: number[] = [];

  get hasStatus(): boolean {
    return this.status !== NONE;
  }

  /** Reads the item at the position of the reader in its page, and leaves the reader behind it. */
  read(reader: JsonReader, page: Buffer): void {
    this.input = page;
    this.start = reader.at;
    this.apiVersion = NONE;
    this.kind = NONE;
    this.name = '';
    this.namespace = '';
    this.before = -1;
    this.isBeingDeleted = false;
    this.spec = NONE;
    this.status = NONE;
    this.top.length = 0;
    this.metadata.length = 0;
    this.allTop.length = 0;
    this.allMetadata.length = 0;
    let previous = false;
    reader.object();
    while (reader.member()) {
      const {keyStart, keyEnd, at} = reader;
      if (reader.isKey(METADATA)) {
        if (this.before >= 0) throw malformed(keyStart);
        this.before = this.top.length;
        this.readMetadata(reader);
        this.allTop.push(keyStart, keyEnd, at, reader.at);
        previous = false;
        continue;
      }
      const isStatus = reader.isKey(STATUS);
      const isApiVersion = reader.isKey(API_VERSION);
      const isKind = reader.isKey(KIND);
      const isSpec = reader.isKey(SPEC);
      reader.skip();
      if (isStatus) this.status = [at, reader.at];
      else if (isSpec) this.spec = [at, reader.at];
      this.allTop.push(keyStart, keyEnd, at, reader.at);
      if (isApiVersion) this.apiVersion = [keyStart, reader.at];
      else if (isKind) this.kind = [keyStart, reader.at];
      const kept = !isStatus && !isApiVersion && !isKind;
      if (kept) keep(this.top, previous, keyStart, reader.at);
      previous = kept;
    }
    if (this.name === '') throw new MalformedJson(`the object at byte ${this.start} has no name`);
  }

  private readMetadata(reader: JsonReader): void {
    let previous = false;
    reader.object();
    while (reader.member()) {
      const {keyStart, keyEnd, at} = reader;
      const isName = reader.isKey(NAME);
      const isNamespace = reader.isKey(NAMESPACE);
      const kept = isName || isNamespace || !isVolatile(reader);
      if (!kept && reader.isKey(DELETION)) this.isBeingDeleted = true;
      reader.skip();
      this.allMetadata.push(keyStart, keyEnd, at, reader.at);
      if (isName) this.name = stringOf(reader.input, at, reader.at);
      else if (isNamespace) this.namespace = this.namespaceAt(reader.input, at, reader.at);
      if (kept) keep(this.metadata, previous, keyStart, reader.at);
      previous = kept;
    }
  }

  /** Objects of a namespace come one after another, and then share one string. */
  private namespaceAt(input: Buffer, start: number, end: number): string {
    const {lastNamespace: last} = this;
    if (end - start !== last.bytes.length || !isAt(last.bytes, input, start))
      this.lastNamespace = {
        bytes: Buffer.from(input.subarray(start, end)),
        text: stringOf(input, start, end),
      };
    return this.lastNamespace.text;
  }

  /** Appends the object as it is kept: what the server sent, without status and what it writes into metadata by itself. */
  write(sink: ByteSink, {head, nulls}: ItemForm): void {
    sink.byte(OPEN_BRACE);
    // In front in any case, so that an object has the same bytes from a list, which does not repeat them, and from a watch.
    this.writeOwn(sink, this.apiVersion, head.apiVersion);
    this.writeOwn(sink, this.kind, head.kind);
    this.writeTop(sink, nulls, 0, this.before);
    sink.bytes(METADATA_BEGIN, 0, METADATA_BEGIN.length);
    this.writeRanges(sink, this.metadata, 0, this.metadata.length);
    sink.last(CLOSE_BRACE);
    sink.byte(COMMA);
    this.writeTop(sink, nulls, this.before, this.top.length);
    sink.last(CLOSE_BRACE);
  }

  private writeOwn(sink: ByteSink, [start, end]: [number, number], otherwise: Buffer): void {
    if (start < 0) {
      sink.bytes(otherwise, 0, otherwise.length);
      return;
    }
    sink.bytes(this.input, start, end);
    sink.byte(COMMA);
  }

  private writeTop(sink: ByteSink, nulls: ByteSearch | undefined, from: number, to: number): void {
    if (!nulls) {
      this.writeRanges(sink, this.top, from, to);
      return;
    }
    for (let i = from; i < to; i += 2) {
      writeWithoutNulls(sink, this.input, nulls, this.top[i] ?? 0, this.top[i + 1] ?? 0);
      sink.byte(COMMA);
    }
  }

  private writeRanges(sink: ByteSink, ranges: readonly number[], from: number, to: number): void {
    for (let i = from; i < to; i += 2) {
      sink.bytes(this.input, ranges[i] ?? 0, ranges[i + 1] ?? 0);
      sink.byte(COMMA);
    }
  }

  /** What the health of the object is judged by: its metadata, spec and status. As `view`, but made faster. */
  healthView({apiVersion, kind}: {apiVersion: string; kind: string}): KubeObject {
    const [start, end] = this.status;
    const status = parseRange(this.input, start, end);
    const object = {
      apiVersion,
      kind,
      metadata: lazyMembers(this.input, this.allMetadata),
      spec: this.specView(),
      status,
    };
    if (!isKubeObject(object)) throw malformed(this.start);
    return object;
  }

  /** Custom resources may have anything there. */
  private specView(): unknown {
    const {input, spec} = this;
    if (spec === NONE) return {};
    return input[spec[0]] === OPEN_BRACE ? lazyObject(input, spec[0]) : parseRange(input, ...spec);
  }

  /** The object as the server sent it, status included; parsed where it is looked at, and valid until the next `read`. */
  view({apiVersion, kind}: {apiVersion: string; kind: string}): KubeObject {
    const extra: Record<string, unknown> = {metadata: lazyMembers(this.input, this.allMetadata)};
    if (this.apiVersion === NONE) extra.apiVersion = apiVersion;
    if (this.kind === NONE) extra.kind = kind;
    const object = lazyMembers(this.input, this.allTop, extra);
    if (!isKubeObject(object)) throw malformed(this.start);
    return object;
  }
}

/** Old Go types write it into every embedded template. In a string its quotes would be escaped. */
export const NULL_CREATION = Buffer.from('"creationTimestamp":null');

/** Appends a range without the fields that only say that there is no time. */
function writeWithoutNulls(
  sink: ByteSink,
  input: Buffer,
  nulls: ByteSearch,
  start: number,
  end: number,
): void {
  let from = start;
  for (let at = nulls.in(from, end); at >= 0; at = nulls.in(from, end)) {
    const next = at + NULL_CREATION.length;
    const isFollowed = input[next] === COMMA;
    // The comma behind it, or else that before it, goes too.
    sink.bytes(input, from, !isFollowed && input[at - 1] === COMMA ? at - 1 : at);
    from = isFollowed ? next + 1 : next;
  }
  sink.bytes(input, from, end);
}

/** What the items of a list lack, in bytes with a comma behind. */
export interface ItemForm {
  head: {apiVersion: Buffer; kind: Buffer};
  /** Finds `NULL_CREATION` in the page, for kinds that have templates. */
  nulls: ByteSearch | undefined;
}

/** Adds a range, or makes the last one longer when nothing between was left out. */
function keep(ranges: number[], joined: boolean, start: number, end: number): void {
  if (joined) ranges[ranges.length - 1] = end;
  else ranges.push(start, end);
}

function isVolatile(reader: JsonReader): boolean {
  for (const key of VOLATILE) if (reader.isKey(key)) return true;
  return false;
}

const isKubeObject = (value: Record<string, unknown>): value is KubeObject =>
  typeof value.apiVersion === 'string' && typeof value.kind === 'string' && isJsonObject(value.metadata);
