import {judgeObjective} from '../../src/evidence/judge.ts';
import type {DrillDraft, DrillGuard, DrillPhase, DrillRecord, DrillStep} from '../../src/evidence/record.ts';
import {sealRecord} from '../../src/evidence/seal.ts';
import {withCriticalPath} from '../../src/evidence/timeline.ts';

/** Records as drills of the quickstart shop write them, one for each way that a drill can end. */

const T0 = Date.parse('2026-11-23T15:45:12.000Z');
const PLAN_HASH = '9f2c4b7a1d3e5f60718293a4b5c6d7e8f9012a3b4c5d6e7f8091a2b3c4d5e6f7';
const TREE = '3b1f0c9d8e7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c';

/** ISO time, `seconds` after T0. */
export const at = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString();

function step(
  id: string,
  phase: DrillPhase,
  from: number,
  to: number,
  dependsOn: string[],
  more = {},
): DrillStep {
  const durationMs = Math.round((to - from) * 1000);
  const times = {startedAt: at(from), endedAt: at(to), durationMs};
  const name = id.replaceAll('-', ' ');
  return {id, name, phase, dependsOn, ...times, attempts: 1, result: 'passed', critical: false, ...more};
}

const STEPS: DrillStep[] = [
  step('snapshot-resources', 'snapshot', -6.4, -4.9, []),
  step('dump-shop-db/db', 'snapshot', -4.9, -0.7, ['snapshot-resources']),
  step('terraform-init', 'target', 0.1, 1.2, []),
  step('terraform-apply', 'target', 1.2, 15.8, ['terraform-init']),
  step('check-target', 'target', 15.8, 16.3, ['terraform-apply']),
  step('prove-isolation', 'target', 16.3, 19.9, ['check-target']),
  step('custom-resource-definitions', 'restore', 16.3, 17.6, ['check-target']),
  step('namespaces,-RBAC,-configuration', 'restore', 17.6, 18.9, ['custom-resource-definitions']),
  step('group-data', 'group', 19.9, 24.2, ['namespaces,-RBAC,-configuration', 'prove-isolation'], {
    group: 'data',
  }),
  step('restore-dump-shop-db/db', 'group', 24.2, 27.5, ['group-data'], {group: 'data', attempts: 2}),
  step('group-web', 'group', 27.5, 32.1, ['restore-dump-shop-db/db'], {group: 'web'}),
  step('routes-and-webhooks', 'group', 27.5, 28.6, ['restore-dump-shop-db/db']),
  step('probe-workloads', 'probe', 32.1, 35.2, ['group-web', 'routes-and-webhooks']),
  step('probe-orders', 'probe', 32.1, 33.0, ['group-web']),
  step('probe-canary', 'probe', 32.1, 32.7, ['group-web']),
  step('probe-orders-page', 'probe', 32.1, 33.4, ['group-web']),
  step('collect-events', 'finally', 35.2, 35.9, []),
  step('terraform-destroy', 'cleanup', 35.9, 41.3, []),
  step('verify-nothing-left', 'cleanup', 41.3, 41.9, ['terraform-destroy']),
];

type GuardRow = [number, string, DrillGuard['state'], string, number?];

const GUARD_ROWS: GuardRow[] = [
  [1, 'Right target', 'applied', 'kube-system UID and host differ from the source, empty, made by this run'],
  [2, 'Infrastructure deny', 'applied', 'The network namespace of the target has no route out'],
  [
    3,
    'Isolation proved',
    'applied',
    '14 hosts harvested from the snapshot, metadata, SMTP and internet unreachable',
    18,
  ],
  [4, 'NetworkPolicies cannot reopen', 'applied', 'The deny lies below the cluster'],
  [5, 'Inert restore', 'applied', 'Replicas 0, CronJobs and Jobs suspended, HPAs paused', 7],
  [6, 'Webhooks last', 'notApplicable', 'The snapshot has no webhook configuration'],
  [7, 'GitOps suspended', 'notApplicable', 'No Argo CD or Flux objects'],
  [8, 'Infrastructure controllers off', 'notApplicable', 'None in the snapshot'],
  [9, 'No source volumes', 'applied', 'No PersistentVolume was created from the snapshot', 1],
  [10, 'Backup tools off', 'notApplicable', 'None in the snapshot'],
  [12, 'No way in', 'applied', 'LoadBalancer to ClusterIP, Ingress hosts to .invalid', 2],
  [13, 'Stale identities stripped', 'applied', 'Leases are not restored', 4],
  [
    15,
    'Mail blanked',
    'waived',
    'Waiver "no-mail-host": the shop has no mail host in the drill (asked by sre)',
  ],
  [18, 'Not tested is listed', 'applied', 'See "Not tested"', 3],
];
const GUARDS = GUARD_ROWS.map(([number, name, state, detail, count]) => ({
  number,
  name,
  state,
  detail,
  count,
}));

