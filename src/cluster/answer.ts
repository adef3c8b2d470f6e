import type {IncomingHttpHeaders} from 'node:http';
import type {Dispatcher} from 'undici';
import {ByteBuffers} from '../std/byte-buffers.ts';

export interface Answer {
  statusCode: number;
  headers: IncomingHttpHeaders;
  /** Lies in memory that may be given back to the buffers it was taken from. */
  body: Uint8Array<ArrayBuffer>;
}

const MIN_BYTES = 16 * 1024;

/**
 * Sends a request and reads its answer to the end, straight into one buffer. Lists of a large cluster are hundreds of MB:
 * a stream of chunks that are put together at the end costs as much as all that is then done with them.
 * @param buffers where the memory for the answer is taken from
 * @throws what undici does, and the reason of the signal
 */
export function readAnswer(
  transport: Dispatcher,
  request: Dispatcher.DispatchOptions,
  {signal, buffers = NO_BUFFERS}: {signal?: AbortSignal | undefined; buffers?: ByteBuffers | undefined},
): Promise<Answer> {
  const {promise, resolve, reject} = Promise.withResolvers<Answer>();
  let controller: Dispatcher.DispatchController | undefined;
  let statusCode = 0;
  let headers: IncomingHttpHeaders = {};
  let memory: Uint8Array<ArrayBuffer> | undefined;
  let length = 0;
  const abort = () => {
    reject(signal?.reason);
    controller?.abort(signal?.reason);
  };
  const end = () => signal?.removeEventListener('abort', abort);
  if (signal?.aborted) return Promise.reject(signal.reason);
  signal?.addEventListener('abort', abort, {once: true});
  transport.dispatch(request, {
    onRequestStart(started) {
      controller = started;
      if (signal?.aborted) started.abort(signal.reason);
    },
    onResponseStart(_controller, status, received) {
      statusCode = status;
      headers = received;
    },
    onResponseData(_controller, chunk) {
      const needed = length + chunk.length;
      if (!memory || needed > memory.length) {
        const announced = Number(headers['content-length'] ?? 0);
        const larger = buffers.take(Math.max(needed, memory ? 2 * memory.length : announced, MIN_BYTES));
        if (memory) {
          larger.set(memory.subarray(0, length));
          buffers.give(memory);
        }
        memory = larger;
      }
      memory.set(chunk, length);
      length = needed;
    },
    onResponseEnd() {
      end();
      resolve({statusCode, headers, body: (memory ?? new Uint8Array(0)).subarray(0, length)});
    },
    onResponseError(_controller, error) {
      end();
      if (memory) buffers.give(memory);
      memory = undefined;
      reject(error);
    },
  });
  return promise;
}

const NO_BUFFERS = new ByteBuffers(0);
