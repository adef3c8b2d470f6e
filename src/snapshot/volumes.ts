import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import {type KubeObject, objectRef, type ResourceType} from '../cluster/object.ts';
import {isRunning} from '../cluster/running.ts';
import {PraError} from '../errors.ts';
import {arrayAt, at, stringAt, stringsAt} from '../std/json-at.ts';
import {type CsiClaim, type CsiSettings, driverOf} from '../volume/csi.ts';
import type {DumpRequest} from '../volume/dump.ts';
import {dumpCommands} from '../volume/dump-commands.ts';
import {type Identity, identityOfPod} from '../volume/mover/identity.ts';
import {claimsOfPod, MOVER_LABEL, volumesOfClaim} from '../volume/mover/job.ts';
import {podSpecIn} from './pod-spec.ts';
import {listScopes, type Selection} from './select.ts';
import {selectorText} from './selector.ts';
import {type CompiledRule, compileVolumeRule, ruleText, type VolumeRule, volumeFacts} from './volume-rule.ts';
import {workloadOf} from './workload-of.ts';

export interface VolumeScope {
  cluster: Cluster;
  rules: readonly VolumeRule[];
  selection: Selection;
  signal: AbortSignal;
}

/** A claim whose files are to be saved. */
export interface ClaimRequest {
  method: 'csi' | 'filesystem';
  object: KubeObject;
  /** What mounts it. */
  workload: string | undefined;
  /** Where a pod that mounts it runs. */
  node: string | undefined;
  user: Identity | undefined;
  driver: string | undefined;
  csi: CsiSettings | undefined;
}

/** How the data of every claim in scope is saved. */
export interface VolumePlan {
  dumps: DumpRequest[];
  claims: ClaimRequest[];
  /** Claims that never were bound, so that there is nothing to save. */
  unbound: {namespace: string; name: string}[];
}

/** What mounts claims, running or not. */
const MOUNTING = [
  CORE_TYPES.StatefulSet,
  CORE_TYPES.Deployment,
  CORE_TYPES.DaemonSet,
  CORE_TYPES.CronJob,
] as const;
const CSI_DEFAULTS: CsiSettings = {timeoutMs: 10 * 60_000, keep: false};

/**
 * Finds out how each claim in scope is saved, and sees to it that each is, or is waived by the plan: also those that no pod
 * mounts at the moment.
 * @throws PraError PLAN_UNPROTECTED_VOLUME naming every claim that no rule covers, VOLUME_DUMP_FAILED when a rule finds
 * no running pod to ask, VOLUME_SAVE_FAILED for a volume that its method cannot save, CLUSTER_*.
 */
export async function planVolumes({cluster, rules, selection, signal}: VolumeScope): Promise<VolumePlan> {
  const inScope = (object: KubeObject) => selection.namespace(object.metadata.namespace ?? '');
  const scopes = listScopes(selection.select, selection.select.namespaces.filter(selection.namespace));
  const list = async (type: ResourceType) => {
    const lists = scopes.map(namespace => listAll(cluster, type, {namespace, signal}));
    return (await Promise.all(lists)).flat().filter(inScope);
  };
  const isNamed = selection.names(CORE_TYPES.PersistentVolumeClaim);
  const claims = (await list(CORE_TYPES.PersistentVolumeClaim)).filter(
    claim =>
      isNamed(claim.metadata.name) &&
      selection.labels(claim) &&
      claim.metadata.labels?.[MOVER_LABEL] === undefined &&
      claim.metadata.deletionTimestamp === undefined,
  );
  if (claims.length === 0 && rules.length === 0) return {dumps: [], claims: [], unbound: []};
  const readsFiles = rules.some(({method}) => method === 'csi' || method === 'filesystem');
  const [pods, replicaSets, ...mounting] = await Promise.all([
    list(CORE_TYPES.Pod),
    list(CORE_TYPES.ReplicaSet),
    ...(readsFiles ? MOUNTING.map(list) : []),
  ]);
  const drivers = rules.some(rule => rule.drivers || rule.method === 'csi')
    ? await driversOf(cluster, claims, signal)
    : new Map<string, string>();
  const owners = new Map(replicaSets.map(set => [`${set.metadata.namespace}/${set.metadata.name}`, set]));
  const applications = pods.filter(pod => pod.metadata.labels?.[MOVER_LABEL] === undefined);
  return new Planning({
    claims,
    pods: applications,
    workloads: mounting.flat(),
    owners,
    drivers,
    rules,
  }).plan();
}