const KINDS: DrillDraft['completeness']['kinds'] = (
  [
    ['Namespace', 2, 2, 0, 0, 0],
    ['CustomResourceDefinition', 1, 1, 0, 0, 0],
    ['ServiceAccount', 5, 3, 2, 0, 0],
    ['Role', 2, 2, 0, 0, 0],
    ['RoleBinding', 2, 2, 0, 0, 0],
    ['Secret', 3, 3, 0, 0, 0],
    ['ConfigMap', 5, 3, 2, 0, 0],
    ['PersistentVolumeClaim', 1, 1, 0, 1, 0],
    ['Service', 3, 3, 0, 1, 0],
    ['NetworkPolicy', 4, 4, 0, 0, 0],
    ['StatefulSet', 1, 1, 0, 0, 0],
    ['Deployment', 1, 1, 0, 0, 0],
    ['Promotion', 6, 6, 0, 0, 0],
    ['CronJob', 1, 1, 0, 1, 0],
    ['HorizontalPodAutoscaler', 1, 1, 0, 0, 0],
    ['PodDisruptionBudget', 1, 1, 0, 0, 0],
    ['Ingress', 1, 1, 0, 1, 0],
  ] as const
).map(([kind, expected, restored, skipped, changed, failed]) => ({
  kind,
  expected,
  restored,
  skipped,
  changed,
  failed,
}));

const sample = (seconds: number, message: string) => ({
  at: at(seconds),
  outcome: 'passed' as const,
  message,
  durationMs: 41,
});

const PROBES: DrillDraft['verification']['probes'] = [
  {
    name: 'workloads',
    kind: 'health',
    proves: 'processUp',
    required: true,
    verdict: 'passed',
    expected: 'every workload of the snapshot healthy for 3 s',
    observed: '2 of 2 healthy',
    samples: [sample(32.2, '2 of 2 healthy'), sample(33.7, '2 of 2 healthy'), sample(35.2, 'held for 3 s')],
    durationMs: 3100,
    message: 'All workloads are healthy and stayed so',
  },
  {
    name: 'orders',
    kind: 'sql',
    proves: 'dataCurrent',
    required: true,
    verdict: 'passed',
    expected: {customers: 250, order_items: 4800, orders: 1200, products: 40},
    observed: {customers: 250, order_items: 4800, orders: 1200, products: 40},
    samples: [sample(32.9, '4 tables equal to the baseline')],
    durationMs: 900,
    message: 'All row counts equal the baseline taken at the snapshot',
  },
  {
    name: 'canary',
    kind: 'canary',
    proves: 'dataCurrent',
    required: true,
    verdict: 'passed',
    expected: 'sha256:5be1…c07e',
    observed: 'sha256:5be1…c07e',
    samples: [sample(32.7, 'the nonce written before this snapshot is there')],
    durationMs: 600,
    message: 'The nonce written just before this snapshot came back',
  },
  {
    name: 'orders-page',
    kind: 'http',
    proves: 'functionWorks',
    required: true,
    verdict: 'passed',
    expected: 'status 200, body contains "orders"',
    observed: 'status 200',
    samples: [sample(33.0, 'status 200'), sample(33.2, 'status 200'), sample(33.4, 'status 200')],
    durationMs: 1300,
    message: 'GET /orders answered 200 three times in a row',
  },
];

