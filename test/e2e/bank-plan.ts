import {CSI} from '../bed/csi.ts';
import {holdHook} from './bank-hook.ts';
import {historyQuery, INVARIANTS} from './bank-load.ts';

/** One namespace for each way to save a database, and one for volumes that nobody uses at the moment. */
export const NAMESPACES = {
  csi: 'bank-csi',
  filesystem: 'bank-files',
  dump: 'bank-dump',
  quiet: 'quiet',
} as const;

export const METHODS = ['csi', 'filesystem', 'dump'] as const;
export type Method = (typeof METHODS)[number];
export const databaseOf = (method: Method) => NAMESPACES[method];

export const LOCAL_CLASS = 'local-path';
/** Of the pods whose writing is held while their volume is read. */
export const HELD = {writes: 'held'} as const;
/** Of a claim that nothing mounts: no pod has labels for it. */
export const KEEP = {keep: 'papers'} as const;

export interface PlanOptions {
  context: string;
  repository: string;
  /** The last transaction of each database before the plan was written. */
  before: Record<Method, number>;
}

const dump = {
  command: ['pg_dump', '-Fc', '-Z0', '-h', '/tmp', '-U', 'postgres', 'shop'],
  restore: [
    ...['pg_restore', '--exit-on-error', '--single-transaction', '--no-owner'],
    ...['-h', '/tmp', '-U', 'postgres', '-d', 'shop'],
  ],
};

interface Rule {
  select?: Record<string, string>;
  namespaces?: string[];
  storageClasses?: string[];
  method: Method;
  dump?: typeof dump;
  csi?: {snapshotClass: string};
}

const volumeRules = (): Rule[] => [
  {select: {app: 'db'}, namespaces: [NAMESPACES.dump], method: 'dump', dump},
  {storageClasses: [CSI.storageClass], method: 'csi', csi: {snapshotClass: CSI.snapshotClass}},
  {select: {app: 'db'}, namespaces: [NAMESPACES.filesystem], method: 'filesystem'},
  {select: KEEP, method: 'filesystem'},
];

/** Recovers all of it, and asks each database for what must hold in it. */
export const bankPlan = ({context, repository, before}: PlanOptions) => ({
  apiVersion: 'pra/v1',
  kind: 'Plan',
  metadata: {name: 'bank'},
  spec: {
    scenario: 'loss of the cluster in the middle of work',
    objectives: {rto: '10m', rpo: '1h', clock: 'declared'},
    source: {
      kubeconfig: {context},
      include: {namespaces: Object.values(NAMESPACES), clusterScoped: 'referenced'},
      hooks: [holdHook(HELD)],
      volumes: volumeRules(),
      canary: {
        namespace: NAMESPACES.csi,
        rotate: 'everySnapshot',
        sql: {secretRef: `${NAMESPACES.csi}/dsn`},
      },
    },
    repository: {url: repository},
    recoveryPoint: {policy: 'fresh'},
    target: {
      terraform: {dir: 'terraform/local', vars: {node: 'kubelet', isolated: true}},
      requires: {storageClasses: {[CSI.storageClass]: LOCAL_CLASS}},
    },
    isolation: {profile: 'bubble'},
    groups: Object.values(NAMESPACES).map(namespace => ({
      name: namespace,
      select: {namespaces: [namespace]},
      rto: '2m',
      onFailure: 'continue',
    })),
    probes: [
      {name: 'workloads', proves: 'processUp', health: {}},
      {name: 'canary', proves: 'dataCurrent', canary: {}},
      ...METHODS.flatMap(method => probesOf(method, before[method])),
    ],
    finally: [{name: 'logs', collect: ['events', 'podLogs']}],
    cleanup: {destroy: 'always', verifyEmpty: true},
    evidence: {formats: ['json']},
  },
});

function probesOf(method: Method, before: number) {
  const secretRef = `${databaseOf(method)}/dsn`;
  return [
    ...Object.entries(INVARIANTS).map(([name, {query, equals}]) => ({
      name: `${method}-${name}`,
      proves: 'dataPresent',
      sql: {secretRef, query},
      compare: {equals},
    })),
    {
      name: `${method}-current`,
      proves: 'dataCurrent',
      sql: {secretRef, query: `select max(n) >= ${before} from log`},
      compare: {equals: true},
    },
    // What it must be is known only when the drill is over, so that the test compares it.
    {name: `${method}-history`, proves: 'functionWorks', sql: {secretRef, query: historyQuery()}},
  ];
}
