import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {z} from 'zod';
import {sleep} from '../../../src/std/wait.ts';
import {place, RestoreBed} from './bed.ts';

/** restore-rules.md, "Order", "Speed" and "Failure", on real API servers. */

vi.setConfig({testTimeout: 900_000, hookTimeout: 900_000});

let bed: RestoreBed;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-audit-'));
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{level: 'Metadata'}],
  };
  await writeFile(join(dir, 'policy.yaml'), JSON.stringify(policy));
  bed = await RestoreBed.start({
    apiServerArgs: [
      `--audit-policy-file=${join(dir, 'policy.yaml')}`,
      `--audit-log-path=${join(dir, 'audit.log')}`,
    ],
  });
});
afterAll(async () => {
  await bed?.stop();
  await rm(dir, {recursive: true, force: true});
});

const RBAC = 'rbac.authorization.k8s.io';

/** One object of each wave, named after its kind, in an order that is wrong on purpose. */
function oneOfEach() {
  const made = place();
  const {ns, object} = made;
  const {definition, make, group} = made.kind('Thing');
  const hook = {
    name: 'a.example.com',
    failurePolicy: 'Ignore',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    clientConfig: {service: {namespace: ns, name: 'web'}},
    rules: [{apiGroups: ['none.example'], apiVersions: ['*'], operations: ['*'], resources: ['x']}],
  };
  const objects = [
    object('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', `hook-${ns}`, {
      webhooks: [hook],
    }),
    object('apiregistration.k8s.io/v1', 'APIService', `v1.late-${ns}.example`, {
      spec: {
        group: `late-${ns}.example`,
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
        service: {namespace: ns, name: 'web'},
      },
    }),
    object('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
      spec: {scaleTargetRef: {apiVersion: 'apps/v1', kind: 'Deployment', name: 'web'}, maxReplicas: 3},
    }),
    object('policy/v1', 'PodDisruptionBudget', 'web', {
      spec: {minAvailable: 1, selector: {matchLabels: {app: 'web'}}},
    }),
    object('networking.k8s.io/v1', 'Ingress', 'web', {
      spec: {defaultBackend: {service: {name: 'web', port: {number: 80}}}},
    }),
    made.workload('Deployment', 'web'),
    make('thing'),
    made.workload('Deployment', 'operator', {}, {serviceAccountName: 'operator'}),
    object('networking.k8s.io/v1', 'NetworkPolicy', 'deny', {
      spec: {podSelector: {}, policyTypes: ['Ingress']},
    }),
    made.service('web'),
    made.claim('data'),
    made.config('settings'),
    object('v1', 'Secret', 'password', {type: 'Opaque', data: {}}),
    object(`${RBAC}/v1`, 'ClusterRoleBinding', `operator-${ns}`, {
      roleRef: {apiGroup: RBAC, kind: 'ClusterRole', name: `operator-${ns}`},
      subjects: [{kind: 'ServiceAccount', namespace: ns, name: 'operator'}],
    }),
    object(`${RBAC}/v1`, 'ClusterRole', `operator-${ns}`, {
      rules: [{apiGroups: [group], resources: ['*'], verbs: ['*']}],
    }),
    object('v1', 'ServiceAccount', 'operator'),
    object('v1', 'LimitRange', 'limits', {spec: {limits: [{type: 'Container', default: {cpu: '1'}}]}}),
    object('v1', 'ResourceQuota', 'quota', {spec: {hard: {'count/configmaps': '50'}}}),
    object('scheduling.k8s.io/v1', 'PriorityClass', `urgent-${ns}`, {value: 1000}),
    made.namespace({labels: {'pod-security.kubernetes.io/enforce': 'baseline'}}),
  ];
  return {...made, definition, objects};
}

/** Each kind must be written after all of the line before. */
const LINES = [
  ['CustomResourceDefinition'],
  ['Namespace'],
  ['PriorityClass', 'ResourceQuota', 'LimitRange'],
  ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding'],
  ['Secret', 'ConfigMap'],
  ['PersistentVolumeClaim'],
  ['Service', 'NetworkPolicy'],
  ['Deployment operator'],
  ['Thing'],
  ['Deployment web'],
  ['Ingress', 'PodDisruptionBudget'],
  ['HorizontalPodAutoscaler'],
  ['APIService', 'ValidatingWebhookConfiguration'],
];

