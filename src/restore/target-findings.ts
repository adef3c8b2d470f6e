import {type KubeObject, objectRef} from '../cluster/object.ts';
import {quantityOf} from '../cluster/quantity.ts';
import {groupKind} from '../snapshot/exclude.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import {arrayAt, at, numberAt, objectAt, stringAt} from '../std/json-at.ts';
import type {RestoreFinding} from './findings.ts';
import type {RestoreItem} from './item.ts';
import type {RestoreTarget} from './rules/rule.ts';

/** A namespace that is being deleted in the target is one clear finding, instead of one for each object in it. */
export function findTerminating(object: KubeObject, target: RestoreTarget): RestoreFinding[] {
  if (object.kind !== 'Namespace' || !target.terminating?.has(object.metadata.name)) return [];
  const ref = objectRef(object);
  const message = `${ref} is being deleted in the target: nothing can be created in it until it is gone`;
  return [{severity: 'error', ref, message}];
}

/** Registries that only the source can reach: on its nodes, or a Service of it. */
const INSIDE = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$|\.svc(\.cluster\.local)?(:\d+)?$/;

/** Images that the target cannot pull, because their registry is a part of the source, with what runs them. */
export class ImageFindings {
  readonly #images: ReadonlySet<string> | undefined;
  readonly #users = new Map<string, string[]>();

  constructor({images}: RestoreTarget) {
    this.#images = images;
  }

  note(object: KubeObject): void {
    const spec = podSpecIn(object);
    if (!spec) return;
    const ref = objectRef(object);
    for (const list of ['initContainers', 'containers']) {
      for (const container of arrayAt(spec, list)) {
        const image = stringAt(container, 'image') ?? '';
        if (!image.includes('/') || !INSIDE.test(image.split('/')[0] ?? '') || this.#images?.has(image))
          continue;
        const users = this.#users.get(image) ?? [];
        if (users.at(-1) !== ref) users.push(ref);
        this.#users.set(image, users);
      }
    }
  }

  findings(): RestoreFinding[] {
    return [...this.#users].map(([image, [first = '', ...others]]) => ({
      severity: 'warning',
      ref: first,
      message: `image ${image} of ${first}${others.length > 0 ? ` and ${others.length} more` : ''} is named by a registry of the source, which the target cannot reach, and no node of the target holds it`,
    }));
  }
}

/** Quotas of namespaces that are there already, and that what is restored would go beyond. */
export function findQuotas(items: readonly RestoreItem[], target: RestoreTarget): RestoreFinding[] {
  const quotas = target.quotas ?? [];
  if (quotas.length === 0) return [];
  const spaces = new Set(quotas.map(({namespace}) => namespace));
  const wanted = new Map<string, Map<string, number>>();
  for (const item of items) {
    if (!spaces.has(item.namespace)) continue;
    const sums = wanted.get(item.namespace) ?? new Map<string, number>();
    wanted.set(item.namespace, sums);
    for (const [resource, amount] of usageOf(item)) sums.set(resource, (sums.get(resource) ?? 0) + amount);
  }
  return quotas.flatMap(({namespace, name, left}) =>
    Object.entries(left).flatMap(([resource, rest]): RestoreFinding[] => {
      const sum = wanted.get(namespace)?.get(resource) ?? 0;
      if (sum <= rest) return [];
      const ref = `ResourceQuota ${namespace}/${name}`;
      const message = `${ref} of the target has ${rest} ${resource} left, and up to ${sum} would be added`;
      return [{severity: 'warning', ref, message}];
    }),
  );
}

const SHORT: Readonly<Record<string, string>> = {
  Pod: 'pods',
  Service: 'services',
  Secret: 'secrets',
  ConfigMap: 'configmaps',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  ReplicationController: 'replicationcontrollers',
  ResourceQuota: 'resourcequotas',
};

/** What an object adds, by resource as quotas write it; with the pods that a workload makes at once. */
function usageOf({type, object}: RestoreItem): [resource: string, amount: number][] {
  const usage: [string, number][] = [[`count/${type.plural}${type.group ? `.${type.group}` : ''}`, 1]];
  const short = SHORT[groupKind(type)];
  if (short) usage.push([short, 1]);
  if (short === 'services') {
    const kind = stringAt(object, 'spec', 'type');
    if (kind === 'LoadBalancer') usage.push(['services.loadbalancers', 1]);
    if (kind === 'LoadBalancer' || kind === 'NodePort')
      usage.push(['services.nodeports', arrayAt(object, 'spec', 'ports').length]);
  }
  if (short === 'persistentvolumeclaims') {
    const storage = at(objectAt(object, 'spec', 'resources', 'requests'), 'storage');
    usage.push(['requests.storage', quantityOf(storage) ?? 0]);
  }
  const replicas = numberAt(object, 'spec', 'replicas');
  if (replicas !== undefined && podSpecIn(object)) usage.push(['pods', replicas]);
  return usage;
}
