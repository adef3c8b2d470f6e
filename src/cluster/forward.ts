import {Duplex} from 'node:stream';
import type WebSocket from 'ws';
import {PraError} from '../errors.ts';
import type {Cluster} from './client.ts';
import {CORE_TYPES} from './core-types.ts';
import {interruption} from './interruption.ts';
import {objectPath} from './resource-map.ts';
import {bytesOf, openWebSocket} from './websocket.ts';

export interface ForwardRequest {
  namespace: string;
  pod: string;
  port: number;
  /** Ends the connection, also after it was made. */
  signal?: AbortSignal | undefined;
}

const DATA = 0;
/** Both channels begin with the port number, which says nothing new. */
const PORT_BYTES = 2;
const WINDOW_BYTES = 1 << 20;
/** The protocol has no half-close: after our end the other side may still talk this long. */
const LINGER_MS = 2_000;

/**
 * Opens one TCP connection to a port of a pod, through the API server. Back-pressure holds both ways.
 * @throws PraError PORT_FORWARD_FAILED when the pod takes no connections (also later, on the stream, when the port
 * refuses), ApiError, CLUSTER_UNREACHABLE, INTERRUPTED
 */
export async function forwardPort(cluster: Cluster, request: ForwardRequest): Promise<Duplex> {
  const {namespace, pod, port, signal} = request;
  const action = `connect to port ${port} of pod ${namespace}/${pod}`;
  const path = `${objectPath(CORE_TYPES.Pod, {namespace, name: pod})}/portforward?ports=${port}`;
  const socket = await openWebSocket(cluster, path, {protocols: ['v4.channel.k8s.io'], action, signal});
  const stream = new ForwardStream(socket, action);
  const abort = () => signal && stream.destroy(interruption(signal, action));
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, {once: true});
  stream.once('close', () => signal?.removeEventListener('abort', abort));
  return stream;
}

class ForwardStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #action: string;
  readonly #greeted = new Set<number>();
  #said = '';
  #linger: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, action: string) {
    super({allowHalfOpen: true});
    this.#socket = socket;
    this.#action = action;
    socket.on('message', data => this.#receive(data));
    socket.once('close', () => this.#closed());
    socket.resume();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const message = Buffer.concat([Buffer.from([DATA]), chunk]);
    if (this.#socket.bufferedAmount + message.length < WINDOW_BYTES) {
      this.#socket.send(message, error => error && this.destroy(this.#failure(error.message)));
      done();
    } else {
      this.#socket.send(message, error => done(error ? this.#failure(error.message) : null));
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#linger = setTimeout(() => this.#socket.close(), LINGER_MS);
    this.#linger.unref();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#linger);
    this.#socket.terminate();
    done(error);
  }

  #receive(data: WebSocket.RawData): void {
    const message = bytesOf(data);
    const channel = message[0] ?? DATA;
    const first = !this.#greeted.has(channel);
    this.#greeted.add(channel);
    const payload = message.subarray(1 + (first ? PORT_BYTES : 0));
    if (payload.length === 0) return;
    this.#linger?.refresh();
    if (channel !== DATA) this.#refused(payload.toString('utf8'));
    else if (!this.push(payload)) this.#socket.pause();
  }

  #refused(text: string): void {
    this.#said += text;
    this.destroy(this.#failure(this.#said.trim()));
  }

  #closed(): void {
    if (this.destroyed) return;
    this.push(null);
    if (this.writableFinished) return;
    // The other side has ended: what is still written has nowhere to go.
    this.end();
  }

  #failure(why: string): PraError {
    return new PraError('PORT_FORWARD_FAILED', `could not ${this.#action}`, {why});
  }
}
