import WebSocket from 'ws';
import {ApiError} from './api-error.ts';
import type {Cluster} from './client.ts';
import {connectionError} from './connection-error.ts';
import {interruption} from './interruption.ts';
import {retryAfterMs} from './retry.ts';

export interface WebSocketOptions {
  /** Subprotocols, best first. */
  protocols: string[];
  /** What is being done, for errors. */
  action: string;
  signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;
/** Keeps NAT entries and load balancers from dropping a silent connection, and notices a dead peer. */
const PING_MS = 20_000;
const MAX_SILENT_PINGS = 3;

/**
 * Opens a WebSocket to the API server, with TLS verified and the credentials of the cluster.
 * @throws ApiError when the server answers with a status instead, PraError CLUSTER_UNREACHABLE, INTERRUPTED
 */
export async function openWebSocket(
  cluster: Cluster,
  path: string,
  options: WebSocketOptions,
): Promise<WebSocket> {
  const {tls, headers, proxyAgent} = await cluster.credentials();
  if (options.signal?.aborted) throw interruption(options.signal, options.action);
  const socket = new WebSocket(`${cluster.server.replace(/^http/, 'ws')}${path}`, options.protocols, {
    ...tls,
    ...(proxyAgent ? {agent: proxyAgent} : {}),
    rejectUnauthorized: true,
    headers: {...headers, 'user-agent': cluster.userAgent},
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    // Compressing what is often compressed already only costs time.
    perMessageDeflate: false,
    maxPayload: 64 << 20,
    // Masks keep a page in a browser from feeding proxies that read along (RFC 6455, 10.3). None reads along in TLS, and
    // masking costs more than the rest of sending does.
    ...(cluster.server.startsWith('https:') ? {generateMask: noMask} : {}),
  });
  await opened(socket, cluster, options);
  keepAlive(socket);
  return socket;
}

const noMask = (mask: Buffer) => void mask.fill(0);

function opened(socket: WebSocket, cluster: Cluster, options: WebSocketOptions): Promise<void> {
  const {signal, action} = options;
  return new Promise((resolve, reject) => {
    const abort = () => {
      socket.terminate();
      if (signal) reject(interruption(signal, action));
    };
    const settle = () => signal?.removeEventListener('abort', abort);
    signal?.addEventListener('abort', abort, {once: true});
    socket.once('open', () => {
      settle();
      // Nothing is lost between here and the first listener of the caller.
      socket.pause();
      resolve();
    });
    socket.once('error', error => {
      settle();
      const {server, context} = cluster;
      reject(connectionError(error, {server, context, timeoutMs: CONNECT_TIMEOUT_MS}));
    });
    socket.once('unexpected-response', (_request, response) => {
      settle();
      const parts: Buffer[] = [];
      response.on('data', part => parts.push(Buffer.from(part)));
      response.once('close', () => {
        const status = response.statusCode ?? 0;
        const body = Buffer.concat(parts).toString('utf8');
        const wait = retryAfterMs({statusCode: status, headers: response.headers});
        reject(new ApiError(action, {status, body, retryAfterMs: wait}, cluster.context));
        socket.terminate();
      });
    });
  });
}

/** A message as one piece, in whichever shape `ws` delivers it. */
export function bytesOf(data: WebSocket.RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(new Uint8Array(data));
}

/** Ends the connection to a peer from which nothing came for a while although it was asked. */
function keepAlive(socket: WebSocket): void {
  let silent = 0;
  const heard = () => {
    silent = 0;
  };
  socket.on('pong', heard);
  socket.on('message', heard);
  const timer = setInterval(() => {
    // While a slow reader holds the socket back, nothing can be heard.
    silent = socket.isPaused ? 0 : silent + 1;
    if (silent > MAX_SILENT_PINGS) socket.terminate();
    else socket.ping();
  }, PING_MS);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
  socket.on('error', () => undefined);
}