interface Found {
  claims: readonly KubeObject[];
  pods: readonly KubeObject[];
  workloads: readonly KubeObject[];
  owners: ReadonlyMap<string, KubeObject>;
  drivers: ReadonlyMap<string, string>;
  rules: readonly VolumeRule[];
}

class Planning {
  readonly #found: Found;
  readonly #rules: CompiledRule[];

  constructor(found: Found) {
    this.#found = found;
    this.#rules = found.rules.map(compileVolumeRule);
  }

  plan(): VolumePlan {
    const {claims, pods} = this.#found;
    const plan: VolumePlan = {dumps: [], claims: [], unbound: []};
    const unprotected: KubeObject[] = [];
    const toDump: KubeObject[] = [];
    const ruleOf = new Map(claims.map(claim => [claim, this.#ruleOf(claim)]));
    for (const [claim, rule] of ruleOf) {
      if (!rule) unprotected.push(claim);
      else if (rule.method === 'csi' || rule.method === 'filesystem')
        this.#addFiles(plan, claim, rule, rule.method);
      else if (rule.method === 'dump') toDump.push(claim);
    }
    for (const rule of this.#rules) {
      if (rule.method !== 'dump') continue;
      const mine = pods.filter(pod => this.#isAskedBy(rule, pod, ruleOf));
      plan.dumps.push(...dumpRequests(rule, mine, this.#found.owners));
    }
    refuseUnprotected(unprotected);
    this.#addDumped(plan.dumps, toDump);
    return plan;
  }

  /** A pod is asked for a dump when that is the rule of one of its claims; without claims, the first rule for its labels. */
  #isAskedBy(
    rule: CompiledRule,
    pod: KubeObject,
    ruleOf: ReadonlyMap<KubeObject, CompiledRule | undefined>,
  ): boolean {
    if (!rule.fitsLabels(pod)) return false;
    const rules = [...ruleOf].filter(([claim]) => mounts(pod, claim)).map(([, one]) => one);
    if (rules.length > 0) return rules.includes(rule);
    return !isAboutVolumes(rule) && this.#rules.find(one => one.fitsLabels(pod)) === rule;
  }

  /**
   * A claim is in the dump of what mounts it: of a pod that was asked, or of another number of the same set, which holds the same
   * data. @throws PraError VOLUME_DUMP_FAILED for one that is in none
   */
  #addDumped(dumps: readonly DumpRequest[], claims: readonly KubeObject[]): void {
    const left = claims.filter(claim => {
      const {namespace, name} = claim.metadata;
      if (stringAt(claim, 'status', 'phase') === 'Pending') return false;
      const users = [
        ...this.#podsOf(claim).map(pod => workloadOf(pod, this.#found.owners)),
        ...this.#setsOf(claim),
      ];
      const request = dumps.find(
        one => one.namespace === namespace && (one.pvcs.includes(name) || users.includes(one.workload)),
      );
      if (request && !request.pvcs.includes(name)) request.pvcs.push(name);
      return !request;
    });
    if (left.length === 0) return;
    throw new PraError(
      'VOLUME_DUMP_FAILED',
      `no dump holds the data of ${left.map(objectRef).sort().join(', ')}`,
      {
        why: 'a rule says method: dump for them, and no pod that runs mounts them',
        next: [
          'start what mounts them, or delete the claims',
          'or save them by method csi or filesystem, in a rule before that one',
        ],
      },
    );
  }

  /** Sets that a claim was made for, by its name. */
  #setsOf(claim: KubeObject): string[] {
    const prefixes = this.#found.pods
      .filter(pod => pod.metadata.namespace === claim.metadata.namespace)
      .map(pod => workloadOf(pod, this.#found.owners))
      .filter(workload => workload.startsWith('StatefulSet/'));
    const ofSet = (workload: string) =>
      new RegExp(`-${escapeRegExp(workload.slice('StatefulSet/'.length))}-\\d+$`).test(claim.metadata.name);
    return [...new Set(prefixes)].filter(ofSet);
  }

  /** The first rule whose labels fit the claim or what mounts it, and whose other conditions fit its volume. */
  #ruleOf(claim: KubeObject): CompiledRule | undefined {
    const facts = volumeFacts(claim, this.#found.drivers.get(keyOf(claim)));
    const labelled = [claim, ...this.#podsOf(claim), ...this.#workloadsOf(claim).map(podOf)];
    return this.#rules.find(
      rule => rule.fitsVolume(facts) && labelled.some(object => rule.fitsLabels(object)),
    );
  }

  #podsOf(claim: KubeObject): KubeObject[] {
    return this.#found.pods.filter(pod => mounts(pod, claim));
  }

  #workloadsOf(claim: KubeObject): KubeObject[] {
    return this.#found.workloads.filter(
      workload => mounts(workload, claim) || isFromTemplate(workload, claim),
    );
  }

  #addFiles(plan: VolumePlan, claim: KubeObject, rule: CompiledRule, method: 'csi' | 'filesystem'): void {
    const ref = objectRef(claim);
    if (stringAt(claim, 'status', 'phase') === 'Pending') {
      plan.unbound.push({namespace: claim.metadata.namespace ?? '', name: claim.metadata.name});
      return;
    }
    if (stringAt(claim, 'spec', 'volumeMode') === 'Block')
      throw refused(ref, 'it is a block device, of which pra cannot read files', [
        'method: dump, or method: none with a `reason`',
      ]);
    const driver = this.#found.drivers.get(keyOf(claim));
    if (method === 'csi' && driver === undefined)
      throw refused(
        ref,
        `its volume was not made by a CSI driver, and the rule for ${ruleText(rule)} says method: csi`,
        ['method: filesystem for it, in a rule before this one'],
      );
    const running = this.#podsOf(claim).filter(isRunning);
    const [pod] = running;
    const workload = this.#workloadsOf(claim)[0];
    const modes = arrayAt(claim, 'spec', 'accessModes');
    if (method === 'filesystem' && pod && modes.length === 1 && modes[0] === 'ReadWriteOncePod')
      throw refused(ref, 'its access mode ReadWriteOncePod lets no second pod mount it, and one runs', [
        'method: csi, which reads a clone of it',
      ]);
    const owner = pod
      ? workloadOf(pod, this.#found.owners)
      : workload && `${workload.kind}/${workload.metadata.name}`;
    const spec = pod ? at(pod, 'spec') : workload && podSpecIn(workload);
    const volumes = new Set([
      ...volumesOfClaim(spec, claim.metadata.name),
      ...(workload ? templatesOf(workload, claim) : []),
    ]);
    plan.claims.push({
      method,
      object: claim,
      workload: owner,
      node: stringAt(pod, 'spec', 'nodeName'),
      user: identityOfPod(spec, volumes) ?? (rule.user && {kind: 'user', groups: [], ...rule.user}),
      driver,
      csi: method === 'csi' ? (rule.csi ?? CSI_DEFAULTS) : undefined,
    });
  }
}

/** A claim as csi needs it. */
export function csiClaimOf({object, driver, csi}: ClaimRequest): CsiClaim | undefined {
  return driver === undefined || csi === undefined ? undefined : {object, driver, csi};
}

/** Which CSI driver made the volume of each claim. */
async function driversOf(
  cluster: Cluster,
  claims: readonly KubeObject[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const wanted = new Map(claims.map(claim => [stringAt(claim, 'spec', 'volumeName') ?? '', keyOf(claim)]));
  const found = new Map<string, string>();
  for (const volume of await listAll(cluster, CORE_TYPES.PersistentVolume, {signal})) {
    const claim = wanted.get(volume.metadata.name);
    const driver = driverOf(volume);
    if (claim !== undefined && driver !== undefined) found.set(claim, driver);
  }
  return found;
}

const refused = (ref: string, why: string, next: string[]) =>
  new PraError('VOLUME_SAVE_FAILED', `the data of ${ref} cannot be saved as the plan says`, {why, next});

const isAboutVolumes = ({storageClasses, drivers, size}: VolumeRule) =>
  storageClasses !== undefined || drivers !== undefined || size !== undefined;

const escapeRegExp = (text: string) => text.replaceAll(/[.\\-]/g, sign => `\\${sign}`);

const keyOf = ({metadata}: KubeObject) => `${metadata.namespace}/${metadata.name}`;

const mounts = (object: KubeObject, claim: KubeObject) =>
  object.metadata.namespace === claim.metadata.namespace &&
  claimsOfPod(podSpecIn(object)).includes(claim.metadata.name);

const isFromTemplate = (workload: KubeObject, claim: KubeObject) => templatesOf(workload, claim).length > 0;

/** Names of the templates that a claim is of; containers of the set name its volume by them. */
function templatesOf(workload: KubeObject, claim: KubeObject): string[] {
  if (workload.metadata.namespace !== claim.metadata.namespace) return [];
  return arrayAt(workload, 'spec', 'volumeClaimTemplates').flatMap(template => {
    const templateName = stringAt(template, 'metadata', 'name') ?? '';
    const prefix = `${templateName}-${workload.metadata.name}-`;
    const {name} = claim.metadata;
    return name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)) ? templateName : [];
  });
}

/** The labels and namespace of the pods that a workload makes. */
const podOf = (workload: KubeObject): Pick<KubeObject, 'metadata'> => ({
  metadata: {
    name: workload.metadata.name,
    ...(workload.metadata.namespace === undefined ? {} : {namespace: workload.metadata.namespace}),
    labels:
      workload.kind === 'CronJob'
        ? stringsAt(workload, 'spec', 'jobTemplate', 'spec', 'template', 'metadata', 'labels')
        : stringsAt(workload, 'spec', 'template', 'metadata', 'labels'),
  },
});

/** One dump for each workload whose pods the rule selects: the pods of one workload hold the same data. */
function dumpRequests(
  rule: CompiledRule,
  pods: readonly KubeObject[],
  owners: ReadonlyMap<string, KubeObject>,
): DumpRequest[] {
  const {dump} = rule;
  if (!dump) return [];
  const running = pods
    .filter(isRunning)
    .sort((a, b) => Number(isReady(b)) - Number(isReady(a)) || compareNames(a, b));
  if (running.length === 0) {
    throw new PraError('VOLUME_DUMP_FAILED', `no running pod with ${ruleText(rule)} to take a dump from`, {
      why:
        pods.length === 0
          ? 'no pod in the scope of the plan has these labels'
          : `${pods.length} pods have them, none is running`,
      next: [`kubectl get pods -A -l '${selectorText(rule.select ?? '')}'`],
    });
  }
  const {command, restore: restoreCommand} = dumpCommands(dump);
  const byWorkload = Map.groupBy(running, pod => `${pod.metadata.namespace}/${workloadOf(pod, owners)}`);
  return [...byWorkload.values()].flatMap(([pod, ...others]) => {
    if (!pod) return [];
    const workload = workloadOf(pod, owners);
    const pvcs = new Set([pod, ...others].flatMap(one => claimsOfPod(one.spec)));
    return [
      {
        namespace: pod.metadata.namespace ?? '',
        workload,
        pod: pod.metadata.name,
        container: dump.container ?? stringAt(arrayAt(pod, 'spec', 'containers')[0], 'name') ?? '',
        pvcs: [...pvcs].sort(),
        command,
        restoreCommand,
      },
    ];
  });
}

const isReady = (pod: KubeObject) =>
  arrayAt(pod, 'status', 'conditions').some(
    condition => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
  );
const compareNames = (a: KubeObject, b: KubeObject) => (a.metadata.name < b.metadata.name ? -1 : 1);

function refuseUnprotected(claims: readonly KubeObject[]): void {
  const [first, ...more] = claims.map(objectRef).sort();
  if (first === undefined) return;
  throw new PraError(
    'PLAN_UNPROTECTED_VOLUME',
    `no rule of the plan saves the data of ${[first, ...more].join(', ')}`,
    {
      why: 'a recovery would bring these volumes back empty',
      next: [
        'add a rule under `source.volumes` that fits them: by `select`, `storageClasses`, `drivers` or `size`',
        'or let them come back empty on purpose: `method: none` with a `reason`',
      ],
    },
  );
}
