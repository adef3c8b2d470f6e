import {z} from 'zod';
import {PraError} from '../errors.ts';
import {type Cluster, isApiError} from './client.ts';
import {discoverLegacy} from './discover-legacy.ts';
import {apiVersionOf, type ResourceType} from './object.ts';

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const groupList = z.object({
  kind: z.literal('APIGroupDiscoveryList'),
  items: z.array(
    z.object({
      metadata: z.object({name: z.string().default('')}).default({name: ''}),
      versions: z
        .array(
          z.object({
            version: z.string(),
            // `Stale` when the server behind the group did not answer the aggregator.
            freshness: z.string().optional(),
            resources: z
              .array(
                z.object({
                  resource: z.string(),
                  responseKind: z.object({kind: z.string()}).nullish(),
                  scope: z.string(),
                  shortNames: z.array(z.string()).default([]),
                  verbs: z.array(z.string()).default([]),
                }),
              )
              .default([]),
          }),
        )
        .default([]),
    }),
  ),
});
type GroupList = z.infer<typeof groupList>;

/** What discovery found, and the groups that the API server knows of but could not ask. */
export interface Discovery {
  types: ResourceType[];
  /** Every version of every kind that is served, written `apps/v1 Deployment`. */
  served: ReadonlySet<string>;
  /** `metrics.k8s.io/v1beta1`, each with what is known of the cause. */
  lost: {groupVersion: string; reason: string}[];
}

/**
 * Asks the server anew which kinds it serves: every kind that can be listed, in the preferred version of its group,
 * without subresources. Groups come in the server's order, core first.
 * @throws PraError CLUSTER_DISCOVERY_INCOMPLETE when a group could not be asked: what is in it would be missed silently
 */
export async function discoverResources(
  cluster: Cluster,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<ResourceType[]> {
  return (await discoverAll(cluster, options)).types;
}

/**
 * As `discoverResources`, with every served version.
 * @throws PraError CLUSTER_DISCOVERY_INCOMPLETE
 */
export async function discoverAll(
  cluster: Cluster,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<Discovery> {
  const discovery = await discover(cluster, options);
  const {lost} = discovery;
  if (lost.length === 0) return discovery;
  const names = lost.map(group => group.groupVersion);
  throw new PraError(
    'CLUSTER_DISCOVERY_INCOMPLETE',
    `the API server cannot say what is in ${names.join(', ')}`,
    {
      why: lost.map(group => `${group.groupVersion}: ${group.reason}`).join('; '),
      next: names.slice(0, 3).map(name => {
        const [group, version] = name.split('/');
        return `mend or delete it: kubectl --context ${cluster.context} describe apiservice ${version}.${group}`;
      }),
    },
  );
}

/** As `discoverResources`, for callers that can live with lost groups and say so. */
export async function discover(
  cluster: Cluster,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<Discovery> {
  const request = {accept: `${AGGREGATED},application/json`, action: 'discover the API', ...options};
  const answers = await Promise.all([
    cluster.request('GET', '/api', request),
    cluster.request('GET', '/apis', request),
  ]);
  const parsed = answers.map(answer => groupList.safeParse(answer));
  // API servers before 1.30 have no v2 of it and answer with the old list of groups.
  if (parsed.some(result => !result.success)) return discoverLegacy(cluster, options);
  const groups = parsed.flatMap(result => result.data?.items ?? []);
  const served = new Set(groups.flatMap(servedOf));
  return {types: groups.flatMap(typesOf), served, lost: await lostOf(cluster, groups, options)};
}

type Group = GroupList['items'][number];

/** The kinds of a group: each in the first version that has it, as versions come in the server's order of preference. */
function typesOf(group: Group): ResourceType[] {
  const seen = new Set<string>();
  const types: ResourceType[] = [];
  for (const {version, resources} of group.versions) {
    for (const {resource, responseKind, scope, shortNames, verbs} of resources) {
      if (!verbs.includes('list') || !responseKind || seen.has(resource)) continue;
      seen.add(resource);
      types.push({
        group: group.metadata.name,
        version,
        kind: responseKind.kind,
        plural: resource,
        namespaced: scope === 'Namespaced',
        verbs,
        shortNames,
      });
    }
  }
  return types;
}

const servedOf = ({metadata, versions}: Group) =>
  versions.flatMap(({version, resources}) =>
    resources.flatMap(({responseKind, verbs}) =>
      responseKind && verbs.includes('list')
        ? [`${apiVersionOf({group: metadata.name, version})} ${responseKind.kind}`]
        : [],
    ),
  );

async function lostOf(
  cluster: Cluster,
  groups: readonly Group[],
  options: {signal?: AbortSignal | undefined},
): Promise<Discovery['lost']> {
  const stale = groups.flatMap(group =>
    group.versions
      .filter(version => version.freshness === 'Stale')
      .map(version => ({group: group.metadata.name, version: version.version})),
  );
  return Promise.all(
    stale.map(async ({group, version}) => ({
      groupVersion: `${group}/${version}`,
      reason: await apiServiceReason(cluster, `${version}.${group}`, options),
    })),
  );
}

const apiService = z.object({
  status: z.object({
    conditions: z.array(z.object({type: z.string(), status: z.string(), message: z.string().default('')})),
  }),
});

async function apiServiceReason(
  cluster: Cluster,
  name: string,
  options: {signal?: AbortSignal | undefined},
): Promise<string> {
  const unknown = 'the server behind it does not answer';
  try {
    const path = `/apis/apiregistration.k8s.io/v1/apiservices/${name}`;
    const {status} = apiService.parse(await cluster.request('GET', path, options));
    return (
      status.conditions.find(one => one.type === 'Available' && one.status !== 'True')?.message || unknown
    );
  } catch (error) {
    // The reason is a courtesy: without the right to read APIServices the group is still named.
    if (isApiError(error) || error instanceof z.ZodError) return unknown;
    throw error;
  }
}