const MARKS: DrillDraft['timeline']['marks'] = (
  [
    ['T0', 'declared', 0],
    ['T1', 'target ready', 16.3],
    ['T2', 'objects restored', 18.9],
    ['T3', 'data restored', 27.5],
    ['T4', 'workloads healthy', 32.1],
    ['T5', 'probes green', 35.2],
  ] as const
).map(([mark, name, s]) => ({mark, name, at: at(s), elapsedMs: s * 1000}));

export const passedDraft: DrillDraft = {
  apiVersion: 'pra/v1',
  kind: 'Drill',
  identity: {
    id: '20261123T154505Z-8c41d2',
    sequence: 12,
    mode: 'drill',
    plan: {name: 'shop', hash: PLAN_HASH, file: 'plans/quickstart/plan.yaml'},
    tool: {name: 'pra', version: '0.1.0'},
    tools: [
      {name: 'terraform', version: '1.14.3'},
      {name: 'restic', version: '0.18.1'},
    ],
    trigger: 'manual',
    operator: 'claire@ops-1',
    reason: 'quarterly drill BIA-12',
    startedAt: at(-6.6),
    endedAt: at(42),
  },
  scenario: 'Loss of region eu-west-3',
  scope: {
    namespaces: ['shop', 'shop-db'],
    exclusions: [{what: 'kind leases.coordination.k8s.io', reason: 'excluded by the plan'}],
  },
  recoveryPoint: {
    snapshot: '20261123T154505Z-1a2b3c4d',
    createdAt: at(-6.4),
    policy: 'latest',
    treeDigest: TREE,
    source: {uid: '7c1e9a44-0f52-4c19-9d25-64a3c2f0aa10', version: 'v1.34.4', context: 'prod'},
    measuredRpoMs: 6400,
    objects: 40,
    bytes: 2_384_110,
  },
  target: {
    provider: 'local',
    module: 'terraform/local',
    moduleHash: TREE.split('').reverse().join(''),
    clusterUid: 'd2b7f3c0-5a7e-4f4b-8a63-b9c1b0a7e911',
    version: 'v1.34.4',
    endpoint: 'https://10.86.0.2:6443',
    facts: {nodes: 1, audit: true, encryptionAtRest: 'secretbox', anonymousAccess: false},
    segregation: {
      isolated: true,
      proof: [
        'db.prod.acme.example:5432 refused: no route',
        '169.254.169.254:80 refused: no route',
        'Internet (1.1.1.1:443) refused: no route',
      ],
    },
  },
  guards: GUARDS,
  timeline: {marks: MARKS, steps: withCriticalPath(STEPS), humanWaitMs: 0},
  completeness: {
    kinds: KINDS,
    failures: [],
    changes: [
      {
        ref: 'PersistentVolumeClaim shop-db/data-db-0',
        rule: 'storage class',
        reason: 'gp3 becomes drill-gp3',
      },
      {ref: 'batch/CronJob shop/mail-customers', rule: 'guard 5', reason: 'suspended in a drill'},
      {ref: 'Service shop/web', rule: 'guard 12', reason: 'LoadBalancer becomes ClusterIP'},
      {ref: 'networking.k8s.io/Ingress shop/web', rule: 'guard 12', reason: 'hosts end in .invalid'},
    ],
    skips: [
      {ref: 'ConfigMap shop/kube-root-ca.crt', reason: 'made by the cluster itself'},
      {ref: 'ConfigMap shop-db/kube-root-ca.crt', reason: 'made by the cluster itself'},
      {ref: 'ServiceAccount shop/default', reason: 'made by the cluster itself'},
      {ref: 'ServiceAccount shop-db/default', reason: 'made by the cluster itself'},
    ],
  },
  volumes: [
    {
      namespace: 'shop-db',
      workload: 'StatefulSet/db',
      method: 'dump',
      bytes: 2_310_144,
      restoredBytes: 2_310_144,
      sha256Ok: true,
      durationMs: 3300,
    },
  ],
  verification: {
    probes: PROBES,
    notTested: [
      {what: 'External DNS switch', reason: 'The step `dns` runs only in a real recovery'},
      {what: 'Mail to customers', reason: 'CronJob mail-customers stays suspended in a drill'},
      {what: 'Load balancer', reason: 'Services of type LoadBalancer come back as ClusterIP'},
    ],
  },
  verdict: {
    result: 'passed',
    objectiveMissed: false,
    exitCode: 0,
    summary: 'All 4 probes passed; recovered in 35.2s with 45m allowed.',
  },
  objectives: {rto: judgeObjective(2_700_000, 35_200), rpo: judgeObjective(3_600_000, 6400), rtoMark: 'T5'},
  delta: {previous: '20260824T090003Z-77aa01', rtoMs: -2100},
  cleanup: {destroyed: true, durationMs: 6000, leftovers: []},
  findings: [
    {
      id: 'STORAGE_CLASS_MAPPED',
      severity: 'info',
      title: 'Storage class gp3 was mapped to drill-gp3',
      cause: 'The target has no class gp3; the plan names drill-gp3 instead.',
      object: 'PersistentVolumeClaim shop-db/data-db-0',
      next: 'Nothing, if the recovery cluster has gp3.',
    },
  ],
  integrity: {planHash: PLAN_HASH, previous: TREE.replaceAll('1', '4')},
};

