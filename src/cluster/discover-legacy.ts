import {z} from 'zod';
import {messageOf, PraError} from '../errors.ts';
import {type Cluster, isApiError} from './client.ts';
import type {Discovery} from './discover.ts';
import {apiVersionOf, type ResourceType} from './object.ts';

const coreVersions = z.object({versions: z.array(z.string())});
const groups = z.object({
  groups: z.array(z.object({name: z.string(), versions: z.array(z.object({version: z.string()}))})),
});
const resources = z.object({
  resources: z
    .array(
      z.object({
        name: z.string(),
        kind: z.string(),
        namespaced: z.boolean(),
        verbs: z.array(z.string()).nullish(),
        shortNames: z.array(z.string()).nullish(),
      }),
    )
    .nullish(),
});

interface GroupVersion {
  group: string;
  version: string;
}

/** Discovery as it was before Kubernetes 1.30: one request per group and version. */
export async function discoverLegacy(
  cluster: Cluster,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<Discovery> {
  const request = {action: 'discover the API', ...options};
  const core = coreVersions.parse(await cluster.request('GET', '/api', request));
  const named = groups.parse(await cluster.request('GET', '/apis', request));
  const versions: GroupVersion[] = [
    ...core.versions.map(version => ({group: '', version})),
    ...named.groups.flatMap(({name, versions: own}) => own.map(({version}) => ({group: name, version}))),
  ];
  const found = await Promise.all(versions.map(one => readGroup(cluster, one, options)));
  const seen = new Set<string>();
  const all = found.flatMap(result => (Array.isArray(result) ? result : []));
  const types = all.filter(type => {
    const key = `${type.group}/${type.plural}`;
    return !seen.has(key) && seen.add(key);
  });
  const served = new Set(all.map(type => `${apiVersionOf(type)} ${type.kind}`));
  return {types, served, lost: found.flatMap(result => (Array.isArray(result) ? [] : [result]))};
}

async function readGroup(
  cluster: Cluster,
  {group, version}: GroupVersion,
  options: {signal?: AbortSignal | undefined},
): Promise<ResourceType[] | Discovery['lost'][number]> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  try {
    const answer = resources.parse(await cluster.request('GET', path, options));
    return (answer.resources ?? [])
      .filter(({name, verbs}) => !name.includes('/') && verbs?.includes('list'))
      .map(({name, kind, namespaced, verbs, shortNames}) => ({
        group,
        version,
        kind,
        plural: name,
        namespaced,
        verbs: verbs ?? [],
        shortNames: shortNames ?? [],
      }));
  } catch (error) {
    if (!isApiError(error) && !(error instanceof z.ZodError)) throw error;
    const why = error instanceof PraError ? error.why : undefined;
    return {groupVersion: `${group}/${version}`, reason: why ?? messageOf(error)};
  }
}
