import type {KubeConfig} from '@kubernetes/client-node';
import type {Dispatcher} from 'undici';
import {PraError} from '../errors.ts';
import type {ByteBuffers} from '../std/byte-buffers.ts';
import {readAnswer} from './answer.ts';
import {ApiError} from './api-error.ts';
import {connectionError, isLostConnection} from './connection-error.ts';
import {type Credentials, isDynamic} from './credentials.ts';
import {interruption} from './interruption.ts';
import {loadKubeConfig} from './kubeconfig.ts';
import {retryAfterMs, waitRetry} from './retry.ts';
import {type OpenSession, Session} from './session.ts';

export {ApiError, isApiError} from './api-error.ts';

export interface ClusterOptions {
  /** File; by default what kubectl would use. */
  kubeconfig?: string | undefined;
  /** Name; by default the current context. */
  context?: string | undefined;
  /** `pra/0.1.0 drill/ID`, so that audit logs say who did what. */
  userAgent?: string | undefined;
}

export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface RequestOptions {
  query?: Record<string, QueryValue>;
  /** JSON value; a string or bytes are sent as they are. */
  body?: unknown;
  contentType?: string;
  accept?: string;
  /** What is being done, for errors: `create apps/Deployment shop/web`. */
  action?: string;
  signal?: AbortSignal | undefined;
  /** A long answer is expected. */
  bulk?: boolean;
  /** Where memory for the answer is taken from; the caller gives it back. */
  buffers?: ByteBuffers | undefined;
  /** Longest silence of the server. */
  timeoutMs?: number;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const REQUEST_TIMEOUT_MS = 60_000;
/** How often one request is sent at most, as client-go does. */
const MAX_ATTEMPTS = 10;
/** How often a GET is sent again because its connection broke. */
const MAX_RECONNECTS = 3;
const RECONNECT_AFTER_MS = 100;

/**
 * Reads the kubeconfig and checks it; the server is not contacted.
 * @throws PraError KUBECONFIG_INVALID
 */
export async function connectCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const reload = () => loadKubeConfig(options.kubeconfig, options.context);
  const session = new Session(await reload(), reload);
  // A plugin may ask for a login, which waits until the server is really needed.
  if (!isDynamic(session.kubeConfig)) await session.credentials();
  return new Cluster(session, options.userAgent ?? 'pra');
}

/** A connection to one API server. Close it when done. */
export class Cluster {
  readonly context: string;
  /** URL of the API server, without a slash at its end. */
  readonly server: string;
  readonly userAgent: string;
  readonly #session: Session;

  constructor(session: Session, userAgent: string) {
    this.#session = session;
    this.context = session.kubeConfig.currentContext;
    this.server = session.kubeConfig.getCurrentCluster()?.server ?? '';
    this.userAgent = userAgent;
  }

  get kubeConfig(): KubeConfig {
    return this.#session.kubeConfig;
  }

  /** TLS material and headers for connections that are not HTTP requests (exec, port-forward). Secret. */
  credentials(): Promise<Credentials> {
    return this.#session.credentials();
  }

