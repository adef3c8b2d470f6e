import type {KubeObject} from '../../src/cluster/object.ts';
import type {JsonObject} from '../../src/std/json.ts';
import {kubeObject, workload} from './objects.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';
const pod = {containers: [{name: 'main', image: 'localhost/app:1'}], restartPolicy: 'Never'};

const definition = kubeObject('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'carts.shop.example', {
  spec: {
    group: 'shop.example',
    scope: 'Namespaced',
    names: {kind: 'Cart', plural: 'carts', singular: 'cart', listKind: 'CartList'},
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {openAPIV3Schema: {type: 'object', 'x-kubernetes-preserve-unknown-fields': true}},
      },
    ],
    conversion: {
      strategy: 'Webhook',
      webhook: {
        conversionReviewVersions: ['v1'],
        clientConfig: {service: {namespace: 'shop', name: 'hook', port: 443}},
      },
    },
  },
});

const quantity = {cpu: '10', memory: '10Gi'};

/** What a shop is made of, in the order in which a person would create it. `namespace` is `shop` throughout. */
export const MIXED_SET: readonly KubeObject[] = [
  definition,
  kubeObject('v1', 'Namespace', 'shop', {
    metadata: {
      labels: {'pod-security.kubernetes.io/enforce': 'restricted', team: 'a'},
      annotations: {note: 'kept'},
    },
  }),
  kubeObject('storage.k8s.io/v1', 'StorageClass', 'fast', {provisioner: 'example.com/disk'}),
  kubeObject('storage.k8s.io/v1', 'StorageClass', 'unused', {provisioner: 'example.com/disk'}),
  kubeObject('scheduling.k8s.io/v1', 'PriorityClass', 'urgent', {value: 1000}),
  kubeObject('v1', 'ResourceQuota', 'quota', {spec: {hard: {'count/configmaps': '50', ...quantity}}}),
  kubeObject('v1', 'LimitRange', 'limits', {spec: {limits: [{type: 'Container', default: {cpu: '1'}}]}}),
  kubeObject('v1', 'ServiceAccount', 'default', {automountServiceAccountToken: false}),
  kubeObject('v1', 'ServiceAccount', 'operator', {
    metadata: {annotations: {'eks.amazonaws.com/role-arn': 'arn:x'}},
  }),
  kubeObject(RBAC, 'ClusterRole', 'cart-operator', {
    rules: [{apiGroups: ['shop.example'], resources: ['carts'], verbs: ['*']}],
  }),
  kubeObject(RBAC, 'ClusterRole', 'unrelated', {rules: []}),
  kubeObject(RBAC, 'ClusterRoleBinding', 'cart-operator', {
    roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cart-operator'},
    subjects: [{kind: 'ServiceAccount', namespace: 'shop', name: 'operator'}],
  }),
  kubeObject(RBAC, 'Role', 'reader', {rules: [{apiGroups: [''], resources: ['pods'], verbs: ['get']}]}),
  kubeObject(RBAC, 'RoleBinding', 'reader', {
    roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader'},
    subjects: [{kind: 'ServiceAccount', namespace: 'shop', name: 'default'}],
  }),
  kubeObject('v1', 'Secret', 'db-credentials', {type: 'Opaque', data: {password: 'aHVudGVyMg=='}}),
  kubeObject('v1', 'Secret', 'release', {type: 'helm.sh/release.v1', data: {release: 'eA=='}}),
  kubeObject('v1', 'Secret', 'operator-token', {
    type: 'kubernetes.io/service-account-token',
    metadata: {annotations: {'kubernetes.io/service-account.name': 'operator'}},
  }),
  kubeObject('v1', 'ConfigMap', 'kube-root-ca.crt', {data: {'ca.crt': 'x'}}),
  kubeObject('v1', 'ConfigMap', 'web', {
    data: {b: '2', a: '1'},
    metadata: {annotations: {'kubectl.kubernetes.io/last-applied-configuration': '{}'}},
  }),
  kubeObject('v1', 'PersistentVolumeClaim', 'data-db-0', {
    metadata: {labels: {app: 'db'}, annotations: {'pv.kubernetes.io/bind-completed': 'yes'}},
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'fast',
      volumeName: 'pv-1',
      resources: {requests: {storage: '1Gi'}},
    },
  }),
  kubeObject('v1', 'PersistentVolume', 'pv-1', {
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: {storage: '1Gi'},
      storageClassName: 'fast',
      claimRef: {namespace: 'shop', name: 'data-db-0'},
      csi: {driver: 'example.com', volumeHandle: 'disk-of-production'},
    },
  }),
  ...[
    service('web', {type: 'ClusterIP'}),
    service('db', {clusterIP: 'None'}),
    service('node', {type: 'NodePort'}),
    service('public', {type: 'LoadBalancer'}),
    service('hook', {}),
  ],
  kubeObject('v1', 'Service', 'elsewhere', {spec: {type: 'ExternalName', externalName: 'db.example.com'}}),
  kubeObject('v1', 'Service', 'manual', {spec: {ports: [{port: 80}]}}),
  kubeObject('v1', 'Endpoints', 'manual', {subsets: [{addresses: [{ip: '192.0.2.7'}], ports: [{port: 80}]}]}),
  kubeObject('coordination.k8s.io/v1', 'Lease', 'leader', {spec: {holderIdentity: 'x'}}),
  kubeObject('networking.k8s.io/v1', 'NetworkPolicy', 'deny', {
    spec: {podSelector: {}, policyTypes: ['Ingress']},
  }),
  kubeObject('shop.example/v1', 'Cart', 'first', {
    spec: {items: 3},
    metadata: {finalizers: ['shop.example/cleanup']},
  }),
  workload('Deployment', 'operator', {serviceAccountName: 'operator'}),
  workload('Deployment', 'web', {
    priorityClassName: 'urgent',
    volumes: [{name: 'c', configMap: {name: 'web'}}],
  }),
  workload('Deployment', 'idle', {}, {replicas: 0}),
  workload('DaemonSet', 'agent'),
  workload(
    'StatefulSet',
    'db',
    {containers: [{name: 'main', image: 'localhost/db:1', envFrom: [{secretRef: {name: 'db-credentials'}}]}]},
    {
      serviceName: 'db',
      volumeClaimTemplates: [
        {
          metadata: {name: 'data'},
          spec: {
            accessModes: ['ReadWriteOnce'],
            storageClassName: 'fast',
            resources: {requests: {storage: '1Gi'}},
          },
        },
      ],
    },
  ),
  kubeObject('batch/v1', 'CronJob', 'mail', {
    spec: {schedule: '0 3 * * *', jobTemplate: {spec: {template: {spec: pod}}}},
  }),
  kubeObject('batch/v1', 'CronJob', 'paused', {
    spec: {schedule: '0 3 * * *', suspend: true, jobTemplate: {spec: {template: {spec: pod}}}},
  }),
  ...['running', 'complete', 'failed'].map(name =>
    kubeObject('batch/v1', 'Job', name, {spec: {template: {spec: pod}}}),
  ),
  kubeObject('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
    spec: {
      scaleTargetRef: {apiVersion: 'apps/v1', kind: 'Deployment', name: 'web'},
      minReplicas: 2,
      maxReplicas: 4,
      metrics: [],
    },
  }),
  kubeObject('policy/v1', 'PodDisruptionBudget', 'web', {
    spec: {minAvailable: 1, selector: {matchLabels: {app: 'web'}}},
  }),
  kubeObject('networking.k8s.io/v1', 'Ingress', 'web', {
    spec: {
      rules: [
        {
          host: 'shop.example.com',
          http: {
            paths: [{path: '/', pathType: 'Prefix', backend: {service: {name: 'web', port: {number: 80}}}}],
          },
        },
      ],
    },
  }),
  kubeObject('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'carts', {
    webhooks: [
      {
        name: 'carts.shop.example',
        failurePolicy: 'Fail',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        clientConfig: {service: {namespace: 'shop', name: 'hook'}},
        rules: [
          {apiGroups: ['shop.example'], apiVersions: ['*'], operations: ['CREATE'], resources: ['none-such']},
        ],
      },
    ],
  }),
];

