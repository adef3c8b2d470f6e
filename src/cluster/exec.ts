import {randomUUID} from 'node:crypto';
import type {Readable, Writable} from 'node:stream';
import {finished} from 'node:stream/promises';
import type WebSocket from 'ws';
import {z} from 'zod';
import {messageOf, PraError} from '../errors.ts';
import {withDeadline} from '../std/wait.ts';
import type {Cluster} from './client.ts';
import {CORE_TYPES} from './core-types.ts';
import {interruption} from './interruption.ts';
import {objectPath} from './resource-map.ts';
import {TextTail} from './text-tail.ts';
import {bytesOf, openWebSocket} from './websocket.ts';

export interface ExecRequest {
  namespace: string;
  pod: string;
  /** By default the pod's only, or first, container. */
  container?: string | undefined;
  command: readonly string[];
  /** Sent to the command and closed at its end. */
  stdin?: Readable | undefined;
  /**
   * For a command that may end before its input does, such as a restore that fails: what it leaves is read away, so
   * that its exit code comes. Without it, containerd holds back the exit code of such a command for as long as the
   * connection lasts. Needs `sh` and `cat` in the container.
   */
  drainStdin?: boolean;
  /**
   * For a command whose output counts as whole when it ends well: the exit code of what a killed container ran may be told as
   * 0 (seen with containerd), so that it has to say itself that it came to its end. Needs `sh` in the container.
   */
  confirmEnd?: boolean;
  /** Gets what the command writes, and is ended when all of it is written. Left out, it is thrown away. */
  stdout?: Writable | undefined;
  /** Told what the command says on stderr, as it comes. */
  onStderr?: ((chunk: Buffer) => void) | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
}

export interface ExecResult {
  exitCode: number;
  /** The last 16 KiB. */
  stderr: string;
}

/** Channels of the remote-command protocol: the first byte of each message. */
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const CLOSE = 255;
/** Version 5 alone can tell the command that its input has ended. */
const PROTOCOL = 'v5.channel.k8s.io';
const STDERR_TAIL_BYTES = 16 << 10;
const STDIN_CHUNK_BYTES = 128 << 10;
/** How much input may wait in memory for the network. */
const STDIN_WINDOW_BYTES = 1 << 20;

const statusSchema = z.object({
  status: z.string().optional(),
  message: z.string().default(''),
  reason: z.string().default(''),
  details: z
    .object({
      causes: z.array(z.object({reason: z.string().optional(), message: z.string().optional()})).default([]),
    })
    .optional(),
});

/**
 * Runs a command in a container through the API server. Both directions are held back by the slower side, so that
 * memory stays bounded whatever flows. A command that ends with an error is a result, not an exception.
 * @throws PraError EXEC_FAILED when the command cannot be started or the connection ends before its exit code came,
 * TIMEOUT, INTERRUPTED; the process in the container may then go on, since Kubernetes has no way to end it
 */
export async function execInPod(cluster: Cluster, request: ExecRequest): Promise<ExecResult> {
  const {namespace, pod, command} = request;
  const action = `run ${command[0]} in pod ${namespace}/${pod}`;
  const signal = request.timeoutMs ? withDeadline(request.timeoutMs, request.signal) : request.signal;
  const drains = request.drainStdin === true && request.stdin !== undefined;
  const marked = drains || request.confirmEnd ? markedCommand(command, drains) : undefined;
  const path = `${objectPath(CORE_TYPES.Pod, {namespace, name: pod})}/exec?${queryOf(request, marked?.command ?? command)}`;
  const socket = await openWebSocket(cluster, path, {protocols: [PROTOCOL], action, signal});
  const run = new Run(socket, request, action, marked?.marker);
  const abort = () => socket.terminate();
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, {once: true});
  try {
    return await run.result();
  } catch (error) {
    throw signal?.aborted ? interruption(signal, action) : error;
  } finally {
    signal?.removeEventListener('abort', abort);
    socket.terminate();
  }
}

/** The command in a shell that says on stderr when the command has ended, and may then read what is left of the input. */
function markedCommand(command: readonly string[], drains: boolean): {command: string[]; marker: string} {
  const marker = `pra-ended-${randomUUID()}\n`;
  const drain = drains ? 'cat >/dev/null; ' : '';
  const script = `"$@"; code=$?; printf '%s\\n' '${marker.trim()}' >&2; ${drain}exit $code`;
  return {command: ['sh', '-c', script, 'sh', ...command], marker};
}

function queryOf({container, stdin}: ExecRequest, command: readonly string[]): string {
  const query = new URLSearchParams();
  for (const word of command) query.append('command', word);
  if (container) query.set('container', container);
  query.set('stdin', String(stdin !== undefined));
  query.set('stdout', 'true');
  query.set('stderr', 'true');
  return query.toString();
}

