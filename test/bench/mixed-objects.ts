import type {KubeObject} from '../../src/cluster/object.ts';

/** A generator of numbers that gives the same ones in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const WORDS =
  'host port user timeout retry cache queue level info debug path data store index shard node pool limit burst rate region zone cluster service token issuer audience enabled disabled true false format json text color theme cart order price tax total invoice customer mail template subject body footer'.split(
    ' ',
  );

export interface Recipe {
  /** Resource in etcd's keys, with the group where the API server adds it. */
  registry: string;
  /** Of 100 objects. */
  share: number;
  make: (name: string, namespace: string, random: () => number) => KubeObject;
}

const pick = (random: () => number) => WORDS[Math.floor(random() * WORDS.length)] ?? '';
const settings = (random: () => number, lines: number) =>
  Array.from(
    {length: lines},
    () => `${pick(random)}.${pick(random)} = ${pick(random)}-${Math.floor(random() * 1e6)}`,
  ).join('\n');
const bytes = (random: () => number, count: number) =>
  Buffer.from(Array.from({length: count}, () => Math.floor(random() * 256))).toString('base64');
const labels = (name: string) => ({
  'app.kubernetes.io/name': name,
  'app.kubernetes.io/part-of': 'shop',
  'app.kubernetes.io/managed-by': 'helm',
});

/** Kinds in about the shares that they have in clusters of many teams, without what controllers make again. */
export const RECIPES: readonly Recipe[] = [
  {
    registry: 'configmaps',
    share: 30,
    make: (name, namespace, random) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {name, namespace, labels: labels(name)},
      data: {
        'application.properties': settings(random, 5 + Math.floor(random() * 40)),
        LOG_LEVEL: pick(random),
      },
    }),
  },
  {
    registry: 'secrets',
    share: 15,
    make: (name, namespace, random) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {name, namespace, labels: labels(name)},
      type: 'Opaque',
      data: {username: bytes(random, 8), password: bytes(random, 24), 'tls.key': bytes(random, 64)},
    }),
  },
  {
    registry: 'deployments',
    share: 20,
    make: (name, namespace, random) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name,
        namespace,
        labels: labels(name),
        annotations: {'deployment.kubernetes.io/revision': '3'},
      },
      spec: {
        replicas: 1 + Math.floor(random() * 4),
        selector: {matchLabels: {app: name}},
        template: {
          metadata: {labels: {app: name}},
          spec: {
            securityContext: {runAsNonRoot: true, seccompProfile: {type: 'RuntimeDefault'}},
            containers: [
              {
                name: 'main',
                image: `registry.example/${namespace}/${name}:1.${Math.floor(random() * 100)}.${Math.floor(random() * 100)}`,
                ports: [{containerPort: 8080}],
                env: [
                  {name: 'MODE', value: pick(random)},
                  {name: 'PASSWORD', valueFrom: {secretKeyRef: {name, key: 'password', optional: true}}},
                ],
                resources: {
                  requests: {cpu: `${50 + Math.floor(random() * 400)}m`, memory: '128Mi'},
                  limits: {memory: '256Mi'},
                },
                readinessProbe: {httpGet: {path: '/healthz', port: 8080}},
                securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true},
              },
            ],
          },
        },
      },
    }),
  },
  {
    registry: 'services/specs',
    share: 10,
    make: (name, namespace) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {name, namespace, labels: labels(name)},
      spec: {clusterIP: 'None', selector: {app: name}, ports: [{name: 'http', port: 80, targetPort: 8080}]},
    }),
  },
  {
    registry: 'serviceaccounts',
    share: 8,
    make: (name, namespace) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: {name, namespace, labels: labels(name)},
      automountServiceAccountToken: false,
    }),
  },
  {
    registry: 'rolebindings',
    share: 5,
    make: (name, namespace) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: {name, namespace, labels: labels(name)},
      roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view'},
      subjects: [{kind: 'ServiceAccount', name, namespace}],
    }),
  },
  {
    registry: 'networkpolicies',
    share: 5,
    make: (name, namespace) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: {name, namespace, labels: labels(name)},
      spec: {
        podSelector: {matchLabels: {app: name}},
        policyTypes: ['Ingress'],
        ingress: [{from: [{podSelector: {}}], ports: [{port: 8080, protocol: 'TCP'}]}],
      },
    }),
  },
  {
    registry: 'shop.example/widgets',
    share: 7,
    make: (name, namespace, random) => ({
      apiVersion: 'shop.example/v1',
      kind: 'Widget',
      metadata: {name, namespace, labels: labels(name)},
      spec: {color: pick(random), size: Math.floor(random() * 1000), notes: settings(random, 4)},
    }),
  },
];

export const WIDGET_CRD: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {name: 'widgets.shop.example'},
  spec: {
    group: 'shop.example',
    scope: 'Namespaced',
    names: {kind: 'Widget', plural: 'widgets', singular: 'widget'},
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {openAPIV3Schema: {type: 'object', 'x-kubernetes-preserve-unknown-fields': true}},
      },
    ],
  },
};
