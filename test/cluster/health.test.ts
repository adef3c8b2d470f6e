import {describe, expect, test} from 'vitest';
import {type HealthContext, type HealthState, judgeHealth} from '../../src/cluster/health.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import type {JsonObject} from '../../src/std/json.ts';

type Body = {spec?: JsonObject; status?: JsonObject; metadata?: Partial<KubeObject['metadata']>};

function object(type: string, body: Body = {}): KubeObject {
  const [apiVersion = '', kind = ''] = type.split(' ');
  const {metadata, ...rest} = body;
  return {
    apiVersion,
    kind,
    metadata: {name: 'x', namespace: 'shop', uid: 'u1', generation: 2, ...metadata},
    ...rest,
  };
}

const condition = (type: string, status: string, reason = '', message = '') => ({
  type,
  status,
  reason,
  message,
});

const pod = (status: JsonObject, name = 'x-1') => object('v1 Pod', {metadata: {name, uid: name}, status});
const waiting = (reason: string, message = '', image = 'localhost/shop:1') =>
  pod({phase: 'Pending', containerStatuses: [{name: 'main', image, state: {waiting: {reason, message}}}]});
const warning = (uid: string, reason: string, message: string, at = '2026-01-01T00:00:00Z'): KubeObject => ({
  ...object('v1 Event', {metadata: {name: `${uid}.${reason}.${at}`}}),
  type: 'Warning',
  reason,
  message,
  lastTimestamp: at,
  involvedObject: {uid},
});

const readyPod = pod({phase: 'Running', conditions: [condition('Ready', 'True')]});
const scaled = (replicas: number, status: JsonObject, metadata: Body['metadata'] = {}): Body => ({
  metadata,
  spec: {replicas},
  status: {observedGeneration: 2, ...status},
});
const full = {replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2};

type Row = [
  title: string,
  object: KubeObject,
  state: HealthState,
  reason: string | RegExp,
  context?: HealthContext,
];

const deployments: Row[] = [
  ['all replicas', object('apps/v1 Deployment', scaled(2, full)), 'healthy', '2 of 2 replicas ready'],
  [
    'a status from before the change',
    object('apps/v1 Deployment', scaled(2, {...full, observedGeneration: 1})),
    'progressing',
    /has not acted on its current spec/,
  ],
  ['no status yet', object('apps/v1 Deployment', {spec: {replicas: 1}}), 'progressing', /has not acted/],
  [
    'one of two',
    object('apps/v1 Deployment', scaled(2, {...full, readyReplicas: 1, availableReplicas: 1})),
    'progressing',
    '1 of 2 replicas ready',
  ],
  [
    'an old replica left',
    object('apps/v1 Deployment', scaled(2, {...full, replicas: 3})),
    'progressing',
    /2 of 2 replicas ready, 1 of an older revision left/,
  ],
  [
    'none, since the restore has not started it',
    object('apps/v1 Deployment', scaled(0, {}, {annotations: {'pra.dev/replicas': '3'}})),
    'inert',
    /not started its 3 replicas/,
  ],
  ['none, as its owner wants', object('apps/v1 Deployment', scaled(0, {})), 'healthy', 'scaled to 0'],
  [
    'a quota',
    object(
      'apps/v1 Deployment',
      scaled(1, {conditions: [condition('ReplicaFailure', 'True', 'FailedCreate', 'exceeded quota: small')]}),
    ),
    'degraded',
    '0 of 1 replicas ready: FailedCreate: exceeded quota: small',
  ],
  [
    'its deadline passed',
    object(
      'apps/v1 Deployment',
      scaled(1, {
        updatedReplicas: 1,
        replicas: 1,
        conditions: [condition('Progressing', 'False', 'ProgressDeadlineExceeded', 'too long')],
      }),
    ),
    'degraded',
    /too long/,
  ],
  [
    'no image',
    object('apps/v1 Deployment', scaled(1, {replicas: 1, updatedReplicas: 1})),
    'degraded',
    '0 of 1 replicas ready: ErrImagePull: image localhost/shop:1: not found',
    {pods: [waiting('ErrImagePull', 'not found')]},
  ],
  [
    'being deleted',
    object('apps/v1 Deployment', {...scaled(2, full), metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}}),
    'progressing',
    'is being deleted',
  ],
];

