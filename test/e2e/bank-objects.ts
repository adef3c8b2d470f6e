import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {type Document, parseAllDocuments} from 'yaml';
import type {KubeObject} from '../../src/cluster/object.ts';
import {BUSYBOX_IMAGE} from '../../src/image/busybox.ts';
import {quickstartDir} from '../../src/quickstart/manifests.ts';
import type {JsonObject} from '../../src/std/json.ts';
import {CSI} from '../bed/csi.ts';
import {claimObject, namespaceObject} from '../bed/volume-bed.ts';
import {databaseOf, HELD, KEEP, LOCAL_CLASS, METHODS, type Method, NAMESPACES} from './bank-plan.ts';

const RESTRICTED = {'pod-security.kubernetes.io/enforce': 'restricted'};
/** Whose a volume is that nothing mounts nobody knows, so that only root can read all of it. */
const BASELINE = {'pod-security.kubernetes.io/enforce': 'baseline'};
export const USER = 1000;
/** Claims of the namespace in which nothing runs. */
export const ARCHIVE = 'data-archive-0';
export const PAPERS = 'papers';

/** The database of the quickstart once for each method, in a namespace and on a class of its own. */
export async function databaseObjects(): Promise<KubeObject[]> {
  const file = join(quickstartDir(), 'manifests', '20-database.yaml');
  const manifest = await readFile(file, 'utf8');
  const objects = METHODS.flatMap(method => {
    const text = manifest.replaceAll('shop-db', databaseOf(method));
    return parseAllDocuments(text).map(document => adapted(document, method));
  });
  return [...METHODS.map(method => namespaceObject(databaseOf(method), RESTRICTED)), ...objects];
}

function adapted(document: Document, method: Method): KubeObject {
  if (document.get('kind') === 'StatefulSet') {
    const storageClass = method === 'csi' ? CSI.storageClass : LOCAL_CLASS;
    document.setIn(['spec', 'volumeClaimTemplates', 0, 'spec', 'storageClassName'], storageClass);
    if (method === 'filesystem')
      for (const [label, value] of Object.entries(HELD))
        document.setIn(['spec', 'template', 'metadata', 'labels', label], value);
  }
  return document.toJS();
}

const still = {
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: 0,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: USER,
    runAsGroup: USER,
    fsGroup: USER,
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
} satisfies JsonObject;

/** A set that will be scaled to zero, and a claim with a pod that will be gone. */
export const quietObjects = (): KubeObject[] => [
  namespaceObject(NAMESPACES.quiet, BASELINE),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {name: 'archive', namespace: NAMESPACES.quiet},
    spec: {clusterIP: 'None', selector: {app: 'archive'}},
  },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {name: 'archive', namespace: NAMESPACES.quiet},
    spec: {
      serviceName: 'archive',
      replicas: 1,
      selector: {matchLabels: {app: 'archive'}},
      template: {metadata: {labels: {app: 'archive'}}, spec: still},
      volumeClaimTemplates: [
        {
          metadata: {name: 'data'},
          spec: {
            storageClassName: CSI.storageClass,
            accessModes: ['ReadWriteOnce'],
            resources: {requests: {storage: '64Mi'}},
          },
        },
      ],
    },
  },
  {
    ...claimObject(NAMESPACES.quiet, PAPERS, {storageClassName: LOCAL_CLASS}),
    metadata: {name: PAPERS, namespace: NAMESPACES.quiet, labels: KEEP},
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name: PAPERS, namespace: NAMESPACES.quiet},
    spec: {...still, volumes: [{name: 'data', persistentVolumeClaim: {claimName: PAPERS}}]},
  },
];
