import {createServer, type ServerHttp2Stream} from 'node:http2';
import {Duplex, type Readable, type Writable} from 'node:stream';
import type {PraError} from '../errors.ts';
import type {Store} from '../repository/store.ts';
import {answerRestic, bodyOf, type RestAccess, type RestAnswer} from './restic-rest.ts';

/** Uploads are not to wait for a window to open: a pack of restic fits in. */
const STREAM_WINDOW_BYTES = 32 << 20;
const SESSION_WINDOW_BYTES = 128 << 20;

/**
 * Serves restic's repository over one pair of streams, to a restic that has it as `rclone:` repository: that is HTTP/2 on the
 * stdin and stdout of a process that restic starts. With the streams of an exec, restic works beside the data in a pod that
 * has neither credentials nor a way to the store.
 */
export function serveRestic(options: {
  store: Store;
  access: RestAccess;
  /** What restic says. */
  input: Readable;
  /** What restic hears. */
  output: Writable;
  signal?: AbortSignal | undefined;
  onError?: ((error: PraError) => void) | undefined;
  /** The store did what it was asked for. */
  onAnswer?: (() => void) | undefined;
}): {close(): void} {
  const {store, access, signal, onError, onAnswer} = options;
  const server = createServer({
    settings: {initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: 64},
    // Only restic is at the other end, and its bodies are larger than those of a web page.
    maxSessionMemory: 1024,
  });
  server.on('session', session => {
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    session.on('error', () => options.output.end());
    session.on('close', () => options.output.end());
  });
  server.on('sessionError', () => undefined); // a connection that breaks is noticed where it is made
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const request = {
      method: headers[':method'] ?? 'GET',
      path: headers[':path'] ?? '/',
      range: headers.range,
      body: () => bodyOf(stream),
    };
    answerRestic(store, request, {access, signal, onError, onAnswer})
      .then(answer => send(stream, answer))
      .catch(() => stream.close());
  });
  const duplex = Duplex.from({readable: options.input, writable: options.output});
  duplex.on('error', () => undefined);
  server.emit('connection', duplex);
  return {close: () => duplex.destroy()};
}

function send(stream: ServerHttp2Stream, {status, headers, body}: RestAnswer): void {
  if (stream.destroyed) return;
  const length = body === undefined ? {} : {'content-length': String(body.length)};
  stream.respond({':status': status, ...length, ...headers}, {endStream: body === undefined});
  if (body !== undefined) stream.end(body);
}