const brokenProbes: DrillDraft['verification']['probes'] = PROBES.map(probe => {
  if (probe.name === 'orders') {
    return {
      ...probe,
      verdict: 'failed',
      observed: {customers: 250, order_items: 0, products: 40},
      message: 'order_items has 0 rows, 4800 expected; table orders is missing',
      samples: [
        {at: at(33), outcome: 'failed', message: 'relation "orders" does not exist', durationMs: 38},
        {at: at(43), outcome: 'failed', message: 'relation "orders" does not exist', durationMs: 36},
      ],
    };
  }
  if (probe.name === 'orders-page') {
    return {
      ...probe,
      verdict: 'failed',
      observed: 'status 500',
      message: 'GET /orders answered 500 twice in a row',
    };
  }
  return probe;
});

export const failedDraft: DrillDraft = {
  ...passedDraft,
  identity: {
    ...passedDraft.identity,
    id: '20261124T021500Z-f0011e',
    trigger: 'schedule',
    operator: 'cron@ops-1',
  },
  timeline: {
    ...passedDraft.timeline,
    marks: MARKS.slice(0, 4),
    steps: withCriticalPath([
      ...STEPS.slice(0, 8),
      step('group-data', 'group', 19.9, 24.2, ['prove-isolation'], {group: 'data'}),
      step('restore-dump-shop-db/db', 'group', 24.2, 27.5, ['group-data'], {group: 'data'}),
      step('group-web', 'group', 27.5, 58, ['restore-dump-shop-db/db'], {
        group: 'web',
        result: 'failed',
        attempts: 3,
        message:
          'Deployment shop/web: 1 of 2 pods ready after 30s: ImagePullBackOff registry.acme.example/web:3.1',
      }),
      step('probe-orders', 'probe', 58, 68, ['group-web'], {result: 'failed'}),
      step('probe-orders-page', 'probe', 58, 63, ['group-web'], {result: 'failed'}),
      {
        ...step('probe-report-script', 'probe', 0, 0, ['group-web'], {attempts: 0, result: 'skipped'}),
        startedAt: undefined,
        endedAt: undefined,
        message: 'its group failed',
      },
      step('terraform-destroy', 'cleanup', 68, 73, [], {result: 'error', message: 'a mount was busy'}),
    ]),
  },
  completeness: {
    ...passedDraft.completeness,
    kinds: KINDS.map(k => (k.kind === 'Secret' ? {...k, restored: 2, failed: 1} : k)),
    failures: [
      {
        ref: 'Secret shop/web-dsn',
        reason: 'it is in the inventory of the snapshot, but its content is missing',
      },
    ],
  },
  volumes: passedDraft.volumes.map(volume => ({...volume, restoredBytes: 1_204_224, sha256Ok: false})),
  verification: {...passedDraft.verification, probes: brokenProbes},
  target: passedDraft.target && {
    ...passedDraft.target,
    segregation: {isolated: false, proof: ['smtp.acme.example:25 answered']},
  },
  guards: GUARDS.map(g =>
    g.number === 3
      ? {...g, state: 'failed', detail: 'smtp.acme.example:25 answered from inside the target'}
      : g,
  ),
  verdict: {
    result: 'failed',
    objectiveMissed: true,
    exitCode: 3,
    summary: '2 of 4 required probes failed, 1 object could not be restored, and the RTO was missed.',
  },
  objectives: {rto: judgeObjective(60_000, 68_000), rpo: judgeObjective(3600_000, 86_400_000), rtoMark: 'T5'},
  delta: {previous: '20261123T154505Z-8c41d2', rtoMs: 32_800},
  cleanup: {
    destroyed: false,
    durationMs: 5000,
    leftovers: [{what: 'mount /run/pra/f0011e/pvc-db', next: 'pra drill clean 20261124T021500Z-f0011e'}],
    message: 'umount: target is busy',
  },
  findings: [
    {
      id: 'DATA_MISSING',
      severity: 'critical',
      title: 'Table orders is missing from the recovered database',
      cause:
        'The dump in the snapshot ended after 1.1 MiB of 2.2 MiB; its digest differs from the one recorded.',
      object: 'apps/StatefulSet shop-db/db',
      next: 'Take a new snapshot and drill it: pra snapshot create plans/quickstart/plan.yaml',
    },
    {
      id: 'IMAGE_UNAVAILABLE',
      severity: 'high',
      title: 'The web image cannot be pulled from the recovery site',
      cause: 'ImagePullBackOff: registry.acme.example/web:3.1: no such host.',
      object: 'apps/Deployment shop/web',
      next: 'Mirror the image to a registry that survives the loss of the region.',
    },
    {
      id: 'CLEANUP_FAILED',
      severity: 'medium',
      title: 'A mount of the drill is left on the host',
      cause: 'A process still had a file open when the volume was removed.',
      next: 'pra drill clean 20261124T021500Z-f0011e',
    },
  ],
};

