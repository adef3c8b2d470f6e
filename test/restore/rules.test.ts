import {describe, expect, test} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import {EMPTY_POLICY, type RestorePolicy} from '../../src/restore/policy.ts';
import {compilePreparation} from '../../src/restore/prepare.ts';
import type {RestoreMode} from '../../src/restore/rules/rule.ts';
import {isTokenSecret} from '../../src/snapshot/exclude.ts';
import {kubeObject, target, workload} from './objects.ts';

const NETWORKING = 'networking.k8s.io/v1';
const ADMISSION = 'admissionregistration.k8s.io/v1';

interface Setting {
  mode?: RestoreMode;
  inert?: boolean;
  policy?: Partial<RestorePolicy>;
  others?: readonly KubeObject[];
}

/** What becomes of one object, in a recovery that starts everything at once unless the setting says otherwise. */
function prepare(
  object: KubeObject,
  {mode = 'recover', inert = false, policy = {}, others = []}: Setting = {},
) {
  return compilePreparation({
    mode,
    inert,
    target: target(),
    policy: {...EMPTY_POLICY, ...policy},
    find: (kind, namespace, name) =>
      others.find(
        other =>
          kind.split('.')[0] === other.kind &&
          other.metadata.name === name &&
          other.metadata.namespace === namespace,
      ),
  })(object);
}

const drill: Setting = {mode: 'drill', inert: true};
const controlledBy = (kind: string, name: string) => ({
  metadata: {ownerReferences: [{apiVersion: 'v1', kind, name, uid: 'u', controller: true}]},
});
const service = (spec: Record<string, never> | object) =>
  kubeObject('v1', 'Service', 'web', {spec: JSON.parse(JSON.stringify(spec))});

describe('objects that are left out', () => {
  test.each<[string, KubeObject, string, Setting?]>([
    ['Event', kubeObject('v1', 'Event', 'e'), 'never-restored'],
    ['Node', kubeObject('v1', 'Node', 'n'), 'never-restored'],
    ['Lease', kubeObject('coordination.k8s.io/v1', 'Lease', 'l'), 'never-restored'],
    ['ControllerRevision', kubeObject('apps/v1', 'ControllerRevision', 'r'), 'never-restored'],
    ['Velero Backup', kubeObject('velero.io/v1', 'Backup', 'b'), 'never-restored'],
    ['kube-root-ca.crt', kubeObject('v1', 'ConfigMap', 'kube-root-ca.crt'), 'never-restored'],
    [
      'pod of a ReplicaSet',
      kubeObject('v1', 'Pod', 'p', controlledBy('ReplicaSet', 'web')),
      'never-restored',
    ],
    [
      'ReplicaSet of a Deployment',
      kubeObject('apps/v1', 'ReplicaSet', 'r', controlledBy('Deployment', 'web')),
      'never-restored',
    ],
    [
      'Job of a CronJob',
      kubeObject('batch/v1', 'Job', 'j', controlledBy('CronJob', 'mail')),
      'never-restored',
    ],
    [
      'mirror pod',
      kubeObject('v1', 'Pod', 'p', {metadata: {annotations: {'kubernetes.io/config.mirror': 'x'}}}),
      'never-restored',
    ],
    [
      'service account token',
      kubeObject('v1', 'Secret', 's', {
        type: 'kubernetes.io/service-account-token',
        metadata: {annotations: {'kubernetes.io/service-account.name': 'web'}},
      }),
      'never-restored',
    ],
    [
      'EndpointSlice of a Service',
      kubeObject('discovery.k8s.io/v1', 'EndpointSlice', 's', {
        metadata: {labels: {'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io'}},
      }),
      'never-restored',
    ],
    ['Endpoints without a Service', kubeObject('v1', 'Endpoints', 'lost', {subsets: []}), 'endpoints'],
    [
      'Endpoints of a Service with a selector',
      kubeObject('v1', 'Endpoints', 'web', {subsets: [{addresses: [{ip: '10.0.0.1'}]}]}),
      'endpoints',
      {others: [service({selector: {app: 'web'}})]},
    ],
    [
      'the API server’s own Service',
      kubeObject('v1', 'Service', 'kubernetes', {metadata: {namespace: 'default'}}),
      'built-in',
    ],
    [
      'bootstrap ClusterRole',
      kubeObject('rbac.authorization.k8s.io/v1', 'ClusterRole', 'admin', {
        metadata: {labels: {'kubernetes.io/bootstrapping': 'rbac-defaults'}},
      }),
      'built-in',
    ],
    [
      'automanaged APIService',
      kubeObject('apiregistration.k8s.io/v1', 'APIService', 'v1.apps', {
        metadata: {labels: {'kube-aggregator.kubernetes.io/automanaged': 'onstart'}},
      }),
      'built-in',
    ],
    [
      'PersistentVolume',
      kubeObject('v1', 'PersistentVolume', 'pv', {spec: {csi: {volumeHandle: 'disk-1'}}}),
      'no-source-volume',
    ],
    [
      'cluster credentials of Argo CD',
      kubeObject('v1', 'Secret', 'c', {metadata: {labels: {'argocd.argoproj.io/secret-type': 'cluster'}}}),
      'argo-cluster-secret',
      drill,
    ],
  ])('%s', (_, object, rule, setting) => {
    const prepared = prepare(object, setting);
    expect(prepared.action).toBe('skip');
    expect(prepared.notes.at(-1)?.rule).toBe(rule);
    expect(prepared.notes.at(-1)?.reason).not.toBe('');
  });
});

