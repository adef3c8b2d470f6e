import {availableParallelism} from 'node:os';
import {Worker} from 'node:worker_threads';
import type {ResourceType} from '../cluster/object.ts';
import {messageOf, PraError} from '../errors.ts';
import type {SealedFrame} from '../repository/object-packer.ts';
import {Packing} from '../repository/object-set-writer.ts';
import {PageProcessor, type ProcessedPage, type ProcessorOptions} from './page-processor.ts';
import type {WorkerAnswer, WorkerRequest} from './page-worker.ts';
import type {References} from './referenced.ts';

/** Until so many bytes came, starting threads costs more than it brings. */
const INLINE_BYTES = 1024 * 1024;
const MAX_THREADS = 8;

export interface PoolPage extends ProcessedPage {
  packing: Packing;
}

export interface PoolRest {
  frames: SealedFrame[];
  packing: Packing;
  references: References;
}

/**
 * On two cores a thread more costs more than it brings: this one receives what the other core, or the network, can give.
 */
const threadsFor = (cores: number) => (cores < 4 ? 0 : Math.min(MAX_THREADS, cores - 2));

interface Thread {
  packing: Packing;
  process(type: ResourceType, bytes: Uint8Array<ArrayBuffer>): Promise<ProcessedPage>;
  flush(): Promise<Omit<PoolRest, 'packing'>>;
  stop(): Promise<void>;
}

/** Processes pages, in this thread for a small cluster and in others for a large one. */
export class PagePool {
  private readonly options: ProcessorOptions;
  private readonly size: number;
  private readonly inline: Thread;
  private readonly workers: Thread[] = [];
  private readonly idle: Thread[] = [];
  private readonly waiting: ((thread: Thread) => void)[] = [];
  private bytes = 0;

  /** @param size threads; with none, pages are processed in this one */
  constructor(options: ProcessorOptions, size = threadsFor(availableParallelism())) {
    this.options = options;
    this.size = size;
    this.inline = inlineThread(options);
  }

  /** Starts a thread, because many pages are to come. */
  prepare(): void {
    if (this.size === 0 || this.workers.length > 0) return;
    const worker = workerThread(this.options);
    this.workers.push(worker);
    this.idle.push(worker);
  }

  /** Waits for a free thread, so that no more pages are in memory than can be worked on. */
  async process(type: ResourceType, bytes: Uint8Array<ArrayBuffer>): Promise<PoolPage> {
    this.bytes += bytes.length;
    if (this.size === 0 || this.bytes <= INLINE_BYTES) return this.run(this.inline, type, bytes);
    const thread = await this.acquire();
    try {
      return await this.run(thread, type, bytes);
    } finally {
      const next = this.waiting.shift();
      if (next) next(thread);
      else this.idle.push(thread);
    }
  }

  /** What the threads have left. */
  async flush(): Promise<PoolRest[]> {
    return Promise.all(
      [this.inline, ...this.workers].map(async thread => ({
        ...(await thread.flush()),
        packing: thread.packing,
      })),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.stop()));
  }

  private async run(thread: Thread, type: ResourceType, bytes: Uint8Array<ArrayBuffer>): Promise<PoolPage> {
    const page = await thread.process(type, bytes).catch((error: unknown) => {
      throw new PraError('CLUSTER_REQUEST_FAILED', `cannot read the list of ${type.plural}`, {
        why: messageOf(error),
        next: ['run it again; if it stays so, look at what kubectl get --raw shows of that list'],
        cause: error,
      });
    });
    return {...page, packing: thread.packing};
  }

  private acquire(): Promise<Thread> {
    const idle = this.idle.pop();
    if (idle) return Promise.resolve(idle);
    if (this.workers.length < this.size) {
      const worker = workerThread(this.options);
      this.workers.push(worker);
      return Promise.resolve(worker);
    }
    return new Promise(resolve => this.waiting.push(resolve));
  }
}

function inlineThread(options: ProcessorOptions): Thread {
  const processor = new PageProcessor(options);
  return {
    packing: new Packing(),
    process: async (type, bytes) => processor.process(type, bytes),
    flush: async () => processor.flush(),
    stop: async () => undefined,
  };
}

/** The sources run as they are, and built; a worker is started from the same kind of file. */
const script = new URL(`./page-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

function workerThread(options: ProcessorOptions): Thread {
  const worker = new Worker(script, {workerData: options});
  let settle: {resolve: (answer: WorkerAnswer) => void; reject: (error: unknown) => void} | undefined;
  worker.on('message', (answer: WorkerAnswer) => settle?.resolve(answer));
  worker.on('error', error => settle?.reject(error));
  worker.on('exit', code => settle?.reject(new Error(`the thread ended with ${code}`)));
  const ask = async (request: WorkerRequest, transfer: ArrayBuffer[]): Promise<WorkerAnswer> => {
    const {promise, resolve, reject} = Promise.withResolvers<WorkerAnswer>();
    settle = {resolve, reject};
    worker.postMessage(request, transfer);
    const answer = await promise;
    if ('failed' in answer) throw new Error(answer.failed);
    return answer;
  };
  return {
    packing: new Packing(),
    async process(type, bytes) {
      const answer = await ask({type, bytes}, [bytes.buffer]);
      if (!('page' in answer)) throw new PraError('BUG', 'a thread answered something else');
      return {...answer.page, frames: answer.page.frames.map(asBuffer)};
    },
    async flush() {
      const answer = await ask('flush', []);
      if (!('flushed' in answer)) throw new PraError('BUG', 'a thread answered something else');
      return {...answer.flushed, frames: answer.flushed.frames.map(asBuffer)};
    },
    async stop() {
      await worker.terminate();
    },
  };
}

/** Buffers arrive as plain arrays of bytes. */
function asBuffer(frame: SealedFrame): SealedFrame {
  const {buffer, byteOffset, length} = frame.sealed;
  return {...frame, sealed: Buffer.from(buffer, byteOffset, length)};
}