export const inconclusiveDraft: DrillDraft = {
  ...passedDraft,
  identity: {...passedDraft.identity, id: '20261125T021500Z-0cc3aa'},
  verification: {
    probes: PROBES.map(p =>
      p.name === 'orders'
        ? {...p, verdict: 'inconclusive', observed: undefined, message: 'no answer within 5m', samples: []}
        : p,
    ),
    notTested: [],
  },
  timeline: {...passedDraft.timeline, marks: MARKS.slice(0, 5)},
  verdict: {
    result: 'inconclusive',
    objectiveMissed: false,
    exitCode: 6,
    summary: 'Probe orders could not decide, so the recovery is not proved.',
  },
  objectives: {
    rto: judgeObjective(2_700_000, undefined),
    rpo: judgeObjective(3_600_000, 6400),
    rtoMark: 'T5',
  },
  delta: undefined,
  findings: [],
};

export const missedDraft: DrillDraft = {
  ...passedDraft,
  identity: {...passedDraft.identity, id: '20261126T021500Z-00bb11'},
  objectives: {rto: judgeObjective(30_000, 35_200), rpo: judgeObjective(3_600_000, 6400), rtoMark: 'T5'},
  verdict: {
    result: 'passed',
    objectiveMissed: true,
    exitCode: 4,
    summary: 'All 4 probes passed, but the recovery took 5.2s longer than the 30.0s allowed.',
  },
};

export const abortedDraft: DrillDraft = {
  ...passedDraft,
  identity: {...passedDraft.identity, id: '20261127T080000Z-aa0000', reason: undefined, tools: undefined},
  scenario: undefined,
  scope: {namespaces: [], exclusions: []},
  recoveryPoint: undefined,
  target: undefined,
  guards: [],
  timeline: {marks: [], steps: [], humanWaitMs: 0},
  completeness: {kinds: [], failures: [], changes: []},
  volumes: [],
  verification: {probes: [], notTested: []},
  verdict: {
    result: 'aborted',
    objectiveMissed: false,
    exitCode: 130,
    summary: 'Stopped by Ctrl-C before anything was touched.',
  },
  objectives: {rto: {}, rpo: {}, rtoMark: 'T5'},
  delta: undefined,
  cleanup: undefined,
  findings: [],
  integrity: {planHash: PLAN_HASH},
};