const workloads: Row[] = [
  ['ReplicaSet', object('apps/v1 ReplicaSet', scaled(2, full)), 'healthy', /2 of 2/],
  ['StatefulSet', object('apps/v1 StatefulSet', scaled(2, full)), 'healthy', /2 of 2/],
  [
    'StatefulSet that rolls',
    object(
      'apps/v1 StatefulSet',
      scaled(2, {...full, updatedReplicas: 1, currentRevision: 'a', updateRevision: 'b'}),
    ),
    'progressing',
    '1 of 2 replicas updated',
  ],
  [
    'StatefulSet that waits',
    object('apps/v1 StatefulSet', scaled(2, {...full, readyReplicas: 1})),
    'progressing',
    '1 of 2 replicas ready',
  ],
  [
    'StatefulSet whose pods are refused',
    object('apps/v1 StatefulSet', scaled(1, {})),
    'degraded',
    '0 of 1 replicas ready: FailedCreate: violates PodSecurity',
    {events: [warning('u1', 'FailedCreate', 'violates PodSecurity')]},
  ],
  [
    'StatefulSet at rest',
    object('apps/v1 StatefulSet', scaled(0, {}, {annotations: {'pra.dev/replicas': '1'}})),
    'inert',
    /not started its 1 replica$/,
  ],
  [
    'DaemonSet',
    object('apps/v1 DaemonSet', {
      status: {
        observedGeneration: 2,
        desiredNumberScheduled: 2,
        numberAvailable: 2,
        updatedNumberScheduled: 2,
      },
    }),
    'healthy',
    '2 of 2 nodes ready',
  ],
  [
    'DaemonSet on one of two nodes',
    object('apps/v1 DaemonSet', {
      status: {
        observedGeneration: 2,
        desiredNumberScheduled: 2,
        numberAvailable: 1,
        updatedNumberScheduled: 2,
      },
    }),
    'progressing',
    '1 of 2 nodes ready',
  ],
  [
    'DaemonSet at rest',
    object('apps/v1 DaemonSet', {
      spec: {template: {spec: {nodeSelector: {'pra.dev/inert': 'true'}}}},
      status: {observedGeneration: 2},
    }),
    'inert',
    /at rest/,
  ],
  [
    'Job',
    object('batch/v1 Job', {status: {conditions: [condition('Complete', 'True')]}}),
    'healthy',
    'complete',
  ],
  [
    'Job that failed',
    object('batch/v1 Job', {
      status: {conditions: [condition('Failed', 'True', 'BackoffLimitExceeded', 'six times')]},
    }),
    'degraded',
    'BackoffLimitExceeded: six times',
  ],
  [
    'Job that works',
    object('batch/v1 Job', {spec: {completions: 3}, status: {succeeded: 1}}),
    'progressing',
    '1 of 3 completions',
  ],
  ['Job that is suspended', object('batch/v1 Job', {spec: {suspend: true}}), 'suspended', 'suspended'],
  ['CronJob', object('batch/v1 CronJob', {spec: {suspend: false}}), 'healthy', 'scheduled'],
  [
    'CronJob that is suspended',
    object('batch/v1 CronJob', {spec: {suspend: true}}),
    'suspended',
    'suspended',
  ],
];

const running = (status: JsonObject) =>
  pod({phase: 'Running', containerStatuses: [{name: 'main', ...status}]});