describe('objects that come back as they are', () => {
  const kept: [string, KubeObject, Setting?][] = [
    ['Opaque Secret', kubeObject('v1', 'Secret', 's', {type: 'Opaque', data: {a: 'Yg=='}})],
    ['TLS Secret', kubeObject('v1', 'Secret', 's', {type: 'kubernetes.io/tls', data: {}})],
    ['helm release', kubeObject('v1', 'Secret', 'sh.helm.release.v1.web.v1', {type: 'helm.sh/release.v1'})],
    [
      'Secret of the token type without its annotation',
      kubeObject('v1', 'Secret', 's', {type: 'kubernetes.io/service-account-token'}),
    ],
    ['pod without an owner', kubeObject('v1', 'Pod', 'p', {spec: {containers: []}})],
    ['ReplicaSet without an owner', workload('ReplicaSet', 'r')],
    ['headless Service', service({clusterIP: 'None', clusterIPs: ['None']})],
    ['Deployment in a recovery', workload('Deployment', 'web')],
    [
      'default ServiceAccount',
      kubeObject('v1', 'ServiceAccount', 'default', {automountServiceAccountToken: false}),
    ],
    [
      'Endpoints written by hand',
      kubeObject('v1', 'Endpoints', 'web', {subsets: [{addresses: [{ip: '10.0.0.1'}]}]}),
      {others: [service({ports: []})]},
    ],
    ['NodePort Service in a recovery', service({type: 'NodePort', ports: [{port: 80, nodePort: 30080}]})],
  ];
  test.each(kept)('%s', (_, object, setting) => {
    const prepared = prepare(object, setting);
    expect(prepared.action).toBe('keep');
    expect(prepared.object).toEqual(object);
  });
  test('the judgement of token Secrets goes by type and annotation', () => {
    expect(
      isTokenSecret(
        kubeObject('v1', 'Secret', 'x', {
          metadata: {annotations: {'kubernetes.io/service-account.name': 'a'}},
        }),
      ),
    ).toBe(false);
  });
});

