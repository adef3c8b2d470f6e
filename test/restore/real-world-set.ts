import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {parseAllDocuments} from 'yaml';
import {z} from 'zod';
import type {KubeObject} from '../../src/cluster/object.ts';
import {goModule} from '../bed/go-module.ts';
import {kubeObject} from './objects.ts';

/** What a team runs: three operators as their projects release them, and what uses them. */

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({name: z.string(), namespace: z.string().optional()}),
});

const CLUSTER_SCOPED = new Set([
  'Namespace',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
]);

async function released(file: string, namespace: string): Promise<KubeObject[]> {
  const documents = parseAllDocuments(await readFile(file, 'utf8'));
  return documents.flatMap(document => {
    const value: unknown = document.toJS();
    if (value === null) return [];
    const {apiVersion, kind, metadata, ...fields} = manifest.parse(value);
    const place = CLUSTER_SCOPED.has(kind) ? {} : {namespace: metadata.namespace ?? namespace};
    return [{...JSON.parse(JSON.stringify(fields)), apiVersion, kind, metadata: {...metadata, ...place}}];
  });
}

const inside = (namespace: string, object: KubeObject): KubeObject => ({
  ...object,
  metadata: {...object.metadata, namespace},
});

/** Namespaces of the set. */
export const REAL_WORLD_NAMESPACES = ['argocd', 'cnpg-system', 'default', 'orders', 'certificates'];

/** Every object, in an order in which a person could create it. */
export async function realWorldSet(): Promise<KubeObject[]> {
  const [argo, postgres, prometheus] = await Promise.all([
    goModule('github.com/argoproj/argo-cd/v3', 'v3.1.0', 'h1:2+gPskQKCyPC9DzRSWQ1AvmS3WiIlRR7bKz/FO3DozI='),
    goModule(
      'github.com/cloudnative-pg/cloudnative-pg',
      'v1.27.0',
      'h1:mp0zlYO4vKAJmQdArWORWKr1lmB4Hj8JeBQGX5RBnpg=',
    ),
    goModule(
      'github.com/prometheus-operator/prometheus-operator',
      'v0.85.0',
      'h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=',
    ),
  ]);
  const objects = [
    ...namespaces(),
    ...(await released(join(argo, 'manifests', 'install.yaml'), 'argocd')),
    ...(await released(join(postgres, 'releases', 'cnpg-1.27.0.yaml'), 'cnpg-system')),
    ...(await released(join(prometheus, 'bundle.yaml'), 'default')),
    ...certificates(),
    ...orders(),
  ];
  const rank = ({kind}: KubeObject) =>
    kind === 'CustomResourceDefinition'
      ? 0
      : kind === 'Namespace'
        ? 1
        : kind.endsWith('WebhookConfiguration')
          ? 3
          : 2;
  const unique = new Map(
    objects.map(object => [`${object.kind} ${object.metadata.namespace} ${object.metadata.name}`, object]),
  );
  return [...unique.values()].sort((a, b) => rank(a) - rank(b));
}

const namespaces = () =>
  REAL_WORLD_NAMESPACES.filter(name => name !== 'default').map(name =>
    kubeObject('v1', 'Namespace', name, {
      metadata: {
        labels: {'pod-security.kubernetes.io/enforce': name === 'orders' ? 'restricted' : 'baseline'},
      },
    }),
  );