  /**
   * Sends one request and reads its JSON answer. Waits where the server asks to (429 and 5xx with Retry-After), and
   * repeats a GET whose connection broke.
   * @throws ApiError for what the server answered; PraError CLUSTER_UNREACHABLE, or INTERRUPTED or TIMEOUT by the signal
   */
  async request<T = unknown>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    const text = await this.requestText(method, path, options);
    try {
      return JSON.parse(text);
    } catch {
      throw new PraError(
        'CLUSTER_REQUEST_FAILED',
        `cannot ${actionOf(method, path, options)}: the answer is not JSON`,
        {
          why: `${this.server} may be a proxy or a login page rather than an API server`,
        },
      );
    }
  }

  /** As `request`, for answers that are not JSON, such as logs. */
  async requestText(method: Method, path: string, options: RequestOptions = {}): Promise<string> {
    return textOf(await this.requestBytes(method, path, options));
  }

  /** As `requestText`, undecoded. The bytes are the caller's own, or of the buffers that were given. */
  async requestBytes(
    method: Method,
    path: string,
    options: RequestOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    for (let attempt = 1; ; attempt += 1) {
      const session = await this.#session.open();
      try {
        return await this.#send(session, method, path, options);
      } catch (error) {
        if (options.signal?.aborted) throw interruption(options.signal, actionOf(method, path, options));
        if (error instanceof ApiError) {
          if (attempt >= MAX_ATTEMPTS || !(await this.#mayRepeat(error, session, options.signal)))
            throw error;
        } else if (error instanceof PraError) {
          throw error;
        } else if (method === 'GET' && attempt <= MAX_RECONNECTS && isLostConnection(error)) {
          await waitRetry(RECONNECT_AFTER_MS * attempt, options.signal);
        } else {
          throw this.#unreachable(error, options);
        }
      }
    }
  }

  /**
   * Opens a GET whose answer does not end by itself, such as a watch, and gives its bytes as they come.
   * @throws ApiError for what the server answered first; PraError CLUSTER_UNREACHABLE
   */
  async stream(path: string, options: RequestOptions = {}): Promise<AsyncIterable<Buffer>> {
    const session = await this.#session.open();
    const {signal} = options;
    const sent = {...this.#requestOf(session, 'GET', path, options), ...(signal ? {signal} : {})};
    const response = await session.transport.request(sent).catch((error: unknown) => {
      if (options.signal?.aborted) throw interruption(options.signal, actionOf('GET', path, options));
      throw this.#unreachable(error, options);
    });
    if (response.statusCode < 300) return response.body;
    const answer = {
      status: response.statusCode,
      body: await response.body.text(),
      retryAfterMs: retryAfterMs(response),
    };
    throw new ApiError(actionOf('GET', path, options), answer, this.context);
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.#session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #send(
    session: OpenSession,
    method: Method,
    path: string,
    options: RequestOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const transport = options.bulk ? session.bulk : session.transport;
    const {signal, buffers} = options;
    const sent = this.#requestOf(session, method, path, options);
    const response = await readAnswer(transport, sent, {signal, buffers});
    const {body, statusCode} = response;
    if (statusCode < 300) return body;
    const answer = {status: statusCode, body: textOf(body), retryAfterMs: retryAfterMs(response)};
    throw new ApiError(actionOf(method, path, options), answer, this.context);
  }

  #requestOf(
    {credentials}: OpenSession,
    method: Method,
    path: string,
    options: RequestOptions,
  ): Dispatcher.DispatchOptions {
    const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    const body = bodyOf(options.body);
    return {
      origin: new URL(this.server).origin,
      path: `${new URL(this.server).pathname.replace(/\/$/, '')}${path}${queryOf(options.query)}`,
      method,
      headers: {
        ...credentials.headers,
        accept: options.accept ?? 'application/json',
        'user-agent': this.userAgent,
        ...(body === undefined ? {} : {'content-type': options.contentType ?? 'application/json'}),
      },
      ...(body === undefined ? {} : {body}),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    };
  }

  /** Whether the server asked to try again (after waiting for it), or new credentials make another try worth it. */
  async #mayRepeat(error: ApiError, session: OpenSession, signal: AbortSignal | undefined): Promise<boolean> {
    if (error.status === 401) return this.#session.relogin(session.credentials);
    if (error.retryAfterMs === undefined) return false;
    await waitRetry(error.retryAfterMs, signal);
    return true;
  }

  #unreachable(error: unknown, options: RequestOptions): Error {
    const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    return connectionError(error, {server: this.server, context: this.context, timeoutMs});
  }
}

const textOf = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');

const actionOf = (method: Method, path: string, options: RequestOptions) =>
  options.action ?? `${method} ${path}`;

function bodyOf(body: unknown): string | Buffer | undefined {
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return body;
  return JSON.stringify(body);
}

function queryOf(query: Record<string, QueryValue> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) parameters.append(name, one);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