describe('objects that are altered', () => {
  const altered: [string, KubeObject, object, string, Setting?][] = [
    [
      'Service gets a new address',
      service({clusterIP: '10.0.0.9', clusterIPs: ['10.0.0.9'], ports: []}),
      {ports: []},
      'service-addresses',
    ],
    [
      'ServiceAccount loses token names',
      kubeObject('v1', 'ServiceAccount', 'web', {
        secrets: [{name: 'web-token-x'}],
        imagePullSecrets: [{name: 'pull'}],
      }),
      {},
      'service-account',
    ],
    [
      'claim is unbound',
      kubeObject('v1', 'PersistentVolumeClaim', 'data', {
        metadata: {annotations: {'pv.kubernetes.io/bind-completed': 'yes', keep: 'me'}},
        spec: {
          storageClassName: 'local',
          volumeName: 'pv-1',
          dataSource: {kind: 'VolumeSnapshot', name: 's'},
        },
      }),
      {storageClassName: 'local'},
      'volume-claim',
    ],
    [
      'claim gets the mapped class',
      kubeObject('v1', 'PersistentVolumeClaim', 'data', {spec: {storageClassName: 'gp3'}}),
      {storageClassName: 'local'},
      'volume-claim',
      {policy: {storageClasses: {gp3: 'local'}}},
    ],
    [
      'claim gets the default class',
      kubeObject('v1', 'PersistentVolumeClaim', 'data', {spec: {storageClassName: 'gp3'}}),
      {storageClassName: 'local'},
      'volume-claim',
    ],
    [
      'claim template gets the mapped class',
      workload(
        'StatefulSet',
        'db',
        {},
        {template: {}, volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {storageClassName: 'gp3'}}]},
      ),
      {
        replicas: 2,
        selector: {matchLabels: {app: 'db'}},
        template: {},
        volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {storageClassName: 'local'}}],
      },
      'claim-templates',
      {policy: {storageClasses: {gp3: 'local'}}},
    ],
    [
      'Job loses its generated selector',
      kubeObject('batch/v1', 'Job', 'import', {
        spec: {
          selector: {matchLabels: {'batch.kubernetes.io/controller-uid': 'u'}},
          template: {metadata: {labels: {'batch.kubernetes.io/controller-uid': 'u', app: 'import'}}},
        },
      }),
      {template: {metadata: {labels: {app: 'import'}}}},
      'job-selector',
    ],
    [
      'pod is free to be scheduled',
      kubeObject('v1', 'Pod', 'p', {
        spec: {
          nodeName: 'a',
          priority: 0,
          volumes: [
            {name: 'kube-api-access-x', projected: {}},
            {name: 'tmp', emptyDir: {}},
          ],
          containers: [{name: 'm', volumeMounts: [{name: 'kube-api-access-x'}, {name: 'tmp'}]}],
        },
      }),
      {volumes: [{name: 'tmp', emptyDir: {}}], containers: [{name: 'm', volumeMounts: [{name: 'tmp'}]}]},
      'pod',
    ],
    [
      'definition has no conversion webhook yet',
      kubeObject('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'x.y', {
        spec: {conversion: {strategy: 'Webhook', webhook: {}}},
      }),
      {conversion: {strategy: 'None'}},
      'custom-resource-definition',
    ],
    [
      'definition says per version that it preserves unknown fields',
      kubeObject('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'x.y', {
        spec: {
          preserveUnknownFields: true,
          versions: [{name: 'v1', schema: {openAPIV3Schema: {type: 'object'}}}],
        },
      }),
      {
        preserveUnknownFields: false,
        versions: [
          {
            name: 'v1',
            schema: {openAPIV3Schema: {type: 'object', 'x-kubernetes-preserve-unknown-fields': true}},
          },
        ],
      },
      'custom-resource-definition',
    ],
    [
      'guard 12: LoadBalancer becomes ClusterIP',
      service({
        type: 'LoadBalancer',
        loadBalancerIP: '1.2.3.4',
        externalTrafficPolicy: 'Local',
        ports: [{port: 80, nodePort: 30080}],
        externalIPs: ['5.6.7.8'],
      }),
      {type: 'ClusterIP', ports: [{port: 80}]},
      'service-cluster-ip',
      drill,
    ],
    [
      'guard 12: NodePort becomes ClusterIP',
      service({type: 'NodePort', ports: [{port: 80, nodePort: 30080}]}),
      {type: 'ClusterIP', ports: [{port: 80}]},
      'service-cluster-ip',
      drill,
    ],
    [
      'guard 12: Ingress hosts lead nowhere',
      kubeObject(NETWORKING, 'Ingress', 'web', {
        spec: {
          rules: [{host: 'shop.example.com'}, {}],
          tls: [{hosts: ['shop.example.com'], secretName: 't'}],
        },
      }),
      {
        rules: [{host: 'shop.example.com.invalid'}, {}],
        tls: [{hosts: ['shop.example.com.invalid'], secretName: 't'}],
      },
      'ingress-host',
      drill,
    ],
    [
      'guard 12: Gateway hosts lead nowhere',
      kubeObject('gateway.networking.k8s.io/v1', 'HTTPRoute', 'web', {spec: {hostnames: ['a.example.com']}}),
      {hostnames: ['a.example.com.invalid']},
      'gateway-host',
      drill,
    ],
    [
      'guard 5: CronJob is suspended',
      kubeObject('batch/v1', 'CronJob', 'mail', {spec: {suspend: false}}),
      {suspend: true},
      'at-rest',
      drill,
    ],
    [
      'guard 5: Job is suspended',
      kubeObject('batch/v1', 'Job', 'import', {spec: {}}),
      {suspend: true},
      'at-rest',
      drill,
    ],
    [
      'guard 7: Flux is suspended',
      kubeObject('kustomize.toolkit.fluxcd.io/v1', 'Kustomization', 'k', {spec: {path: './'}}),
      {path: './', suspend: true},
      'gitops-suspended',
      drill,
    ],
    [
      'guard 7: Argo CD does not sync by itself',
      kubeObject('argoproj.io/v1alpha1', 'Application', 'a', {
        spec: {syncPolicy: {automated: {prune: true}, retry: {}}},
      }),
      {syncPolicy: {retry: {}}},
      'gitops-suspended',
      drill,
    ],
    [
      'guard 10: Velero does not back up',
      kubeObject('velero.io/v1', 'Schedule', 's', {spec: {}}),
      {paused: true},
      'backup-schedules-off',
      drill,
    ],
    [
      'guard 11: issuers sign themselves',
      kubeObject('cert-manager.io/v1', 'ClusterIssuer', 'le', {spec: {acme: {email: 'a@b'}}}),
      {selfSigned: {}},
      'self-signed-issuer',
      drill,
    ],
  ];
  test.each(altered)('%s', (_, object, spec, rule, setting) => {
    const prepared = prepare(object, setting);
    expect(prepared.action).toBe('change');
    expect(prepared.object.spec ?? {}).toEqual(spec);
    expect(prepared.notes.map(note => note.rule)).toContain(rule);
  });

  test('annotations of the binding go, others stay', () => {
    const claim = kubeObject('v1', 'PersistentVolumeClaim', 'data', {
      metadata: {
        annotations: {
          'pv.kubernetes.io/bind-completed': 'yes',
          'volume.kubernetes.io/selected-node': 'n',
          keep: 'me',
        },
      },
      spec: {storageClassName: 'local', volumeName: 'pv-1'},
    });
    expect(prepare(claim).object.metadata.annotations).toEqual({keep: 'me'});
  });

  test('what kubectl last applied goes with the first alteration, and stays without one', () => {
    const metadata = {annotations: {'kubectl.kubernetes.io/last-applied-configuration': '{}'}};
    const web = kubeObject('v1', 'Service', 'web', {metadata, spec: {clusterIP: '10.0.0.1', ports: []}});
    expect(prepare(web).object.metadata.annotations).toBeUndefined();
    const config = kubeObject('v1', 'ConfigMap', 'web', {metadata});
    expect(prepare(config).object.metadata.annotations).toEqual(metadata.annotations);
  });

  test('cloud roles are told in a recovery and dropped in a drill', () => {
    const account = kubeObject('v1', 'ServiceAccount', 'web', {
      metadata: {annotations: {'eks.amazonaws.com/role-arn': 'arn'}},
    });
    expect(prepare(account).object).toEqual(account);
    expect(prepare(account).notes[0]?.severity).toBe('info');
    expect(prepare(account, drill).object.metadata.annotations).toBeUndefined();
  });
});

