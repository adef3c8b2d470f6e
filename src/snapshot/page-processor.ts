import {judgeHealth} from '../cluster/health.ts';
import {apiVersionOf, type KubeObject, type ResourceType} from '../cluster/object.ts';
import {DigestSet} from '../repository/digest.ts';
import {ObjectPacker, type PackerKeys, type SealedFrame} from '../repository/object-packer.ts';
import {noObjects, type PackedObjects} from '../repository/object-set-writer.ts';
import {storedObjectSchema} from '../repository/stored-object.ts';
import type {Health} from '../repository/tree.ts';
import {ByteSearch} from '../std/byte-search.ts';
import {ByteSink} from '../std/byte-sink.ts';
import {isJsonObject, numberAt} from '../std/json-at.ts';
import {JsonReader, MalformedJson} from '../std/json-reader.ts';
import {
  BEING_DELETED,
  EXCLUDED_NAMES,
  EXCLUSION_MARKS,
  groupKind,
  isJudged,
  reasonToExclude,
} from './exclude.ts';
import {Item, NULL_CREATION} from './item.ts';
import {CLASS_FIELD, ReferenceCollector, type References, refersAlways, refersNever} from './referenced.ts';
import {compileSelect, type Selection, type SnapshotSelect} from './select.ts';

export interface ProcessorOptions {
  select: SnapshotSelect;
  keys: PackerKeys;
  /** Digests that need not be packed. */
  known: SharedArrayBuffer | undefined;
}

/** What became of a page. */
export interface ProcessedPage {
  objects: PackedObjects;
  /** How many objects were left out, by reason. */
  excluded: Record<string, number>;
  frames: SealedFrame[];
}

const ITEMS = Buffer.from('"items"');

/**
 * Does with a page of a list all that needs the processor: chooses, judges, brings into the form that is kept, compares,
 * packs, compresses, encrypts. Knows no thread; several may each run one.
 */
export class PageProcessor {
  private readonly selection: Selection;
  private readonly packer: ObjectPacker;
  private readonly references = new ReferenceCollector();
  private readonly item = new Item();
  private readonly selected = new Map<string, boolean>();

  constructor({select, keys, known}: ProcessorOptions) {
    this.selection = compileSelect(select);
    this.packer = new ObjectPacker(keys, known && new DigestSet(known));
  }

  /** @throws MalformedJson when the page is not a list of objects */
  process(type: ResourceType, bytes: Uint8Array): ProcessedPage {
    const page: ProcessedPage = {objects: noObjects(), excluded: {}, frames: []};
    const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const kind = new KindForm(type, input, this.selection.names(type));
    eachItem(input, reader => this.processItem(kind, reader, page));
    page.frames = this.packer.take();
    return page;
  }

  /** Ends it: the frames that are left, and what cluster-scoped objects are needed. */
  flush(): {frames: SealedFrame[]; references: References} {
    return {frames: this.packer.flush(), references: this.references.state()};
  }

  private processItem(kind: KindForm, reader: JsonReader, page: ProcessedPage): void {
    const {item, packer} = this;
    const start = reader.at;
    item.read(reader, kind.page);
    if (!this.isSelected(item.namespace) || !kind.isNamed(item.name)) return;
    const refers = kind.mayRefer(start, reader.at);
    const judged = kind.mayBeExcluded(item.name, start, reader.at);
    // Most objects need no closer look, and making what rules look at costs as much as all the rest.
    const object = refers || judged || this.selection.byLabels ? item.view(kind) : undefined;
    if (object && !this.selection.labels(object)) return;
    const reason =
      (object && judged ? reasonToExclude(object) : undefined) ??
      (item.isBeingDeleted ? BEING_DELETED : undefined);
    if (reason !== undefined) {
      countExcluded(page.excluded, kind.groupKind, reason);
      return;
    }
    if (object && refers) this.references.note(object, kind.type);
    item.write(packer.begin(), kind);
    packer.end();
    const {objects} = page;
    objects.names.push(item.name);
    objects.namespaces.push(item.namespace);
    objects.digests.push(packer.digest.high, packer.digest.low);
    objects.frames.push(packer.frame);
    objects.offsets.push(packer.offset);
    objects.lengths.push(packer.length);
    objects.health.push(item.hasStatus ? healthOf(item.healthView(kind)) : undefined);
  }

  private isSelected(namespace: string): boolean {
    if (namespace === '') return true;
    let selected = this.selected.get(namespace);
    if (selected === undefined) {
      selected = this.selection.namespace(namespace);
      this.selected.set(namespace, selected);
    }
    return selected;
  }
}