/** One command on one connection. */
class Run {
  readonly #socket: WebSocket;
  readonly #request: ExecRequest;
  readonly #action: string;
  /** On stderr it says that the command has come to its end, and wants no more input. */
  readonly #marker: string | undefined;
  readonly #stderr = new TextTail(STDERR_TAIL_BYTES);
  /** What the server said at the end, as JSON; always the last message. */
  #status: string | undefined;
  /** What broke first on this side: the source of the input or the destination of the output. */
  #failure: unknown;
  #ended = false;
  /** The command takes no more input. */
  #sated = false;

  constructor(socket: WebSocket, request: ExecRequest, action: string, marker: string | undefined) {
    this.#marker = marker;
    this.#socket = socket;
    this.#request = request;
    this.#action = action;
  }

  async result(): Promise<ExecResult> {
    const {stdin, stdout} = this.#request;
    const fail = (error: unknown) => this.#fail(error);
    stdout?.on('error', fail);
    stdout?.once(
      'close',
      () => stdout.writableFinished || fail(new Error('the output was closed too early')),
    );
    const closed = new Promise(resolve => this.#socket.once('close', resolve));
    this.#socket.on('message', data => this.#receive(data));
    this.#socket.resume();
    if (stdin) this.#send(stdin).catch(error => this.#sated || fail(error));
    await closed;
    this.#ended = true;
    stdin?.destroy();
    if (this.#failure === undefined && this.#status !== undefined && stdout) {
      stdout.end();
      await finished(stdout, {readable: false}).catch(error => {
        this.#failure = error;
      });
    }
    if (this.#failure !== undefined || this.#status === undefined) throw this.#broken();
    const exitCode = this.#exitCode(this.#status);
    if (exitCode === 0 && this.#marker && !this.#sated)
      throw new PraError('EXEC_FAILED', `could not ${this.#action} to its end`, {
        why: 'it was ended before it was done, and the container runtime told that it ended well: was its container killed?',
      });
    return {exitCode, stderr: this.#said()};
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure ??= error;
    this.#socket.terminate();
  }

  #receive(data: WebSocket.RawData): void {
    const message = bytesOf(data);
    const payload = message.subarray(1);
    if (payload.length === 0) return;
    if (message[0] === STDOUT) this.#write(payload);
    else if (message[0] === STDERR) this.#hear(payload);
    else if (message[0] === STATUS) {
      this.#status = `${this.#status ?? ''}${payload.toString('utf8')}`;
      this.#socket.close();
    }
  }

  #hear(payload: Buffer): void {
    this.#stderr.add(payload);
    this.#request.onStderr?.(payload);
    if (this.#marker && !this.#sated && this.#stderr.text().includes(this.#marker)) {
      this.#sated = true;
      if (!this.#request.stdin) return;
      this.#request.stdin.destroy();
      void this.#frame(CLOSE, Buffer.from([STDIN]));
    }
  }

  #said(): string {
    const text = this.#stderr.text();
    return this.#marker ? text.replace(this.#marker, '') : text;
  }

  #write(payload: Buffer): void {
    const {stdout} = this.#request;
    if (!stdout || stdout.destroyed || stdout.write(payload)) return;
    this.#socket.pause();
    stdout.once('drain', () => this.#socket.resume());
  }

  async #send(stdin: Readable): Promise<void> {
    for await (const chunk of stdin) {
      const bytes = Buffer.from(chunk);
      for (let from = 0; from < bytes.length; from += STDIN_CHUNK_BYTES) {
        await this.#frame(STDIN, bytes.subarray(from, from + STDIN_CHUNK_BYTES));
      }
    }
    await this.#frame(CLOSE, Buffer.from([STDIN]));
  }

  /** Resolves at once while the network keeps up, otherwise when it has taken this message. */
  #frame(channel: number, payload: Buffer): Promise<void> {
    return new Promise(resolve => {
      // A connection that ends is noticed, and judged, by its close event.
      this.#socket.send(Buffer.concat([Buffer.from([channel]), payload]), () => resolve());
      if (this.#socket.bufferedAmount < STDIN_WINDOW_BYTES) resolve();
    });
  }

  #exitCode(text: string): number {
    const status = statusSchema.parse(JSON.parse(text));
    if (status.status === 'Success') return 0;
    const cause = status.details?.causes.find(({reason}) => reason === 'ExitCode');
    const exitCode = Number(cause?.message);
    if (cause && Number.isInteger(exitCode)) return exitCode;
    throw new PraError('EXEC_FAILED', `could not ${this.#action}`, {why: status.message || status.reason});
  }

  #broken(): PraError {
    if (this.#failure instanceof PraError) return this.#failure;
    const stderr = this.#said().trim();
    const why =
      this.#failure === undefined
        ? 'the connection ended before the exit code came'
        : messageOf(this.#failure);
    return new PraError('EXEC_FAILED', `could not ${this.#action} to its end`, {
      why: stderr ? `${why}; it had said: ${stderr.slice(-500)}` : why,
      cause: this.#failure,
    });
  }
}
