import {createHash, randomBytes} from 'node:crypto';
import type {KubeObject} from '../../cluster/object.ts';
import {hasEnded} from '../../cluster/running.ts';
import type {Json, JsonObject} from '../../std/json.ts';
import {arrayAt, objectAt, stringAt, stringsAt} from '../../std/json-at.ts';
import {type Identity, type Purpose, securityOf} from './identity.ts';
import {type MoverSettings, moverTimes} from './settings.ts';

/** What everything that pra makes for a volume in a cluster is found by; a snapshot leaves it out. */
export const MOVER_LABEL = 'pra.dev/mover';
const RUN_LABEL = 'pra.dev/run';
/** Names the workload that the volumes of a mover are of, as a digest: its name may be too long for a label. */
const SPREAD_LABEL = 'pra.dev/volumes-of';

/** A claim, and where the mover sees it. */
export interface MountedClaim {
  name: string;
  path: string;
}

/** Where a mover has to run. */
export interface Placement {
  /** The node that the volume is attached to. */
  node?: string | undefined;
  /** What the workload asks of its node: a new volume is made where the first pod that mounts it runs. */
  nodeSelector?: JsonObject | undefined;
  nodeAffinity?: JsonObject | undefined;
  tolerations?: Json[] | undefined;
  /** What the volumes are of: movers of one workload are spread over zones and nodes, as its pods will be. */
  spread?: string | undefined;
}

export interface MoverJob {
  /** What it is for: the id of a snapshot, a drill or a restore. */
  run: string;
  purpose: Purpose;
  namespace: string;
  claims: readonly MountedClaim[];
  identity: Identity;
  placement: Placement;
  settings: MoverSettings;
  /** How many volumes may be worked on one after another until it has done its own, so that waiting costs it no time. 1 by default. */
  turns?: number | undefined;
}

export const moverLabels = (job: Pick<MoverJob, 'purpose' | 'run'>): Record<string, string> => ({
  'app.kubernetes.io/name': 'pra-mover',
  'app.kubernetes.io/managed-by': 'pra',
  [MOVER_LABEL]: job.purpose,
  [RUN_LABEL]: job.run,
});

/** A name that no two movers share. */
export function moverName(job: Pick<MoverJob, 'purpose' | 'run' | 'namespace' | 'claims'>): string {
  const of = createHash('sha256')
    .update([job.run, job.namespace, ...job.claims.map(({name}) => name)].join('\n'))
    .digest('hex');
  return `pra-${job.purpose}-${of.slice(0, 8)}-${randomBytes(3).toString('hex')}`;
}

/**
 * A Job whose only pod mounts the claims and waits to be used. It has neither a token nor credentials nor the repository's
 * key: these come on the stdin of what is run in it. Sidecars that would keep it from ending are asked to stay away.
 */
export function moverJob(name: string, job: MoverJob): KubeObject {
  const {namespace, claims, identity, purpose, settings} = job;
  const {idleMs, endedMs} = moverTimes(settings);
  const labels = moverLabels(job);
  const security = securityOf(identity, purpose);
  const mounts: Json[] = claims.map(({path}, index) => ({
    name: `volume-${index}`,
    mountPath: path,
    ...(purpose === 'save' ? {readOnly: true} : {}),
  }));
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {name, namespace, labels},
    spec: {
      backoffLimit: 0,
      completions: 1,
      activeDeadlineSeconds: Math.ceil((settings.timeoutMs * claims.length * (job.turns ?? 1)) / 1000),
      ttlSecondsAfterFinished: Math.ceil(endedMs / 1000),
      template: {
        metadata: {
          labels: {
            ...labels,
            'sidecar.istio.io/inject': 'false',
            ...(job.placement.spread === undefined ? {} : {[SPREAD_LABEL]: job.placement.spread}),
          },
          annotations: {
            'sidecar.istio.io/inject': 'false',
            'linkerd.io/inject': 'disabled',
            'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
          },
        },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 2,
          securityContext: security.pod,
          ...placementOf(job.placement),
          containers: [
            {
              name: 'mover',
              image: settings.image,
              imagePullPolicy: 'IfNotPresent',
              command: ['/pra-mover', 'wait', `${idleMs}ms`],
              env: [{name: 'TMPDIR', value: '/tmp'}],
              resources: {requests: settings.requests, limits: settings.limits},
              securityContext: security.container,
              volumeMounts: [...mounts, {name: 'tmp', mountPath: '/tmp'}],
            },
          ],
          volumes: [
            ...claims.map<Json>((claim, index) => ({
              name: `volume-${index}`,
              persistentVolumeClaim: {claimName: claim.name},
            })),
            {name: 'tmp', emptyDir: {sizeLimit: '2Gi'}},
          ],
        },
      },
    },
  };
}

function placementOf({node, nodeSelector, nodeAffinity, tolerations, spread}: Placement): JsonObject {
  if (node !== undefined)
    return {
      // A volume is to be read also on a node that is to be emptied, or kept for others.
      tolerations: [{operator: 'Exists'}],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{matchFields: [{key: 'metadata.name', operator: 'In', values: [node]}]}],
          },
        },
      },
    };
  return {
    ...(tolerations === undefined ? {} : {tolerations}),
    ...(nodeAffinity === undefined ? {} : {affinity: {nodeAffinity}}),
    ...(nodeSelector === undefined ? {} : {nodeSelector}),
    ...(spread === undefined
      ? {}
      : {topologySpreadConstraints: TOPOLOGIES.map(topologyKey => spreadOver(topologyKey, spread))}),
  };
}

const TOPOLOGIES = ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'];

const spreadOver = (topologyKey: string, spread: string): JsonObject => ({
  topologyKey,
  maxSkew: 1,
  whenUnsatisfiable: 'ScheduleAnyway',
  labelSelector: {matchLabels: {[SPREAD_LABEL]: spread}},
});

/** What a workload's pods ask of their node, without what only keeps them from starting. */
export function placementOfPod(spec: unknown, ignored: ReadonlySet<string>): Placement {
  const selector = Object.entries(stringsAt(spec, 'nodeSelector')).filter(([key]) => !ignored.has(key));
  const nodeAffinity = objectAt(spec, 'affinity', 'nodeAffinity');
  const tolerations = arrayAt(spec, 'tolerations');
  return {
    ...(selector.length > 0 ? {nodeSelector: Object.fromEntries(selector)} : {}),
    ...(nodeAffinity ? {nodeAffinity} : {}),
    ...(tolerations.length > 0 ? {tolerations} : {}),
  };
}

/** Names of the claims that a pod spec mounts. */
export const claimsOfPod = (spec: unknown): string[] =>
  arrayAt(spec, 'volumes').flatMap(volume => {
    const name = objectAt(volume, 'persistentVolumeClaim')?.claimName;
    return typeof name === 'string' ? [name] : [];
  });

/** Whether a pod has one of these claims mounted, or will have it when it starts. */
export const mountsAny = (pod: KubeObject, claims: readonly string[]): boolean =>
  !hasEnded(pod) && claimsOfPod(pod.spec).some(name => claims.includes(name));

/** Names of the volumes of a pod spec that are this claim. */
export const volumesOfClaim = (spec: unknown, claim: string): string[] =>
  arrayAt(spec, 'volumes').flatMap(volume =>
    stringAt(volume, 'persistentVolumeClaim', 'claimName') === claim ? (stringAt(volume, 'name') ?? []) : [],
  );
