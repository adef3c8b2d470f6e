import type {KubeObject} from '../cluster/object.ts';
import {quantityOf} from '../cluster/quantity.ts';
import type {Plan} from '../plan/schema.ts';
import {stringAt, stringsAt} from '../std/json-at.ts';
import type {CsiSettings} from '../volume/csi.ts';
import type {DumpRule} from '../volume/dump-commands.ts';
import {matchGlobs} from './glob.ts';
import {type Labels, parseSelector, selectorText} from './selector.ts';

/** How the data of some volumes is saved, as the plan says it. The first rule that fits counts. */
export interface VolumeRule {
  /** Labels of the pods that mount the volumes, or of the claims; any when it is not given. */
  select?: string | Labels | undefined;
  namespaces?: readonly string[] | undefined;
  storageClasses?: readonly string[] | undefined;
  /** CSI drivers. */
  drivers?: readonly string[] | undefined;
  size?: {min?: string | undefined; max?: string | undefined} | undefined;
  method: 'dump' | 'none' | 'csi' | 'filesystem';
  /** The container is the first one of the pod when none is named. */
  dump?: DumpRule | undefined;
  csi?: CsiSettings | undefined;
  /** Who may read and write the files, where no pod says it. */
  user?: {uid: number; gid?: number | undefined} | undefined;
}

/** What of a claim rules look at besides labels. */
export interface VolumeFacts {
  storageClass: string | undefined;
  driver: string | undefined;
  bytes: number | undefined;
}

export interface CompiledRule extends VolumeRule {
  /** Namespace and labels of a pod or claim. */
  fitsLabels(object: Pick<KubeObject, 'metadata'>): boolean;
  fitsVolume(facts: VolumeFacts): boolean;
}

export function compileVolumeRule(rule: VolumeRule): CompiledRule {
  const labels = parseSelector(selectorText(rule.select ?? ''));
  const namespace = rule.namespaces === undefined ? () => true : matchGlobs(rule.namespaces);
  const isOne = (globs: readonly string[] | undefined) => {
    if (globs === undefined) return () => true;
    const fits = matchGlobs(globs);
    return (name: string | undefined) => name !== undefined && fits(name);
  };
  const [storageClass, driver] = [isOne(rule.storageClasses), isOne(rule.drivers)];
  const [min, max] = [
    quantityOf(rule.size?.min) ?? 0,
    quantityOf(rule.size?.max) ?? Number.POSITIVE_INFINITY,
  ];
  return {
    ...rule,
    fitsLabels: ({metadata}) => namespace(metadata.namespace ?? '') && labels(stringsAt(metadata, 'labels')),
    fitsVolume: facts =>
      storageClass(facts.storageClass) &&
      driver(facts.driver) &&
      (rule.size === undefined || (facts.bytes !== undefined && facts.bytes >= min && facts.bytes <= max)),
  };
}

/** How people are told which rule it is. */
export const ruleText = (
  rule: Pick<VolumeRule, 'select' | 'namespaces' | 'storageClasses' | 'drivers' | 'size'>,
): string =>
  [
    rule.select === undefined ? undefined : selectorText(rule.select),
    rule.namespaces && `namespaces ${rule.namespaces.join(', ')}`,
    rule.storageClasses && `storage classes ${rule.storageClasses.join(', ')}`,
    rule.drivers && `drivers ${rule.drivers.join(', ')}`,
    rule.size && `size ${rule.size.min ?? '0'} to ${rule.size.max ?? 'any'}`,
  ]
    .filter(part => part !== undefined)
    .join('; ') || 'all volumes';

/** What a claim says of itself, and its volume of the driver. */
export function volumeFacts(claim: KubeObject, driver: string | undefined): VolumeFacts {
  const size =
    stringAt(claim, 'status', 'capacity', 'storage') ??
    stringAt(claim, 'spec', 'resources', 'requests', 'storage');
  return {storageClass: stringAt(claim, 'spec', 'storageClassName'), driver, bytes: quantityOf(size)};
}

/** What a plan says of the volumes of its source. */
export const rulesOfPlan = ({spec}: Plan): VolumeRule[] =>
  spec.source.volumes.map(({csi, ...rule}) => ({
    ...rule,
    ...(csi ? {csi: {snapshotClass: csi.snapshotClass, timeoutMs: csi.timeout, keep: csi.keep}} : {}),
  }));
