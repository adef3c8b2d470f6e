import {readFile} from 'node:fs/promises';
import {PraError} from '../errors.ts';
import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import {credentialSource} from '../repository/s3/credentials.ts';
import {endpointOf} from '../repository/s3/endpoint.ts';
import type {Mover} from './mover/mover.ts';
import {type MoverSettings, moverTimes} from './mover/settings.ts';
import {s3Environment} from './restic-environment.ts';
import type {RestAccess} from './restic-rest.ts';

/** Whose credentials pods are given. */
export type StoreCredentialsOptions = Pick<OpenStoreOptions, 'profile' | 'credentialsEnv'>;

export interface StoreLinkOptions {
  repository: Repository;
  store?: OpenStoreOptions | undefined;
  settings: Pick<MoverSettings, 'transport' | 'credentials' | 'times'>;
}

/** How restic in one pod gets at its repository. */
export type PodLink =
  | {kind: 'stream'; access: RestAccess; env: Record<string, string>}
  | {
      kind: 'direct';
      access: RestAccess;
      env: Record<string, string>;
      ca: string | undefined;
      /** Whether the name of the bucket is in the path. */
      pathStyle: boolean | undefined;
    };

/** Chooses how pods get at the repository, and gives each what it needs for it. */
export class StoreLink {
  readonly repository: Repository;
  /** Nothing moves, until the store is asked whether it is still there. */
  readonly stallMs: number;
  readonly #options: StoreLinkOptions;

  constructor(options: StoreLinkOptions) {
    this.repository = options.repository;
    this.stallMs = moverTimes(options.settings).stallMs;
    this.#options = options;
    if (options.settings.transport === 'direct' && !this.#isBucket)
      throw new PraError('USAGE', 'pods cannot reach a repository in a folder by themselves', {
        why: 'spec.mover.transport is direct, and the repository is a file:// URL',
        next: ['spec.mover.transport: stream', 'or keep the repository in a bucket'],
      });
  }

  get #isBucket(): boolean {
    return this.repository.store.url.startsWith('s3://');
  }

  /**
   * `direct` when the plan says so, or when it has credentials for pods and the pod reaches the bucket. Those of pra itself
   * never go into a cluster unasked; and the ones that end could not be renewed there, as they are for `stream`.
   */
  async to(mover: Pick<Mover, 'run'>, access: RestAccess, signal: AbortSignal): Promise<PodLink> {
    const password = {RESTIC_PASSWORD: this.repository.volumePassword(), RESTIC_PROGRESS_FPS: '1'};
    if (!(await this.#isDirect(mover, signal)))
      return {kind: 'stream', access, env: {...password, RESTIC_REPOSITORY: 'rclone:pra'}};
    const store = this.#store();
    const credentials = await (await credentialSource(store))();
    const ca = store.caFile === undefined ? undefined : await readFile(store.caFile, 'utf8');
    return {
      kind: 'direct',
      access,
      ca,
      pathStyle: store.pathStyle,
      env: {...password, ...s3Environment(this.repository, store, credentials)},
    };
  }

  #store(): OpenStoreOptions {
    const {store = {}, settings} = this.#options;
    return settings.credentials
      ? {...store, profile: undefined, credentialsEnv: undefined, ...settings.credentials}
      : store;
  }

  async #isDirect(mover: Pick<Mover, 'run'>, signal: AbortSignal): Promise<boolean> {
    const {transport, credentials} = this.#options.settings;
    if (transport !== 'auto' || !this.#isBucket) return transport === 'direct';
    if (!credentials) return false;
    const endpoint = new URL(endpointOf(this.#options.store ?? {}) ?? 'https://s3.amazonaws.com');
    const port = endpoint.port || (endpoint.protocol === 'http:' ? '80' : '443');
    const {exitCode} = await mover.run(['reach', `${endpoint.hostname}:${port}`], {signal});
    return exitCode === 0;
  }
}