describe('workloads at rest', () => {
  test.each(['Deployment', 'StatefulSet', 'ReplicaSet'])(
    '%s has no replicas and remembers how many it had',
    kind => {
      const {object, notes} = prepare(workload(kind, 'web'), drill);
      expect(object.spec?.replicas).toBe(0);
      expect(object.metadata.annotations).toEqual({'pra.dev/replicas': '2'});
      expect(notes.at(-1)).toMatchObject({guard: 5, path: 'spec.replicas'});
    },
  );
  test('DaemonSet fits no node', () => {
    const {object} = prepare(workload('DaemonSet', 'agent', {nodeSelector: {disk: 'ssd'}}), drill);
    expect(object.spec).toMatchObject({
      template: {spec: {nodeSelector: {disk: 'ssd', 'pra.dev/inert': 'true'}}},
    });
  });
  test('what was at zero or suspended stays as it was', () => {
    const idle = workload('Deployment', 'idle', {}, {replicas: 0});
    expect(prepare(idle, drill).object).toEqual(idle);
    const off = kubeObject('batch/v1', 'CronJob', 'off', {spec: {suspend: true}});
    expect(prepare(off, drill).object).toEqual(off);
  });
});

describe('webhook configurations', () => {
  const configuration = (failurePolicy: string) =>
    kubeObject(ADMISSION, 'ValidatingWebhookConfiguration', 'w', {
      webhooks: [{name: 'a.b.c', failurePolicy, clientConfig: {service: {namespace: 'shop', name: 'hook'}}}],
    });
  test('a backend that does not come back is an error when it blocks, else a warning', () => {
    expect(prepare(configuration('Fail')).notes[0]).toMatchObject({severity: 'error'});
    expect(prepare(configuration('Ignore')).notes[0]).toMatchObject({severity: 'warning'});
    expect(prepare(configuration('Fail'), {others: [kubeObject('v1', 'Service', 'hook')]}).notes).toEqual([]);
  });
});

