import type {KubeConfig} from '@kubernetes/client-node';
import type {Dispatcher} from 'undici';
import {type Credentials, isDynamic, readCredentials, type TlsMaterial} from './credentials.ts';
import {createTransport} from './transport.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A plugin is asked again after this long; client-node answers for it until its credentials expire. */
const CREDENTIALS_AGE_MS = 30_000;
/** Credentials that the server refuses are not fetched anew more often than this. */
const RELOGIN_INTERVAL_MS = 5_000;

export interface OpenSession {
  transport: Dispatcher;
  /** For long answers. */
  bulk: Dispatcher;
  credentials: Credentials;
}

/** Holds the credentials and the connections that were made with them, and renews both when they go stale. */
export class Session {
  readonly #reload: () => Promise<KubeConfig>;
  #kubeConfig: KubeConfig;
  #credentials: {value: Promise<Credentials>; until: number} | undefined;
  #open: {transport: Dispatcher; bulk: Dispatcher; tls: TlsMaterial} | undefined;
  #reloadedAt = Number.NEGATIVE_INFINITY;
  #relogin: Promise<void> | undefined;
  #closed = false;

  constructor(kubeConfig: KubeConfig, reload: () => Promise<KubeConfig>) {
    this.#kubeConfig = kubeConfig;
    this.#reload = reload;
  }

  get kubeConfig(): KubeConfig {
    return this.#kubeConfig;
  }

  /** Credentials that are fresh enough; concurrent callers share one run of a plugin. */
  credentials(): Promise<Credentials> {
    if (!this.#credentials || performance.now() >= this.#credentials.until) {
      const ageMs = isDynamic(this.#kubeConfig) ? CREDENTIALS_AGE_MS : Number.POSITIVE_INFINITY;
      const value = readCredentials(this.#kubeConfig);
      this.#credentials = {value, until: performance.now() + ageMs};
      value.catch(() => {
        this.#credentials = undefined;
      });
    }
    return this.#credentials.value;
  }

  async open(): Promise<OpenSession> {
    const credentials = await this.credentials();
    if (this.#closed) throw new Error('this connection to the cluster was closed');
    if (!this.#open || !sameTls(this.#open.tls, credentials.tls)) {
      // Requests on the connections with the old client certificate still end well.
      void this.#open?.transport.close();
      void this.#open?.bulk.close();
      const proxyUrl = this.#kubeConfig.getCurrentCluster()?.proxyUrl;
      const options = {tls: credentials.tls, proxyUrl, connectTimeoutMs: CONNECT_TIMEOUT_MS};
      const transport = createTransport(options);
      this.#open = {transport, bulk: createTransport({...options, bulk: true}), tls: credentials.tls};
    }
    return {transport: this.#open.transport, bulk: this.#open.bulk, credentials};
  }

  /**
   * Gets other credentials than those that the server has just refused, by reading the kubeconfig again: a token may
   * have been rotated on disk, or revoked before its time.
   * @returns false when that was done a moment ago, so that trying again makes no sense
   */
  async relogin(refused: Credentials): Promise<boolean> {
    if (this.#relogin) await this.#relogin;
    if ((await this.credentials()) !== refused) return true;
    if (performance.now() - this.#reloadedAt < RELOGIN_INTERVAL_MS) return false;
    this.#reloadedAt = performance.now();
    this.#relogin = this.#renew();
    await this.#relogin;
    return true;
  }

  async #renew(): Promise<void> {
    try {
      this.#kubeConfig = await this.#reload();
      this.#credentials = undefined;
    } finally {
      this.#relogin = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#open?.transport.destroy(), this.#open?.bulk.destroy()]);
  }
}

function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return fingerprint(a) === fingerprint(b);
}

const fingerprint = (tls: TlsMaterial) =>
  [tls.ca, tls.cert, tls.key, tls.passphrase, tls.servername].map(part => String(part ?? '')).join('\0');
