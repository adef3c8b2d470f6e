import {Agent, type Dispatcher, ProxyAgent, Socks5ProxyAgent} from 'undici';
import type {TlsMaterial} from './credentials.ts';

export interface TransportOptions {
  tls: TlsMaterial;
  /** `proxy-url` of the kubeconfig. */
  proxyUrl?: string | undefined;
  connectTimeoutMs: number;
  /** HTTP/1.1 on several connections: for long answers it costs both sides a tenth less than HTTP/2. */
  bulk?: boolean;
}

/** Lists are few at a time; each has a connection. */
const BULK_CONNECTIONS = 8;
/** How many HTTP/2 streams one connection carries at most; API servers allow 100 or more. */
const STREAMS = 100;
/** Flow-control windows that let a page of some MB come without waiting for acknowledgements. */
const STREAM_WINDOW_BYTES = 4 << 20;
const CONNECTION_WINDOW_BYTES = 16 << 20;

/** The connections to one API server: HTTP/2 where it is offered, TLS always verified. */
export function createTransport(options: TransportOptions): Dispatcher {
  // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
  const connect = {
    ...options.tls,
    rejectUnauthorized: true,
    timeout: options.connectTimeoutMs,
    keepAliveInitialDelay: 30_000,
  };
  const shared = {
    allowH2: options.bulk !== true,
    ...(options.bulk ? {connections: BULK_CONNECTIONS, pipelining: 1} : {}),
    connect,
    h2Options: {
      maxConcurrentStreams: STREAMS,
      connectionWindowSize: CONNECTION_WINDOW_BYTES,
      settings: {initialWindowSize: STREAM_WINDOW_BYTES},
    },
  };
  if (!options.proxyUrl) return new Agent(shared);
  const {protocol} = new URL(options.proxyUrl);
  if (protocol.startsWith('socks')) {
    return new Socks5ProxyAgent(options.proxyUrl, {requestTls: connect});
  }
  return new ProxyAgent({
    uri: options.proxyUrl,
    requestTls: connect,
    connectTimeout: options.connectTimeoutMs,
  });
}
