import {afterAll, beforeAll, expect, test, vi} from 'vitest';
import type {KubeObject} from '../../../src/cluster/object.ts';
import {captureAll} from '../../bed/capture.ts';
import {place, RestoreBed} from './bed.ts';

/** restore-rules.md, "Never restored": neither captured, nor restored from a snapshot that holds it all the same. */

vi.setConfig({testTimeout: 900_000, hookTimeout: 900_000});

let bed: RestoreBed;
beforeAll(async () => {
  bed = await RestoreBed.start();
});
afterAll(() => bed?.stop());

type Make = (made: ReturnType<typeof place>) => KubeObject;
const ended = (type: string) => ({
  status: {conditions: [{type, status: 'True'}]},
});
const controller = (kind: string, name: string, apiVersion = 'apps/v1') => ({
  metadata: {ownerReferences: [{apiVersion, kind, name, uid: 'of-the-source', controller: true}]},
});
const pod = {containers: [{name: 'main', image: 'localhost/app:1'}]};

const NEVER: readonly (readonly [what: string, make: Make, reason: RegExp])[] = [
  ['a Node', ({ns, object}) => bare(object('v1', 'Node', `node-${ns}`)), /register themselves/],
  [
    'a Lease',
    ({object}) => object('coordination.k8s.io/v1', 'Lease', 'leader', {spec: {holderIdentity: 'x'}}),
    /leases name processes/,
  ],
  [
    'an Event',
    ({ns, object}) =>
      object('v1', 'Event', 'happened', {
        involvedObject: {kind: 'Pod', namespace: ns, name: 'x'},
        reason: 'Test',
      }),
    /log of the source/,
  ],
  [
    'a CSINode',
    ({ns, object}) => bare(object('storage.k8s.io/v1', 'CSINode', `csi-${ns}`, {spec: {drivers: []}})),
    /made by each node/,
  ],
  [
    'a VolumeAttachment',
    ({ns, object}) =>
      bare(
        object('storage.k8s.io/v1', 'VolumeAttachment', `attach-${ns}`, {
          spec: {attacher: 'example.com', nodeName: 'n', source: {persistentVolumeName: 'pv'}},
        }),
      ),
    /attach controller/,
  ],
  [
    'a CertificateSigningRequest',
    ({ns, object}) =>
      bare(
        object('certificates.k8s.io/v1', 'CertificateSigningRequest', `csr-${ns}`, {
          spec: {request: '', signerName: 'example.com/x', usages: ['client auth']},
        }),
      ),
    /answered already/,
  ],
  [
    'an EndpointSlice that its controller made',
    ({object}) =>
      object('discovery.k8s.io/v1', 'EndpointSlice', 'web-abc', {
        addressType: 'IPv4',
        endpoints: [],
        metadata: {labels: {'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io'}},
      }),
    /made from the Service/,
  ],
  [
    'Endpoints that a selector makes',
    ({object}) =>
      object('v1', 'Endpoints', 'web', {
        metadata: {annotations: {'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z'}},
      }),
    /made from the Service/,
  ],
  [
    'a ControllerRevision',
    ({object}) => object('apps/v1', 'ControllerRevision', 'web-1', {revision: 1}),
    /history/,
  ],
  [
    'kube-root-ca.crt',
    ({config}) => config('kube-root-ca.crt', {data: {'ca.crt': 'x'}}),
    /controller manager/,
  ],
  [
    'a mirror pod',
    ({object}) =>
      object('v1', 'Pod', 'static-node', {
        metadata: {annotations: {'kubernetes.io/config.mirror': 'x'}},
        spec: pod,
      }),
    /mirror/,
  ],
  [
    'a Pod of a controller',
    ({object}) => object('v1', 'Pod', 'web-1-x', {...controller('ReplicaSet', 'web-1'), spec: pod}),
    /made by ReplicaSet\/web-1/,
  ],
  [
    'a ReplicaSet of a Deployment',
    ({object}) =>
      object('apps/v1', 'ReplicaSet', 'web-1', {
        ...controller('Deployment', 'web'),
        spec: {
          selector: {matchLabels: {app: 'web'}},
          template: {metadata: {labels: {app: 'web'}}, spec: pod},
        },
      }),
    /made by Deployment\/web/,
  ],
  ...(['Succeeded', 'Failed'] as const).map(
    phase =>
      [
        `a pod that has ended (${phase})`,
        ({object}: ReturnType<typeof place>) => object('v1', 'Pod', 'done', {spec: pod, status: {phase}}),
        /has ended/,
      ] as const,
  ),
  ...(['Complete', 'Failed'] as const).map(
    type =>
      [
        `a Job that has ended (${type})`,
        ({job}: ReturnType<typeof place>) => ({...job('done'), ...ended(type)}),
        /has ended/,
      ] as const,
  ),
  [
    'a Job of a CronJob',
    ({job}) => {
      const made = job('mail-1');
      const {ownerReferences} = controller('CronJob', 'mail', 'batch/v1').metadata;
      return {...made, metadata: {...made.metadata, ownerReferences}};
    },
    /made by CronJob\/mail/,
  ],
  [
    'a token Secret',
    ({object}) =>
      object('v1', 'Secret', 'default-token', {
        type: 'kubernetes.io/service-account-token',
        metadata: {annotations: {'kubernetes.io/service-account.name': 'default'}},
      }),
    /token/,
  ],
  [
    'an APIService that the API server manages',
    ({object}) =>
      bare(
        object('apiregistration.k8s.io/v1', 'APIService', 'v1.apps', {
          metadata: {labels: {'kube-aggregator.kubernetes.io/automanaged': 'onstart'}},
          spec: {group: 'apps', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1},
        }),
      ),
    /makes its own/,
  ],
  [
    'metrics of pods',
    ({object}) => object('metrics.k8s.io/v1beta1', 'PodMetrics', 'web', {containers: []}),
    /read-only/,
  ],
  [
    'a run record of a backup tool',
    ({object}) => object('velero.io/v1', 'Backup', 'nightly', {spec: {}}),
    /run record/,
  ],
];

function bare(object: KubeObject): KubeObject {
  const {namespace: _, ...metadata} = object.metadata;
  return {...object, metadata};
}

test.each(NEVER)('%s is not restored, and the reason is told', async (_, make, reason) => {
  const made = place();
  const object = make(made);
  const {plan, summary, outcomes} = await bed.restore({given: [made.namespace()], raw: [object]});
  expect(plan.skipped).toMatchObject([{kind: object.kind, reason: expect.stringMatching(reason)}]);
  expect(summary.skips.map(skip => skip.reason)).toEqual([expect.stringMatching(reason)]);
  expect(outcomes).toHaveLength(1);
});

test('a snapshot of a real API server does not hold them either', async () => {
  const made = place();
  await bed.restore({
    given: [
      made.namespace(),
      made.config('kept'),
      made.config('kube-root-ca.crt', {data: {'ca.crt': 'x'}}),
      made.object('coordination.k8s.io/v1', 'Lease', 'leader', {spec: {holderIdentity: 'x'}}),
      made.object('apps/v1', 'ControllerRevision', 'web-1', {revision: 1, data: {}}),
      made.object('v1', 'Secret', 'token', {
        type: 'kubernetes.io/service-account-token',
        metadata: {annotations: {'kubernetes.io/service-account.name': 'default'}},
      }),
    ],
  });
  const {objects} = await captureAll(bed.source, {namespaces: [made.ns], clusterScoped: 'none'});
  expect(objects.map(({object}) => `${object.kind} ${object.metadata.name}`)).toEqual([
    'ConfigMap kept',
    `Namespace ${made.ns}`,
  ]);
});
