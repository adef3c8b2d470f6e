import closest from 'fastest-levenshtein';
import {PraError} from '../errors.ts';
import {formatDuration} from '../std/duration.ts';
import {orderGroups} from './graph.ts';
import type {Plan} from './schema.ts';
import {isUnsupported, unsupportedValues} from './unsupported.ts';
import {fieldNamesAt, type SchemaNode, schemaAt} from './walk.ts';

export interface FieldExplanation {
  field: string;
  type: string;
  description?: string | undefined;
  required: boolean;
  supported: boolean;
  default?: unknown;
  allowed?: unknown[] | undefined;
  /** Those of them that this version does not carry out. */
  notYet?: readonly string[] | undefined;
  fields: {
    name: string;
    type: string;
    required: boolean;
    supported: boolean;
    description?: string | undefined;
  }[];
}

/**
 * What one field of the plan means, such as `spec.probes.policy` or `spec.probes[0].policy`.
 * @throws PraError USAGE with the nearest right name when there is no such field.
 */
export function explainField(given: string): FieldExplanation {
  const path = given.replace(/\[\d*\]/g, '');
  const parts = path.split('.').filter(part => part !== '');
  for (const [index, part] of parts.entries()) {
    const known = fieldNamesAt(parts.slice(0, index));
    if (known.includes(part)) continue;
    const right = [...parts.slice(0, index), closest.closest(part, known)].join('.');
    throw new PraError('USAGE', `a plan has no field ${given}`, {
      next: [`pra plan explain ${known.length > 0 ? right : parts.slice(0, index).join('.')}`],
    });
  }
  const node = schemaAt(parts) ?? {};
  const parent = schemaAt(parts.slice(0, -1));
  const last = parts.at(-1) ?? '';
  return {
    field: path,
    type: typeOf(node),
    description: node.description,
    required: isRequired(parent, last),
    supported: !isUnsupported(path),
    default: node.default,
    allowed: node.enum,
    notYet: unsupportedValues(path),
    fields: fieldNamesAt(parts).map(name => {
      const child = schemaAt([...parts, name]) ?? {};
      return {
        name,
        type: typeOf(child),
        required: isRequired(node, name),
        supported: !isUnsupported([path, name].filter(Boolean).join('.')),
        description: child.description,
      };
    }),
  };
}

const isRequired = (node: SchemaNode | undefined, name: string) =>
  Boolean((node?.required ?? node?.items?.required)?.includes(name));

function typeOf(node: SchemaNode): string {
  if (node.title !== undefined) return node.title;
  if (node.items) return `list of ${typeOf(node.items)}`;
  if (node.anyOf) return [...new Set(node.anyOf.map(typeOf))].join(' or ');
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum) return node.enum.map(value => String(value)).join('|');
  if (node.properties) return 'mapping';
  if (node.type === 'object') return 'map';
  return node.type ?? 'any';
}

export interface ExplainOptions {
  /** A real recovery instead of a drill. */
  mode?: 'drill' | 'recover';
  /** The cluster that is recovered into, in words; a new one by Terraform when it is not given. */
  into?: string | undefined;
}