const pods: Row[] = [
  ['ready', readyPod, 'healthy', 'ready'],
  ['ran to its end', pod({phase: 'Succeeded'}), 'healthy', /ran to its end/],
  [
    'failed',
    pod({phase: 'Failed', reason: 'Evicted', message: 'low on memory'}),
    'degraded',
    'failed: Evicted: low on memory',
  ],
  [
    'no node',
    pod({
      phase: 'Pending',
      conditions: [condition('PodScheduled', 'False', 'Unschedulable', '0/1 nodes are available')],
    }),
    'degraded',
    'Unschedulable: 0/1 nodes are available',
  ],
  [
    'no Secret for its environment',
    waiting('CreateContainerConfigError', 'secret "dsn" not found'),
    'degraded',
    'CreateContainerConfigError: secret "dsn" not found',
  ],
  [
    'image named once',
    waiting('ImagePullBackOff', 'Back-off pulling image "localhost/shop:1"'),
    'degraded',
    'ImagePullBackOff: Back-off pulling image "localhost/shop:1"',
  ],
  [
    'no Secret to mount: the last warning',
    waiting('ContainerCreating'),
    'progressing',
    'FailedMount: secret "tls" not found',
    {
      events: [
        warning('x-1', 'FailedMount', 'secret "tls" not found', '2026-01-02T00:00:00Z'),
        warning('x-1', 'FailedMount', 'older'),
        warning('other', 'FailedMount', 'of another pod', '2026-01-03T00:00:00Z'),
      ],
    },
  ],
  [
    'crashes',
    running({
      ready: false,
      state: {waiting: {reason: 'CrashLoopBackOff', message: 'back-off'}},
      lastState: {terminated: {exitCode: 1, reason: 'Error', message: 'no database'}},
    }),
    'degraded',
    'CrashLoopBackOff: container main ended with exit code 1: no database',
  ],
  [
    'killed for memory',
    running({ready: false, state: {terminated: {exitCode: 137, reason: 'OOMKilled'}}}),
    'progressing',
    'container main ended with exit code 137 (OOMKilled)',
  ],
  [
    'an old warning of a container that ended since',
    running({ready: false, state: {terminated: {exitCode: 3, reason: 'Error'}}}),
    'progressing',
    'container main ended with exit code 3',
    {events: [warning('x-1', 'FailedMount', 'long ago')]},
  ],
  [
    'readiness probe',
    running({ready: false, restartCount: 2, state: {running: {}}}),
    'progressing',
    /runs after 2 restarts but is not ready/,
  ],
  [
    'an init container',
    pod({
      phase: 'Pending',
      initContainerStatuses: [
        {
          name: 'migrate',
          state: {waiting: {reason: 'CrashLoopBackOff'}},
          lastState: {terminated: {exitCode: 2}},
        },
      ],
      containerStatuses: [{name: 'main', state: {waiting: {reason: 'PodInitializing'}}}],
    }),
    'degraded',
    'CrashLoopBackOff: container migrate ended with exit code 2',
  ],
];

