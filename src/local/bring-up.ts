import {join} from 'node:path';
import {waitFor} from '../std/wait.ts';
import {resolveTool} from '../tool/resolve.ts';
import {requireAlive, startDaemon} from './daemon.ts';
import type {Layout} from './layout.ts';
import {nodeIp} from './network.ts';
import {type Pki, writeKubeconfig} from './pki.ts';
import {type LocalProcess, type LocalState, writeState} from './state.ts';

export interface LocalClusterOptions {
  name: string;
  node: LocalState['node'];
  isolated: boolean;
  /** docker-archive files to import before pods can ask for them. */
  images: readonly string[];
  signal: AbortSignal;
  onProgress?: ((message: string) => void) | undefined;
}

/** One cluster while it comes up: every part that is started goes through here, so that nothing is unrecorded. */
export class BringUp {
  readonly layout: Layout;
  readonly options: LocalClusterOptions;
  #state: LocalState;

  constructor(layout: Layout, options: LocalClusterOptions, state: LocalState) {
    this.layout = layout;
    this.options = options;
    this.#state = state;
    writeState(layout, state);
  }

  get signal(): AbortSignal {
    return this.options.signal;
  }

  get nodeIp(): string {
    return nodeIp(this.#state.subnet);
  }

  get server(): string {
    return `https://${this.nodeIp}:6443`;
  }

  tell(message: string): void {
    this.options.onProgress?.(message);
  }

  record(change: Partial<LocalState>): void {
    this.#state = {...this.#state, ...change};
    writeState(this.layout, this.#state);
  }

  recordProcess(started: LocalProcess): void {
    this.record({processes: [...this.#state.processes, started]});
  }

  /** Starts a program of the cluster. */
  async start(name: string, args: readonly string[], mountsOf?: LocalProcess): Promise<void> {
    const {path} = await resolveTool(name, {signal: this.signal});
    this.signal.throwIfAborted();
    this.recordProcess(startDaemon({layout: this.layout, name, file: path, args, mountsOf}));
  }

  /** Waits for a part of the cluster, as long as none of its processes has ended. */
  async until(
    waitingFor: string,
    isTrue: () => Promise<boolean> | boolean,
    intervalMs: number,
  ): Promise<void> {
    await waitFor(
      async () => {
        requireAlive(this.layout, this.#state.processes);
        return (await isTrue()) ? true : undefined;
      },
      {waitingFor, timeoutMs: 60_000, intervalMs, signal: this.signal},
    );
  }

  /** Writes a kubeconfig for one of the cluster's own programs. */
  async kubeconfig(pki: Pki, name: string, user: string, organization?: string): Promise<string> {
    const file = join(this.layout.etc, `${name}.kubeconfig`);
    const client = await pki.client(name, user, organization);
    await writeKubeconfig(file, {
      server: this.server,
      ca: pki.ca.cert,
      client,
      user,
      cluster: this.options.name,
    });
    return file;
  }
}