describe('waivers', () => {
  const published = service({type: 'NodePort', ports: [{port: 80, nodePort: 30080}]});
  const waiver = {guard: 12, name: 'demo', reason: 'shown to the board'};
  test('switch a guard off for the object that they name, and are recorded', () => {
    const prepared = prepare(published, {
      ...drill,
      policy: {waivers: [{...waiver, object: 'Service shop/web'}]},
    });
    expect(prepared.object).toEqual(published);
    expect(prepared.waived).toHaveLength(1);
    const other = prepare(published, {
      ...drill,
      policy: {waivers: [{...waiver, object: 'Service shop/other'}]},
    });
    expect(other.object.spec?.type).toBe('ClusterIP');
  });
  test('cannot bring back a disk of the source', () => {
    const pv = kubeObject('v1', 'PersistentVolume', 'pv', {spec: {}});
    expect(prepare(pv, {...drill, policy: {waivers: [{...waiver, guard: 9}]}}).action).toBe('skip');
  });
});

describe('transforms', () => {
  const patch = [{op: 'replace', path: '/spec/replicas', value: 5}] as const;
  test('work in their modes, before the guards, and are recorded', () => {
    const transforms = [{match: {kind: 'Deployment', name: 'w*'}, patch, modes: ['drill']}] as const;
    const prepared = prepare(workload('Deployment', 'web'), {...drill, policy: {transforms}});
    expect(prepared.object.metadata.annotations).toEqual({'pra.dev/replicas': '5'});
    expect(prepared.notes[0]).toMatchObject({
      rule: 'transform',
      reason: expect.stringContaining('/spec/replicas'),
    });
    expect(prepare(workload('Deployment', 'web'), {policy: {transforms}}).object.spec?.replicas).toBe(2);
    expect(
      prepare(workload('Deployment', 'api'), {...drill, policy: {transforms}}).object.metadata.annotations,
    ).toEqual({'pra.dev/replicas': '2'});
  });
  test('that cannot be applied are an error and leave the object', () => {
    const transforms = [{match: {}, patch: [{op: 'remove', path: '/spec/nothing'} as const]}];
    const web = workload('Deployment', 'web');
    const prepared = prepare(web, {policy: {transforms}});
    expect(prepared.object).toEqual(web);
    expect(prepared.notes[0]).toMatchObject({severity: 'error', reason: expect.stringContaining('nothing')});
  });
  test('cannot rename', () => {
    const transforms = [{match: {}, patch: [{op: 'replace', path: '/metadata/name', value: 'x'} as const]}];
    expect(prepare(workload('Deployment', 'web'), {policy: {transforms}}).object.metadata.name).toBe('web');
  });
});