/** Objects that others own, made once their owners have a UID: what owns each is its second part. */
export const OWNED_SET: readonly {
  object: KubeObject;
  owner: {apiVersion: string; kind: string; name: string};
  controller?: boolean;
}[] = [
  {
    object: kubeObject('v1', 'Secret', 'cart-key', {data: {}}),
    owner: {apiVersion: 'shop.example/v1', kind: 'Cart', name: 'first'},
  },
  {
    object: kubeObject('shop.example/v1', 'Cart', 'second'),
    owner: {apiVersion: 'shop.example/v1', kind: 'Cart', name: 'first'},
  },
  {
    object: kubeObject('v1', 'ConfigMap', 'of-cart', {}),
    owner: {apiVersion: 'shop.example/v1', kind: 'Cart', name: 'second'},
  },
  {
    object: kubeObject('v1', 'ConfigMap', 'orphan', {}),
    owner: {apiVersion: 'batch/v1', kind: 'Job', name: 'complete'},
  },
  {
    object: workload('ReplicaSet', 'web-1'),
    owner: {apiVersion: 'apps/v1', kind: 'Deployment', name: 'web'},
    controller: true,
  },
  {
    object: kubeObject('batch/v1', 'Job', 'mail-1', {spec: {template: {spec: pod}}}),
    owner: {apiVersion: 'batch/v1', kind: 'CronJob', name: 'mail'},
    controller: true,
  },
];

function service(name: string, spec: JsonObject): KubeObject {
  return kubeObject('v1', 'Service', name, {spec: {selector: {app: name}, ports: [{port: 80}], ...spec}});
}
