import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {applyObject, deleteObject, readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {listAll} from '../../src/cluster/list.ts';
import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {waitHealthy} from '../../src/cluster/wait-healthy.ts';
import {BUSYBOX_IMAGE} from '../../src/image/busybox.ts';
import {MOVER_IMAGE, moverImage} from '../../src/image/mover.ts';
import {layoutFor} from '../../src/local/layout.ts';
import {hostIp} from '../../src/local/network.ts';
import {readState} from '../../src/local/state.ts';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {stringAt} from '../../src/std/json-at.ts';
import {waitFor} from '../../src/std/wait.ts';
import {MOVER_LABEL} from '../../src/volume/mover/job.ts';
import type {MoverSettings} from '../../src/volume/mover/settings.ts';
import {openRestic, type Restic} from '../../src/volume/restic.ts';
import {type FaultyStore, makeFaulty} from './faulty-store.ts';
import {startLocalCluster} from './local-cluster.ts';

export const SETTINGS: MoverSettings = {
  image: MOVER_IMAGE,
  transport: 'stream',
  runAs: 'auto',
  parallel: 8,
  perNode: 2,
  timeoutMs: 30 * 60_000,
  requests: {cpu: '10m', memory: '32Mi'},
  limits: {memory: '1Gi'},
};

/** Of every repository that a bed keeps. */
export const PASSPHRASE = 'correct horse';
/** A store that does not answer is found out sooner than elsewhere. */
const STALL_MS = 1500;

export interface VolumeBed {
  cluster: Cluster;
  kubeconfig: string;
  name: string;
  /** The address of this machine that a pod sees, when the cluster is not isolated. */
  hostAddress: string;
  /** Makes a repository at a URL; in a folder of its own without one. */
  keep(
    url?: string,
    store?: OpenStoreOptions,
  ): Promise<{repository: Repository; restic: Restic; store: FaultyStore}>;
  /** Creates objects and waits until the workloads and pods among them are healthy. */
  create(...objects: KubeObject[]): Promise<void>;
  /** The folder of this machine that a claim's volume is; the volume must be of class local-path. */
  folderOf(namespace: string, claim: string): Promise<string>;
  /** Deletes a namespace with all that is in it, and waits until it is gone. */
  remove(namespace: string): Promise<void>;
  /** What movers left in the cluster. */
  leftovers(): Promise<string[]>;
  stop(): Promise<void>;
}

/** A real cluster whose volumes are folders of this machine, so that a test looks into them past Kubernetes. */
export async function startVolumeBed({
  images = [],
  isolated = true,
}: {
  images?: readonly string[];
  /** Pods have no way out, as a drill wants it. */
  isolated?: boolean;
} = {}): Promise<VolumeBed> {
  const signal = AbortSignal.timeout(170_000);
  const dir = await mkdtemp(join(tmpdir(), 'pra-volumes-'));
  const local = await startLocalCluster({images: [await moverImage({signal}), ...images], isolated});
  const cluster = await connectCluster({kubeconfig: local.kubeconfig});
  let repositories = 0;
  return {
    cluster,
    kubeconfig: local.kubeconfig,
    name: local.name,
    hostAddress: hostIp(readState(layoutFor(local.name).stateFile)?.subnet ?? 0),
    keep: async (url, store) => {
      repositories += 1;
      const opened = makeFaulty(
        await openStore(url ?? `file://${join(dir, `repository-${repositories}`)}`, store),
      );
      const repository = await initRepository(opened, {passphrase: PASSPHRASE});
      return {
        repository,
        store: opened,
        restic: await openRestic({
          repository,
          store,
          stallMs: STALL_MS,
          signal: new AbortController().signal,
        }),
      };
    },
    create: async (...objects) => {
      for (const object of objects) await applyObject(cluster, typeOf(object), object);
      const workloads = objects.filter(({kind}) => ['Pod', 'Deployment', 'StatefulSet'].includes(kind));
      if (workloads.length === 0) return;
      const targets = workloads.map(object => ({
        type: typeOf(object),
        name: object.metadata.name,
        namespace: object.metadata.namespace,
      }));
      const {healthy, worst} = await waitHealthy(cluster, targets, {timeoutMs: 300_000, pollMs: 200});
      if (!healthy) throw new Error(`${worst?.ref}: ${worst?.reason}`);
    },
    folderOf: (namespace, claim) =>
      waitFor(
        async () => {
          const volumes = await listAll(cluster, CORE_TYPES.PersistentVolume, {});
          const mine = volumes.find(
            volume =>
              stringAt(volume, 'spec', 'claimRef', 'namespace') === namespace &&
              stringAt(volume, 'spec', 'claimRef', 'name') === claim,
          );
          return stringAt(mine, 'spec', 'hostPath', 'path') ?? stringAt(mine, 'spec', 'local', 'path');
        },
        {waitingFor: `the volume of ${claim}`, timeoutMs: 300_000},
      ),
    remove: async namespace => {
      await deleteObject(cluster, CORE_TYPES.Namespace, {name: namespace});
      const isGone = async () =>
        (await readObject(cluster, CORE_TYPES.Namespace, {name: namespace})) === undefined ? true : undefined;
      await waitFor(isGone, {waitingFor: `namespace ${namespace} to be gone`, timeoutMs: 300_000});
    },
    leftovers: async () => {
      const found: string[] = [];
      for (const type of [
        CORE_TYPES.Job,
        CORE_TYPES.Pod,
        CORE_TYPES.PersistentVolumeClaim,
        CORE_TYPES.Secret,
      ])
        for (const object of await listAll(cluster, type, {labelSelector: MOVER_LABEL}))
          found.push(`${object.kind} ${object.metadata.namespace}/${object.metadata.name}`);
      return found;
    },
    stop: async () => {
      await cluster.close();
      await local.stop();
      await rm(dir, {recursive: true, force: true});
    },
  };
}

const TYPES: readonly ResourceType[] = Object.values(CORE_TYPES);

function typeOf(object: KubeObject): ResourceType {
  const type = TYPES.find(
    ({kind, group, version}) =>
      kind === object.kind && (group === '' ? version : `${group}/${version}`) === object.apiVersion,
  );
  if (!type) throw new Error(`the bed does not know ${object.kind}`);
  return type;
}

export const namespaceObject = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {name, labels},
});

export const claimObject = (
  namespace: string,
  name: string,
  spec: Record<string, unknown> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: {name, namespace, labels: {app: name}},
  spec: JSON.parse(
    JSON.stringify({accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}, ...spec}),
  ),
});

/** A pod under the restricted Pod Security Standard that mounts a claim and does nothing. */
export const idlePod = (
  namespace: string,
  name: string,
  claim: string,
  {uid = 1000, fsGroup}: {uid?: number; fsGroup?: number} = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {name, namespace, labels: {app: name}},
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: uid,
      ...(fsGroup === undefined ? {} : {fsGroup}),
      seccompProfile: {type: 'RuntimeDefault'},
    },
    containers: [
      {
        name: 'main',
        image: BUSYBOX_IMAGE,
        command: ['sleep', '100000'],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: {drop: ['ALL']},
        },
        volumeMounts: [{name: 'data', mountPath: '/data'}],
      },
    ],
    volumes: [{name: 'data', persistentVolumeClaim: {claimName: claim}}],
  },
});