/** What a drill of this plan, or a recovery by it, will do, in order, in sentences. */
export function explainPlan(plan: Plan, {mode = 'drill', into}: ExplainOptions = {}): string[] {
  const {spec} = plan;
  const {source, target, objectives} = spec;
  const fresh = spec.recoveryPoint.policy === 'fresh';
  const saved = fresh ? source.volumes.filter(volume => volume.method !== 'none') : [];
  const fills = source.volumes.some(({method}) => method === 'csi' || method === 'filesystem');
  return [
    ...(fresh && source.canary
      ? [
          `Write a fresh canary into ${source.canary.namespace}${source.canary.sql ? ' and its database' : ''}.`,
        ]
      : []),
    ...(fresh ? (source.hooks ?? []).map(hookSentence) : []),
    fresh
      ? `Take a snapshot of ${source.include.namespaces.join(', ')} from ${source.kubeconfig.context === undefined ? 'the current context' : `context ${source.kubeconfig.context}`} into ${spec.repository.url}.`
      : `Use the ${spec.recoveryPoint.id ?? 'latest'} snapshot in ${spec.repository.url}.`,
    ...saved.map(volume => `Save the data of ${whichOf(volume)} by ${howOf(volume)}.`),
    into === undefined
      ? `T0: the recovery is declared. Bring up a fresh cluster with ${target.terraform.dir} and check that it is not the source and is empty.`
      : `T0: the recovery is declared. Recover into ${into}, which a person confirms.`,
    mode === 'drill'
      ? 'Restore all objects, with workloads stopped, CronJobs suspended and load balancers turned into cluster-internal services.'
      : 'Restore all objects as they were, with the workloads of the groups stopped until their turn comes.',
    ...(fills
      ? [
          'Fill volumes before anything mounts them, and compare each file with the manifest that was taken in the source.',
        ]
      : []),
    ...orderGroups(spec.groups).flatMap((layer, index) =>
      layer.map(name => groupSentence(plan, name, index, mode)),
    ),
    ...spec.probes
      .filter(({modes}) => (modes ?? [mode]).includes(mode))
      .map(probe => `Probe ${probe.name}${probe.required ? '' : ' (optional)'}: proves ${probe.proves}.`),
    `${mode === 'drill' ? 'Destroy the target' : 'The target stays, and is in service'}. The objectives are RTO ${formatDuration(objectives.rto)} and RPO ${formatDuration(objectives.rpo)}.`,
  ];
}

type Volume = Plan['spec']['source']['volumes'][number];

function howOf({method, dump, csi}: Volume): string {
  if (method === 'filesystem') return 'reading its files where they are used';
  if (method === 'csi')
    return `a snapshot of its storage${csi?.snapshotClass === undefined ? '' : `, class ${csi.snapshotClass}`}, which is read afterwards`;
  if (dump?.preset === undefined) return `its dump command, ${shorten(dump?.command?.join(' ') ?? '')}`;
  return `preset ${dump.preset}${dump.database === undefined ? '' : `, database ${dump.database} alone`}`;
}

/** Which volumes a rule is for, as the plan says it. */
function whichOf({select, namespaces, storageClasses, drivers, size}: Volume): string {
  const more = {storageClasses, drivers, size, ...(select === undefined ? {namespaces} : {})};
  const said = Object.entries(more).filter(([, value]) => value !== undefined);
  const parts = [
    ...(select === undefined ? [] : [JSON.stringify(select)]),
    ...(said.length === 0 ? [] : [JSON.stringify(Object.fromEntries(said))]),
  ];
  return parts.length === 0 ? 'all other volumes' : parts.join(' with ');
}

type Hook = NonNullable<Plan['spec']['source']['hooks']>[number];

const shorten = (text: string) => (text.length > 60 ? `${text.slice(0, 59)}…` : text);

function hookSentence({name, select, pre = [], post = []}: Hook): string {
  const commands = [
    pre.length > 0 ? `${shorten(pre.join(' '))} before it` : undefined,
    post.length > 0 ? `${shorten(post.join(' '))} after it, whatever happens` : undefined,
  ].filter(text => text !== undefined);
  return `Around the snapshot, run hook ${name} in the pods with ${JSON.stringify(select)}: ${commands.join(', ')}.`;
}

function groupSentence(plan: Plan, name: string, layer: number, mode: 'drill' | 'recover'): string {
  const group = plan.spec.groups.find(candidate => candidate.name === name);
  const after =
    group && group.dependsOn.length > 0
      ? ` after ${group.dependsOn.join(', ')} ${group.dependsOn.length > 1 ? 'are' : 'is'} healthy`
      : '';
  const inMode = (group?.steps ?? []).filter(({modes}) => (modes ?? [mode]).includes(mode));
  const told = inMode.map(step =>
    step.manual ? `have ${step.manual.approvers.join(' or ')} do ${step.name}` : `run ${step.name}`,
  );
  const steps = told.length > 0 ? `, then ${told.join(', ')}` : '';
  return `Stage ${layer + 1}: start group ${name} (${group?.select.namespaces?.join(', ') ?? group?.select.selector ?? 'everything'})${after}, wait until it is healthy, bring back its data${steps}.`;
}
