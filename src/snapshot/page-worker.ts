import {parentPort, workerData} from 'node:worker_threads';
import type {ResourceType} from '../cluster/object.ts';
import {messageOf} from '../errors.ts';
import {PageProcessor, type ProcessedPage, type ProcessorOptions} from './page-processor.ts';
import type {References} from './referenced.ts';

/** What a worker is asked: to process a page, or to end. */
export type WorkerRequest = {type: ResourceType; bytes: Uint8Array<ArrayBuffer>} | 'flush';

export type WorkerAnswer =
  | {page: ProcessedPage}
  | {flushed: {frames: ProcessedPage['frames']; references: References}}
  | {failed: string};

const options: ProcessorOptions = workerData;
const processor = new PageProcessor(options);

parentPort?.on('message', (request: WorkerRequest) => {
  parentPort?.postMessage(answer(request));
});

function answer(request: WorkerRequest): WorkerAnswer {
  try {
    if (request === 'flush') return {flushed: processor.flush()};
    return {page: processor.process(request.type, request.bytes)};
  } catch (error) {
    return {failed: messageOf(error)};
  }
}