/** In the shape of cert-manager: blocking webhooks whose CA a controller injects, and Secrets that custom resources own. */
function certificates(): KubeObject[] {
  const group = 'certificates.example.com';
  const namespace = 'certificates';
  const clientConfig = {service: {namespace, name: 'webhook', path: '/validate', port: 443}};
  const webhook = {
    name: 'webhook.certificates.example.com',
    failurePolicy: 'Fail',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    clientConfig,
    rules: [{apiGroups: [group], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['*']}],
  };
  const injected = {annotations: {'cert-manager.io/inject-ca-from-secret': 'certificates/webhook-ca'}};
  const labels = {app: 'webhook'};
  return [
    kubeObject('apiextensions.k8s.io/v1', 'CustomResourceDefinition', `certificates.${group}`, {
      metadata: injected,
      spec: {
        group,
        scope: 'Namespaced',
        names: {
          kind: 'Certificate',
          plural: 'certificates',
          singular: 'certificate',
          listKind: 'CertificateList',
        },
        versions: ['v1', 'v1beta1'].map(name => ({
          name,
          served: true,
          storage: name === 'v1',
          schema: {openAPIV3Schema: {type: 'object', 'x-kubernetes-preserve-unknown-fields': true}},
          subresources: {status: {}},
        })),
        conversion: {
          strategy: 'Webhook',
          webhook: {
            conversionReviewVersions: ['v1'],
            clientConfig: {service: {...clientConfig.service, path: '/convert'}},
          },
        },
      },
    }),
    inside(
      namespace,
      kubeObject('v1', 'Secret', 'webhook-ca', {
        type: 'kubernetes.io/tls',
        data: {'tls.crt': 'eA==', 'tls.key': 'eA=='},
      }),
    ),
    inside(namespace, kubeObject('v1', 'ServiceAccount', 'webhook', {automountServiceAccountToken: false})),
    inside(
      namespace,
      kubeObject('v1', 'Service', 'webhook', {
        spec: {selector: labels, ports: [{port: 443, targetPort: 10250}]},
      }),
    ),
    inside(
      namespace,
      kubeObject('apps/v1', 'Deployment', 'webhook', {
        spec: {
          replicas: 2,
          selector: {matchLabels: labels},
          template: {
            metadata: {labels},
            spec: {
              serviceAccountName: 'webhook',
              containers: [{name: 'webhook', image: 'localhost/webhook:1'}],
            },
          },
        },
      }),
    ),
    ...(['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'] as const).map(kind =>
      kubeObject('admissionregistration.k8s.io/v1', kind, 'certificates-webhook', {
        metadata: injected,
        webhooks: [webhook],
      }),
    ),
  ];
}

/** An application of a team that uses all of them. */
function orders(): KubeObject[] {
  const of = (apiVersion: string, kind: string, name: string, rest = {}) =>
    inside('orders', kubeObject(apiVersion, kind, name, rest));
  return [
    inside(
      'argocd',
      kubeObject('argoproj.io/v1alpha1', 'AppProject', 'team', {
        spec: {
          sourceRepos: ['https://git.example.com/orders.git'],
          destinations: [{namespace: 'orders', server: '*'}],
        },
      }),
    ),
    inside(
      'argocd',
      kubeObject('argoproj.io/v1alpha1', 'Application', 'orders', {
        metadata: {finalizers: ['resources-finalizer.argocd.argoproj.io']},
        spec: {
          project: 'team',
          source: {repoURL: 'https://git.example.com/orders.git', path: 'deploy', targetRevision: 'main'},
          destination: {server: 'https://kubernetes.default.svc', namespace: 'orders'},
          syncPolicy: {automated: {prune: true, selfHeal: true}},
        },
      }),
    ),
    of('postgresql.cnpg.io/v1', 'Cluster', 'db', {
      spec: {
        instances: 3,
        storage: {size: '1Gi'},
        bootstrap: {initdb: {database: 'orders', owner: 'orders'}},
      },
    }),
    of('postgresql.cnpg.io/v1', 'ScheduledBackup', 'nightly', {
      spec: {schedule: '0 0 2 * * *', cluster: {name: 'db'}},
    }),
    of('monitoring.coreos.com/v1', 'ServiceMonitor', 'web', {
      spec: {selector: {matchLabels: {app: 'web'}}, endpoints: [{port: 'http'}]},
    }),
    of('monitoring.coreos.com/v1', 'PrometheusRule', 'slow', {
      spec: {groups: [{name: 'orders', rules: [{alert: 'Slow', expr: 'up == 0', for: '5m'}]}]},
    }),
    of('certificates.example.com/v1', 'Certificate', 'web', {
      spec: {secretName: 'web-tls', dnsNames: ['orders.example.com']},
    }),
  ];
}
