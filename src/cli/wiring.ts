import {type Cluster, connectCluster} from '../cluster/client.ts';
import {readIdentity} from '../cluster/identity.ts';
import type {LoadedPlan} from '../plan/load.ts';
import type {Plan} from '../plan/schema.ts';
import type {OpenKeyOptions} from '../repository/key/open.ts';
import type {FirstKeys} from '../repository/key/secrets.ts';
import {type OpenStoreOptions, openStore} from '../repository/open.ts';
import {readSecrets} from '../repository/passphrase.ts';
import {openOrInitRepository, openRepository, type Repository} from '../repository/repository.ts';
import {withDeadline} from '../std/wait.ts';

const SOURCE_ANSWERS_MS = 15_000;

/** What commands that work with a plan take from flags over what the plan says. */
export interface Overrides {
  repository?: string | undefined;
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

/** Where a repository is, how to reach it, and which keys the plan says that it has. */
export interface RepositoryLocation {
  url: string;
  options: OpenStoreOptions;
  encryption?: Plan['spec']['repository']['encryption'];
}

/** Where the repository is and how to reach it: flag, PRA_REPOSITORY, plan. */
export function repositoryOf(
  loaded: LoadedPlan | undefined,
  overrides: Overrides,
): RepositoryLocation | undefined {
  const spec = loaded?.plan.spec.repository;
  const url = overrides.repository ?? process.env.PRA_REPOSITORY ?? spec?.url;
  if (url === undefined) return undefined;
  const {endpoint, region, pathStyle, caFile, storageClass, lock, credentials, encryption} = spec ?? {};
  const {profile, env: credentialsEnv} = credentials ?? {};
  const sse = encryption?.sse && {algorithm: encryption.sse, kmsKeyId: encryption.kmsKeyId};
  const options = {endpoint, region, pathStyle, caFile, profile, credentialsEnv, storageClass, sse, lock};
  return {url, options, encryption};
}

/** The plan as the flags and variables of this call make it, for telling what would be done. */
export function withOverrides(loaded: LoadedPlan, overrides: Overrides): LoadedPlan {
  const {plan} = loaded;
  const {repository, source} = plan.spec;
  const {context, path} = sourceOf(loaded, overrides);
  const spec = {
    ...plan.spec,
    repository: {...repository, url: repositoryOf(loaded, overrides)?.url ?? repository.url},
    source: {...source, kubeconfig: {...source.kubeconfig, context, path}},
  };
  return {...loaded, plan: {...plan, spec}};
}

export interface OpenedRepository {
  repository: Repository;
  options: OpenStoreOptions;
  created: boolean;
}

/** Opens the repository; with `create`, makes it where there is none. */
export async function openPlanRepository(
  where: RepositoryLocation,
  settings: {create: boolean; signal: AbortSignal},
): Promise<OpenedRepository> {
  const {url, options} = where;
  const store = await openStore(url, options);
  const keys = {...(await readKeys(where)), signal: settings.signal};
  if (settings.create) return {...(await openOrInitRepository(store, keys)), options};
  return {repository: await openRepository(store, keys), options, created: false};
}

/** What opens a repository, and who gets a key slot of a new one: variables and plan. */
export async function readKeys({encryption}: RepositoryLocation): Promise<OpenKeyOptions & FirstKeys> {
  const {recipients, kms, fingerprint} = encryption ?? {};
  return {...(await readSecrets(kms?.command)), recipients, fingerprint};
}

/** How the source is reached: flag, PRA_KUBECONFIG and PRA_CONTEXT, plan. What is undefined is the kubeconfig's own choice. */
export function sourceOf(
  loaded: LoadedPlan | undefined,
  overrides: Overrides,
): {path: string | undefined; context: string | undefined} {
  const spec = loaded?.plan.spec.source.kubeconfig;
  return {
    path: overrides.kubeconfig ?? process.env.PRA_KUBECONFIG ?? spec?.path,
    context: overrides.context ?? process.env.PRA_CONTEXT ?? spec?.context,
  };
}

/** Connects to the source. It contacts nothing yet. */
export function connectSource(
  loaded: LoadedPlan | undefined,
  overrides: Overrides,
  userAgent: string,
): Promise<Cluster> {
  const {path, context} = sourceOf(loaded, overrides);
  return connectCluster({
    userAgent,
    ...(path === undefined ? {} : {kubeconfig: path}),
    ...(context === undefined ? {} : {context}),
  });
}

/**
 * Asks the source who it is, before anything is made: a wrong context is then one error, not half a run.
 * @throws PraError CLUSTER_UNREACHABLE, CLUSTER_UNAUTHORIZED, CLUSTER_REQUEST_FAILED
 */
export async function requireSource(cluster: Cluster, signal: AbortSignal): Promise<void> {
  await readIdentity(cluster, {signal: withDeadline(SOURCE_ANSWERS_MS, signal)});
}