const HOSTILE = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>&amp;\u0000\u001b[31m\u202egnp.exe]]>${'W'.repeat(300)}`;

export const hostileDraft: DrillDraft = {
  ...failedDraft,
  identity: {
    ...failedDraft.identity,
    operator: HOSTILE,
    reason: HOSTILE,
    plan: {name: HOSTILE, hash: PLAN_HASH, file: HOSTILE},
  },
  scenario: HOSTILE,
  scope: {namespaces: [HOSTILE], exclusions: [{what: HOSTILE, reason: HOSTILE}]},
  guards: GUARDS.map(g => ({...g, name: HOSTILE, detail: HOSTILE})),
  completeness: {
    kinds: [{kind: HOSTILE, expected: 1, restored: 0, skipped: 0, changed: 0, failed: 1}],
    failures: [{ref: HOSTILE, reason: HOSTILE}],
    changes: [{ref: HOSTILE, rule: HOSTILE, reason: HOSTILE}],
  },
  verification: {
    probes: PROBES.map(p => ({
      ...p,
      name: HOSTILE,
      message: HOSTILE,
      expected: {[HOSTILE]: HOSTILE},
      observed: HOSTILE,
    })),
    notTested: [{what: HOSTILE, reason: HOSTILE}],
  },
  findings: failedDraft.findings.map(f => ({
    ...f,
    id: HOSTILE,
    title: HOSTILE,
    cause: HOSTILE,
    next: HOSTILE,
  })),
};

/** A drill of many groups, so that tables get long and pages break. */
export const largeDraft: DrillDraft = {
  ...passedDraft,
  identity: {...passedDraft.identity, id: '20261128T080000Z-1a46e0'},
  timeline: {
    ...passedDraft.timeline,
    steps: withCriticalPath([
      ...STEPS.slice(0, 8),
      ...Array.from({length: 40}, (_, i) =>
        step(`group-service-${i}`, 'group', 19.9 + (i % 7), 22 + (i % 7) + (i % 11), ['prove-isolation'], {
          group: `service-${i}`,
        }),
      ),
      ...STEPS.slice(12),
    ]),
  },
  completeness: {
    ...passedDraft.completeness,
    kinds: Array.from({length: 60}, (_, i) => ({
      kind: `Kind${i}`,
      expected: 1000 + i,
      restored: 1000 + i,
      skipped: 0,
      changed: i % 3,
      failed: 0,
    })),
    changes: Array.from({length: 200}, (_, i) => ({
      ref: `batch/CronJob team-${i % 9}/job-${i}`,
      rule: 'guard 5',
      reason: i % 2 ? 'suspended in a drill' : 'replicas kept in an annotation',
    })),
  },
};

const {
  module: _module,
  moduleHash: _hash,
  ...existing
} = passedDraft.target ?? {
  module: '',
  moduleHash: '',
  provider: '',
  facts: {},
  segregation: {isolated: false, proof: []},
};

/** A real recovery into a cluster that was there, half of which was waiting for a person. */
const recoveredDraft: DrillDraft = {
  ...passedDraft,
  identity: {
    ...passedDraft.identity,
    id: '20261127T021500Z-00cc77',
    mode: 'recover',
    trigger: 'manual',
    reason: 'the region is gone',
  },
  target: {
    ...existing,
    provider: 'existing',
    segregation: {isolated: false, proof: ['a recovery is not isolated: it goes back into service']},
  },
  timeline: {
    ...passedDraft.timeline,
    steps: withCriticalPath([
      ...STEPS.slice(0, 11),
      step('group app: switch-dns (by a person)', 'group', 32.1, 52.1, ['group-web'], {
        group: 'app',
        manual: true,
        message: 'approved by duty-manager (account ops)',
      }),
      ...STEPS.slice(11, -2),
    ]),
    humanWaitMs: 20_000,
  },
  cleanup: undefined,
};

const seal = (draft: DrillDraft): DrillRecord => sealRecord(draft);

export const SAMPLES = {
  passed: seal(passedDraft),
  failed: seal(failedDraft),
  inconclusive: seal(inconclusiveDraft),
  missed: seal(missedDraft),
  aborted: seal(abortedDraft),
  hostile: seal(hostileDraft),
  large: seal(largeDraft),
  recovered: seal(recoveredDraft),
} as const satisfies Record<string, DrillRecord>;
