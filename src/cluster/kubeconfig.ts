import {accessSync, constants, existsSync} from 'node:fs';
import {homedir} from 'node:os';
import {delimiter, join} from 'node:path';
import type {Context, KubeConfig} from '@kubernetes/client-node';
import {closest, distance} from 'fastest-levenshtein';
import {messageOf, PraError} from '../errors.ts';

const IN_CLUSTER_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Reads a kubeconfig as kubectl would: the given file, else the files of KUBECONFIG (the first to name something
 * wins), else ~/.kube/config, else the service account of the pod that pra runs in; and selects a context.
 * @throws PraError KUBECONFIG_INVALID, which lists the contexts that exist. TLS that is not verified is refused.
 */
export async function loadKubeConfig(file?: string, context?: string): Promise<KubeConfig> {
  // Importing client-node takes a third of a second: only commands that talk to a cluster pay for it.
  const {KubeConfig: Loader} = await import('@kubernetes/client-node');
  const files = file ? [file] : defaultFiles();
  const config = new Loader();
  if (files.length === 0) {
    if (!existsSync(IN_CLUSTER_TOKEN)) throw noKubeConfig();
    config.loadFromCluster();
  } else {
    merge(
      config,
      files.map(path => loadFile(new Loader(), path)),
    );
  }
  const origin = files.join(', ') || 'the service account of this pod';
  config.setCurrentContext(selectContext(config, context, origin));
  checkCluster(config, origin);
  return config;
}

/** A kubeconfig with the current context only, as JSON: for programs that are to reach no other cluster. Secret. */
export async function singleContext(config: KubeConfig): Promise<string> {
  const {KubeConfig: Loader} = await import('@kubernetes/client-node');
  const context = config.getContextObject(config.currentContext);
  const own = <T extends {name: string}>(entries: readonly T[], name: string | undefined) =>
    entries.filter(entry => entry.name === name);
  const single = new Loader();
  single.loadFromOptions({
    clusters: own(config.clusters, context?.cluster),
    users: own(config.users, context?.user),
    contexts: own(config.contexts, context?.name),
    currentContext: config.currentContext,
  });
  return single.exportConfig();
}

function defaultFiles(): string[] {
  const listed = (process.env.KUBECONFIG ?? '').split(delimiter).filter(path => path !== '');
  // kubectl skips files of the list that do not exist, unless none does.
  const present = listed.filter(path => existsSync(path));
  if (listed.length > 0) return present.length > 0 ? present : listed.slice(0, 1);
  const usual = join(homedir(), '.kube', 'config');
  return existsSync(usual) ? [usual] : [];
}

function noKubeConfig(): PraError {
  return new PraError('KUBECONFIG_INVALID', 'there is no kubeconfig', {
    why: 'no --kubeconfig was given, KUBECONFIG is not set, and ~/.kube/config does not exist',
    next: ['give one: --kubeconfig FILE'],
  });
}

function loadFile(config: KubeConfig, file: string): KubeConfig {
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    const missing = !existsSync(file);
    throw new PraError(
      'KUBECONFIG_INVALID',
      `the kubeconfig ${file} ${missing ? 'does not exist' : 'cannot be read'}`,
      {
        why: missing ? undefined : messageOf(cause),
        next: ['give another one: --kubeconfig FILE'],
      },
    );
  }
  try {
    config.loadFromFile(file);
    return config;
  } catch (error) {
    // Only the first line: the lines after it quote the file, which holds credentials.
    const [why] = messageOf(error).split('\n');
    const readable = error instanceof TypeError ? 'it is not a mapping' : why;
    throw new PraError('KUBECONFIG_INVALID', `${file} is not a valid kubeconfig`, {
      why: readable,
      location: {file},
    });
  }
}

function merge(target: KubeConfig, parts: readonly KubeConfig[]): void {
  target.loadFromOptions({
    clusters: firstOfName(parts.flatMap(part => part.clusters)),
    users: firstOfName(parts.flatMap(part => part.users)),
    contexts: firstOfName(parts.flatMap(part => part.contexts)),
    currentContext: parts.map(part => part.currentContext).find(name => Boolean(name)) ?? '',
  });
}

function firstOfName<T extends {name: string}>(entries: readonly T[]): T[] {
  return entries.filter((entry, index) => entries.findIndex(other => other.name === entry.name) === index);
}

function selectContext(config: KubeConfig, wanted: string | undefined, origin: string): string {
  const names = config.contexts.map(context => context.name);
  const name = wanted ?? config.currentContext;
  if (!name) {
    throw new PraError('KUBECONFIG_INVALID', `${origin} has no current context`, {
      why: contextsOf(names),
      next: names.slice(0, 1).map(first => `choose one: --context ${first}`),
    });
  }
  const context = config.contexts.find(entry => entry.name === name);
  if (!context) {
    throw new PraError('KUBECONFIG_INVALID', `${origin} has no context "${name}"`, {
      why: contextsOf(names),
      next: nearest(name, names).map(near => `did you mean --context ${near} ?`),
    });
  }
  checkContext(config, context, origin);
  return name;
}

const contextsOf = (names: readonly string[]) =>
  names.length === 0 ? 'it has no contexts at all' : `its contexts are: ${names.join(', ')}`;

/** The existing name that a mistyped one most likely stands for; none when nothing is near. */
function nearest(name: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const near = closest(name, names);
  return distance(name, near) <= Math.max(2, Math.ceil(name.length / 2)) ? [near] : [];
}

function checkContext(config: KubeConfig, context: Context, origin: string): void {
  const missing = !config.clusters.some(cluster => cluster.name === context.cluster)
    ? `cluster "${context.cluster}"`
    : context.user && !config.users.some(user => user.name === context.user)
      ? `user "${context.user}"`
      : undefined;
  if (missing) {
    throw new PraError(
      'KUBECONFIG_INVALID',
      `context "${context.name}" of ${origin} names a ${missing} that is not there`,
    );
  }
}

function checkCluster(config: KubeConfig, origin: string): void {
  const cluster = config.getCurrentCluster();
  const where = `context "${config.currentContext}" of ${origin}`;
  if (!cluster || !URL.canParse(cluster.server)) {
    throw new PraError('KUBECONFIG_INVALID', `${where} has no valid server URL`);
  }
  if (new URL(cluster.server).protocol !== 'https:') {
    throw new PraError('KUBECONFIG_INVALID', `${where} does not use TLS: ${cluster.server}`, {
      why: 'credentials and Secrets would cross the network in clear text',
      next: ['use the https:// address of the API server'],
    });
  }
  if (cluster.skipTLSVerify) {
    throw new PraError('KUBECONFIG_INVALID', `${where} turns the verification of TLS off`, {
      why: 'anyone on the way could pose as the API server and read every Secret that is captured',
      next: [
        `kubectl config set-cluster ${cluster.name} --insecure-skip-tls-verify=false --certificate-authority=CA.crt --embed-certs`,
      ],
    });
  }
}