/** Calls with a reader at each item of a list, which it has to pass. */
function eachItem(input: Buffer, take: (reader: JsonReader) => void): void {
  const reader = new JsonReader(input);
  let isList = false;
  reader.object();
  while (reader.member()) {
    if (!reader.isKey(ITEMS)) {
      reader.skip();
      continue;
    }
    isList = true;
    if (reader.array()) while (reader.item()) take(reader);
  }
  reader.end();
  // What is no list must not be taken for an empty one.
  if (!isList) throw new MalformedJson('the answer is not a list');
}

/** An object as the server sent it, and the bytes in which it is kept. */
export interface KeptObject {
  object: KubeObject;
  kept: Buffer;
}

/**
 * The objects of a page, all of them, for who has to look at each before it can be said which are needed.
 * @throws MalformedJson when the page is not a list of objects
 */
export function keepItems(type: ResourceType, bytes: Uint8Array): KeptObject[] {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const kind = new KindForm(type, input, () => true);
  const item = new Item();
  const sink = new ByteSink(16 * 1024);
  const found: KeptObject[] = [];
  eachItem(input, reader => {
    const start = reader.at;
    item.read(reader, input);
    sink.length = 0;
    item.write(sink, kind);
    const parsed: unknown = JSON.parse(input.toString('utf8', start, reader.at));
    const object = storedObjectSchema.parse({
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      ...(isJsonObject(parsed) ? parsed : {}),
    });
    found.push({object, kept: Buffer.from(sink.view(0, sink.length))});
  });
  return found;
}

/** Whether a kind has templates, into which old Go types write `creationTimestamp: null`. */
const hasTemplates = ({group, kind}: ResourceType) =>
  group === 'apps' || group === 'batch' || kind === 'PodTemplate' || kind === 'ReplicationController';

/** What items of a list lack, since the list says it once. */
class KindForm {
  readonly type: ResourceType;
  readonly groupKind: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly head: {apiVersion: Buffer; kind: Buffer};
  readonly nulls: ByteSearch | undefined;
  private readonly marks: ByteSearch | undefined;
  private readonly isJudged: boolean;
  private readonly excludedName: string | undefined;
  private readonly refersAlways: boolean;
  readonly page: Buffer;
  /** Whether the name is among those that are wanted. */
  readonly isNamed: (name: string) => boolean;
  private readonly classes: ByteSearch | undefined;

  constructor(type: ResourceType, page: Buffer, isNamed: (name: string) => boolean) {
    this.type = type;
    this.isNamed = isNamed;
    this.page = page;
    this.refersAlways = refersAlways(type);
    this.classes = refersNever(type) ? undefined : new ByteSearch(page, CLASS_FIELD);
    this.groupKind = groupKind(type);
    this.apiVersion = apiVersionOf(type);
    this.kind = type.kind;
    this.head = {
      apiVersion: Buffer.from(`"apiVersion":${JSON.stringify(this.apiVersion)},`),
      kind: Buffer.from(`"kind":${JSON.stringify(type.kind)},`),
    };
    this.nulls = hasTemplates(type) ? new ByteSearch(page, NULL_CREATION) : undefined;
    this.isJudged = isJudged(this.groupKind);
    this.excludedName = EXCLUDED_NAMES[this.groupKind];
    const mark = EXCLUSION_MARKS[this.groupKind];
    this.marks = mark && new ByteSearch(page, mark);
  }

  /** Whether something else may make the object in this range again. Ranges are asked for in their order. */
  mayBeExcluded(name: string, start: number, end: number): boolean {
    if (!this.isJudged) return false;
    if (this.excludedName !== undefined) return name === this.excludedName;
    return !this.marks || this.marks.in(start, end) >= 0;
  }

  /** Whether the object in this range can need something else. Ranges are asked for in their order. */
  mayRefer(start: number, end: number): boolean {
    if (this.refersAlways) return true;
    return this.classes !== undefined && this.classes.in(start, end) >= 0;
  }
}

/** Counts an object that was left out; owners are many, so they are not told apart. */
export function countExcluded(excluded: Record<string, number>, kind: string, reason: string): void {
  const key = `${kind}: ${reason.startsWith('made by') ? 'made by its owner' : reason}`;
  excluded[key] = (excluded[key] ?? 0) + 1;
}

/** The baseline that a recovery is judged against; kinds without status have none. */
export function healthOf(object: KubeObject): Health | undefined {
  if (object.status === undefined) return undefined;
  const {state} = judgeHealth(object, {});
  const replicas = numberAt(object, 'spec', 'replicas');
  return replicas === undefined ? {state} : {state, replicas};
}