describe('order', () => {
  test('every wave ends before the next begins, whatever the order in the snapshot, and twice the same', async () => {
    const {definition, objects} = oneOfEach();
    const {written, summary, plan, events} = await bed.restore({
      given: [definition, ...objects.toReversed()],
    });
    expect(summary.failures).toEqual([]);
    const kinds = written.map(ref => {
      const [kind = '', name = ''] = ref.split(' ');
      return kind === 'Deployment' ? `Deployment ${name.split('/').at(-1)}` : kind;
    });
    const places = LINES.map(line => line.map(kind => kinds.indexOf(kind)));
    expect(places.flat()).not.toContain(-1);
    for (const [index, line] of places.entries())
      if (index > 0)
        expect(Math.min(...line), LINES[index]?.join()).toBeGreaterThan(
          Math.max(...(places[index - 1] ?? [])),
        );
    const established = events.findIndex(
      event => event.type === 'waiting' && event.waitingFor.includes('established'),
    );
    const namespaces = events.findIndex(
      event => event.type === 'wave-started' && event.wave === 'namespaces',
    );
    expect(established).toBeGreaterThan(-1);
    expect(established).toBeLessThan(namespaces);
    const again = await bed.restoreSnapshot(
      plan.waves.flatMap(({items}) => items.map(({type, object}) => ({type, object}))).toReversed(),
    );
    const orderOf = ({waves}: typeof plan) => waves.map(({name, items}) => [name, items.map(({ref}) => ref)]);
    expect(orderOf(again.plan)).toEqual(orderOf(plan));
    expect(new Set(again.outcomes.map(({outcome}) => outcome))).toEqual(new Set(['unchanged']));
  });

  test('Pod Security labels are in force before any pod', async () => {
    const made = place();
    const labels = {'pod-security.kubernetes.io/enforce': 'restricted'};
    const root = made.object('v1', 'Pod', 'root', {
      spec: {containers: [{name: 'main', image: 'localhost/app:1'}]},
    });
    const {summary} = await bed.restore({given: [made.namespace({labels})], raw: [root]});
    expect(summary.failures).toMatchObject([
      {ref: `Pod ${made.ns}/root`, reason: expect.stringContaining('violates PodSecurity "restricted')},
    ]);
  });

  test('a webhook waits for a ready endpoint behind it', async () => {
    const made = place();
    const hook = made.object(
      'admissionregistration.k8s.io/v1',
      'ValidatingWebhookConfiguration',
      `wait-${made.ns}`,
      {
        webhooks: [
          {
            name: 'a.example.com',
            failurePolicy: 'Fail',
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            clientConfig: {service: {namespace: made.ns, name: 'hook'}},
            rules: [{apiGroups: ['none.example'], apiVersions: ['*'], operations: ['*'], resources: ['x']}],
          },
        ],
      },
    );
    const slice = made.object('discovery.k8s.io/v1', 'EndpointSlice', 'hook-1', {
      metadata: {labels: {'kubernetes.io/service-name': 'hook'}},
      addressType: 'IPv4',
      endpoints: [{addresses: ['10.1.2.3'], conditions: {ready: true}}],
      ports: [{port: 443}],
    });
    let before: unknown = 'not asked';
    const answers = async () => {
      await sleep(1000);
      before = await bed.live(hook);
      await bed.put(slice);
    };
    let answering: Promise<void> | undefined;
    const {events} = await bed.restore({
      given: [made.namespace(), made.service('hook'), hook],
      readyTimeoutMs: 20_000,
      onEvent: event => {
        if (event.type === 'waiting' && event.waitingFor.includes('webhooks')) answering = answers();
      },
    });
    await answering;
    expect(before).toBeUndefined();
    expect(await bed.live(hook)).toBeDefined();
    expect(events.filter(({type}) => type === 'warning')).toEqual([]);
  });

  test('a blocking webhook whose backend never gets ready is a finding, not a deadlock', async () => {
    const made = place();
    const hook = made.object(
      'admissionregistration.k8s.io/v1',
      'ValidatingWebhookConfiguration',
      `never-${made.ns}`,
      {
        webhooks: [
          {
            name: 'a.example.com',
            failurePolicy: 'Fail',
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            clientConfig: {service: {namespace: made.ns, name: 'hook'}},
            rules: [
              {apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps']},
            ],
            namespaceSelector: {matchLabels: {'kubernetes.io/metadata.name': made.ns}},
          },
        ],
      },
    );
    const {events, summary} = await bed.restore({
      // It would refuse these, had it come before them.
      given: [made.namespace(), made.service('hook'), made.config('one'), made.config('two'), hook],
      readyTimeoutMs: 1000,
    });
    expect(summary.failures).toEqual([]);
    expect(await bed.live(hook)).toBeDefined();
    expect(events.filter(({type}) => type === 'warning')).toMatchObject([
      {message: expect.stringContaining('has no ready endpoint: until it has one')},
    ]);
  });
});

const auditEvent = z.object({
  verb: z.string(),
  userAgent: z.string().optional(),
  objectRef: z.object({namespace: z.string().optional(), name: z.string().optional()}).optional(),
});

describe('speed', () => {
  test('on a fresh target one create per object: no look before, no patch after', async () => {
    const made = place();
    const many = Array.from({length: 300}, (_, index) =>
      made.config(`many-${index}`, {data: {a: `${index}`}}),
    );
    const snapshot = [made.namespace(), ...many].map(object => ({
      type: {
        group: '',
        version: 'v1',
        kind: object.kind,
        plural: object.kind === 'Namespace' ? 'namespaces' : 'configmaps',
        namespaced: object.kind !== 'Namespace',
        verbs: [],
        shortNames: [],
      },
      object,
    }));
    const {outcomes} = await bed.restoreSnapshot(snapshot);
    expect(outcomes.every(({outcome}) => outcome === 'created')).toBe(true);
    await sleep(500);
    const log = await readFile(join(dir, 'audit.log'), 'utf8');
    const verbs = log
      .split('\n')
      .filter(line => line.includes(made.ns))
      .map(line => auditEvent.parse(JSON.parse(line)))
      .filter(({objectRef}) => objectRef?.name?.startsWith('many-'))
      .map(({verb}) => verb);
    expect(verbs).toEqual(Array.from({length: 300}, () => 'create'));
  });
});

describe('an API server that is busy', () => {
  let busy: RestoreBed;
  beforeAll(async () => {
    busy = await RestoreBed.start({
      apiServerArgs: [
        '--enable-priority-and-fairness=false',
        '--max-requests-inflight=4',
        '--max-mutating-requests-inflight=2',
      ],
    });
  });
  afterAll(() => busy?.stop());

  test('its 429 and Retry-After are waited for, and nothing is lost', async () => {
    const made = place();
    const many = Array.from({length: 200}, (_, index) => made.config(`many-${index}`));
    const {summary, outcomes} = await busy.restore({given: [made.namespace(), ...many]});
    expect(summary.failures).toEqual([]);
    expect(outcomes).toHaveLength(201);
  });
});

describe('failure', () => {
  test('what the API server refuses is listed with its own reason, and the rest is restored', async () => {
    const made = place();
    const {summary, outcomes} = await bed.restore({
      given: [made.namespace(), made.config('good')],
      raw: [made.config('Bad_Name')],
    });
    expect(summary.failures).toMatchObject([
      {ref: `ConfigMap ${made.ns}/Bad_Name`, reason: expect.stringContaining('RFC 1123')},
    ]);
    expect(outcomes.filter(({outcome}) => outcome === 'created')).toHaveLength(2);
  });

  test('every object is restored, skipped or failed', async () => {
    const made = place();
    const {summary, plan} = await bed.restore({
      given: [made.namespace(), made.config('good')],
      raw: [made.config('Bad_Name'), made.config('kube-root-ca.crt')],
    });
    const sum = (field: 'expected' | 'restored' | 'skipped' | 'failed') =>
      summary.kinds.reduce((total, kind) => total + kind[field], 0);
    expect(plan.expected).toBe(4);
    expect([sum('expected'), sum('restored'), sum('skipped'), sum('failed')]).toEqual([4, 2, 1, 1]);
  });

  test('a namespace that is being deleted is one failure at once', async () => {
    const made = place();
    await bed.put(made.namespace(), made.config('holds', {metadata: {finalizers: ['example.com/hold']}}));
    await bed.target.request('DELETE', `/api/v1/namespaces/${made.ns}`);
    const began = performance.now();
    await expect(
      bed.restore({given: [made.namespace(), ...Array.from({length: 50}, (_, i) => made.config(`c-${i}`))]}),
    ).rejects.toThrow(`Namespace ${made.ns} is being deleted`);
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});
