import type {Cluster} from '../cluster/client.ts';
import {type BytesPage, listBytes} from '../cluster/list-bytes.ts';
import type {ResourceType} from '../cluster/object.ts';
import type {ObjectSetWriter} from '../repository/object-set-writer.ts';
import type {ByteBuffers} from '../std/byte-buffers.ts';
import type {SnapshotListener} from './event.ts';
import {groupKind} from './exclude.ts';
import type {PagePool, PoolPage} from './page-pool.ts';

/** Pages of one kind that are worked on while the next one comes. */
const PAGES_AT_ONCE = 2;

const MAX_HELD_BYTES = 8 * 1024 * 1024;

/** What capturing kinds has in common. */
export interface KindCaptureRun {
  cluster: Cluster;
  opened: Promise<{writer: ObjectSetWriter; pool: PagePool}>;
  /** Whether `opened` is. Until then first pages are held, up to some MB. */
  isOpen: boolean;
  heldBytes: number;
  buffers: ByteBuffers;
  /** What was captured until now; counted on. */
  capture: {objects: number; resourceVersions: Record<string, string>; excluded: Record<string, number>};
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

/** Captures the objects of one kind, in each of the scopes. */
export class KindCapture {
  /** About how many bytes are left to list. */
  remaining = 0;
  isDone = false;
  private firstScope: {namespace: string | undefined} | undefined;
  private held: ScopedPage | undefined;
  private readonly run: KindCaptureRun;
  private readonly type: ResourceType;
  private readonly pages: AsyncGenerator<ScopedPage>;
  private pending: Promise<PoolPage>[] = [];
  /** What was taken of a list until now; dropped when the list begins anew. */
  private taken = {objects: 0, excluded: {} as Record<string, number>};
  private objects = 0;

  constructor(run: KindCaptureRun, type: ResourceType, scopes: readonly (string | undefined)[]) {
    this.run = run;
    this.type = type;
    this.pages = pagesOf(run, type, scopes);
  }

  /** Gets the first page. It is taken at once, and with it all when there are no more, unless the writer is not open yet. */
  async begin(): Promise<void> {
    const {run} = this;
    const {value: page, done} = await this.pages.next();
    if (done) return this.finish();
    this.remaining = page.remaining;
    if (!run.isOpen && run.heldBytes + page.bytes.length <= MAX_HELD_BYTES) {
      run.heldBytes += page.bytes.length;
      this.held = page;
      return;
    }
    await this.take(page);
    if (this.remaining === 0) await this.finish();
  }

  async finish(): Promise<void> {
    const {held} = this;
    this.held = undefined;
    if (held) await this.take(held);
    for await (const page of this.pages) await this.take(page);
    await this.endList();
    (await this.run.opened).writer.endKind(this.type);
    this.isDone = true;
    this.run.onEvent?.({type: 'kind', kind: groupKind(this.type), objects: this.objects});
  }

  private async take(page: ScopedPage): Promise<void> {
    const {run, type, pending} = this;
    const {writer, pool} = await run.opened;
    if (page.isFirst && !page.restarted) await this.endList();
    if (page.restarted) {
      // What was packed of the first try stays in its packs; nothing refers to it.
      await this.settle();
      writer.restart(type, page.namespace);
      run.capture.objects -= this.taken.objects;
      this.taken = {objects: 0, excluded: {}};
    }
    // Lists of several namespaces: the first is the oldest, and a watch may begin too early but not too late. Where that
    // one began anew, what it stood at before is what the server has forgotten.
    const kind = groupKind(type);
    this.firstScope ??= {namespace: page.namespace};
    if (page.restarted && page.namespace === this.firstScope.namespace)
      run.capture.resourceVersions[kind] = page.resourceVersion;
    run.capture.resourceVersions[kind] ??= page.resourceVersion;
    this.remaining = page.remaining;
    if (page.remaining > 0) pool.prepare();
    const processing = pool.process(type, page.bytes).finally(() => run.buffers.give(page.bytes));
    processing.catch(() => undefined); // rejects again where it is awaited
    pending.push(processing);
    if (pending.length >= PAGES_AT_ONCE) await this.write(pending.shift() ?? processing);
  }

  private async settle(): Promise<void> {
    for (const processing of this.pending.splice(0)) await this.write(processing);
  }

  private async endList(): Promise<void> {
    await this.settle();
    this.objects += this.taken.objects;
    addCounts(this.run.capture.excluded, this.taken.excluded);
    this.taken = {objects: 0, excluded: {}};
  }

  private async write(processing: Promise<PoolPage>): Promise<void> {
    const {capture, onEvent} = this.run;
    const {writer} = await this.run.opened;
    const {objects, excluded, frames, packing} = await processing;
    writer.add(this.type, objects, packing);
    await writer.addFrames(frames, packing);
    this.taken.objects += objects.names.length;
    addCounts(this.taken.excluded, excluded);
    capture.objects += objects.names.length;
    onEvent?.({type: 'progress', objects: capture.objects});
  }
}

interface ScopedPage extends BytesPage {
  namespace: string | undefined;
  isFirst: boolean;
}

async function* pagesOf(
  {cluster, buffers, signal}: KindCaptureRun,
  type: ResourceType,
  scopes: readonly (string | undefined)[],
): AsyncGenerator<ScopedPage> {
  for (const [i, namespace] of scopes.entries()) {
    const behind = scopes.length - 1 - i;
    let isFirst = true;
    for await (const page of listBytes(cluster, type, {namespace, buffers, signal})) {
      yield {
        ...page,
        remaining: page.remaining + behind * Math.max(1, page.bytes.length),
        namespace,
        isFirst,
      };
      isFirst = false;
    }
  }
}

function addCounts(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(from)) to[key] = (to[key] ?? 0) + count;
}