const slice = (...ready: boolean[]) => ({
  ...object('discovery.k8s.io/v1 EndpointSlice'),
  endpoints: ready.map(one => ({conditions: {ready: one}})),
});
const others: Row[] = [
  [
    'Service',
    object('v1 Service', {spec: {selector: {app: 'x'}}}),
    'healthy',
    '1 endpoint ready',
    {endpointSlices: [slice(true, false)]},
  ],
  [
    'Service without ready endpoints',
    object('v1 Service', {spec: {selector: {app: 'x'}}}),
    'degraded',
    'no endpoint is ready',
    {endpointSlices: [slice(false)]},
  ],
  [
    'Service not looked into',
    object('v1 Service', {spec: {selector: {app: 'x'}}}),
    'healthy',
    /not looked at/,
  ],
  [
    'LoadBalancer without address',
    object('v1 Service', {spec: {type: 'LoadBalancer'}}),
    'progressing',
    /no address/,
  ],
  [
    'PVC',
    object('v1 PersistentVolumeClaim', {spec: {volumeName: 'pv1'}, status: {phase: 'Bound'}}),
    'healthy',
    'bound to pv1',
  ],
  [
    'PVC not bound',
    object('v1 PersistentVolumeClaim', {status: {phase: 'Pending'}}),
    'progressing',
    /not bound/,
  ],
  [
    'PVC that cannot be',
    object('v1 PersistentVolumeClaim', {status: {phase: 'Pending'}}),
    'degraded',
    'not bound: ProvisioningFailed: no class "fast"',
    {events: [warning('u1', 'ProvisioningFailed', 'no class "fast"')]},
  ],
  [
    'PVC that lost its volume',
    object('v1 PersistentVolumeClaim', {status: {phase: 'Lost'}}),
    'degraded',
    /gone/,
  ],
  ['Node', object('v1 Node', {status: {conditions: [condition('Ready', 'True')]}}), 'healthy', 'ready'],
  [
    'Node without kubelet',
    object('v1 Node', {status: {conditions: [condition('Ready', 'Unknown', 'NodeStatusUnknown')]}}),
    'degraded',
    'NodeStatusUnknown',
  ],
  [
    'Namespace that is being deleted',
    object('v1 Namespace', {metadata: {deletionTimestamp: 'x'}, status: {phase: 'Terminating'}}),
    'progressing',
    'is being deleted',
  ],
  [
    'Namespace that cannot be',
    object('v1 Namespace', {
      metadata: {deletionTimestamp: 'x'},
      status: {
        phase: 'Terminating',
        conditions: [condition('NamespaceDeletionDiscoveryFailure', 'True', 'DiscoveryFailed', 'lost group')],
      },
    }),
    'degraded',
    /lost group/,
  ],
  [
    'CRD',
    object('apiextensions.k8s.io/v1 CustomResourceDefinition', {
      status: {conditions: [condition('NamesAccepted', 'True'), condition('Established', 'True')]},
    }),
    'healthy',
    'established',
  ],
  [
    'CRD with a taken name',
    object('apiextensions.k8s.io/v1 CustomResourceDefinition', {
      status: {conditions: [condition('NamesAccepted', 'False', 'ShortNamesConflict', 'taken')]},
    }),
    'degraded',
    'ShortNamesConflict: taken',
  ],
  [
    'CRD that is new',
    object('apiextensions.k8s.io/v1 CustomResourceDefinition'),
    'progressing',
    'not established yet',
  ],
  [
    'APIService',
    object('apiregistration.k8s.io/v1 APIService', {
      status: {conditions: [condition('Available', 'False', 'ServiceNotFound')]},
    }),
    'degraded',
    'ServiceNotFound',
  ],
  [
    'PDB',
    object('policy/v1 PodDisruptionBudget', {
      status: {observedGeneration: 2, currentHealthy: 1, desiredHealthy: 2},
    }),
    'degraded',
    '1 of 2 needed pods healthy',
  ],
  [
    'HPA',
    object('autoscaling/v2 HorizontalPodAutoscaler', {
      metadata: {generation: 0},
      status: {conditions: [condition('AbleToScale', 'True'), condition('ScalingActive', 'True')]},
    }),
    'healthy',
    'scales',
  ],
  [
    'HPA without metrics',
    object('autoscaling/v2 HorizontalPodAutoscaler', {
      metadata: {generation: 0},
      status: {
        conditions: [
          condition('AbleToScale', 'True'),
          condition('ScalingActive', 'False', 'FailedGetResourceMetric'),
        ],
      },
    }),
    'degraded',
    'FailedGetResourceMetric',
  ],
  ['ConfigMap', object('v1 ConfigMap'), 'healthy', 'exists'],
  ['Ingress', object('networking.k8s.io/v1 Ingress', {status: {loadBalancer: {}}}), 'healthy', 'exists'],
  ['custom resource without status', object('shop.example/v1 Order'), 'unknown', /has no status/],
  [
    'custom resource with an empty status',
    object('shop.example/v1 Order', {status: {}}),
    'unknown',
    /has no status/,
  ],
  [
    'custom resource that says nothing of its health',
    object('shop.example/v1 Order', {status: {items: 3}}),
    'unknown',
    /no condition or phase/,
  ],
  [
    'custom resource, ready',
    object('shop.example/v1 Order', {
      status: {observedGeneration: 2, conditions: [condition('Ready', 'True')]},
    }),
    'healthy',
    /Ready/,
  ],
  [
    'custom resource, ready before the change',
    object('shop.example/v1 Order', {
      status: {observedGeneration: 1, conditions: [condition('Ready', 'True')]},
    }),
    'progressing',
    /has not acted/,
  ],
  [
    'custom resource, not ready',
    object('cert-manager.io/v1 Certificate', {
      status: {conditions: [condition('Ready', 'False', 'Issuing', 'no issuer')]},
    }),
    'degraded',
    'Issuing: no issuer',
  ],
  [
    'custom resource, stalled',
    object('flux.example/v1 Release', {
      status: {conditions: [condition('Ready', 'True'), condition('Stalled', 'True', 'Broken')]},
    }),
    'degraded',
    'Broken',
  ],
  [
    'custom resource with a phase',
    object('shop.example/v1 Order', {status: {phase: 'Failed'}}),
    'degraded',
    'phase failed',
  ],
];

describe.each([
  ['Deployment', deployments],
  ['workloads', workloads],
  ['Pod', pods],
  ['other kinds', others],
])('health: %s', (_title, rows) => {
  test.each(rows)('%s', (_name, subject, state, reason, context) => {
    const health = judgeHealth(subject, context);
    expect(health).toEqual({
      state,
      reason: reason instanceof RegExp ? expect.stringMatching(reason) : reason,
    });
  });
});
