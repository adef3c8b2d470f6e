import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject} from '../cluster/object.ts';
import {isRunning} from '../cluster/running.ts';
import {PraError} from '../errors.ts';
import {arrayAt, stringAt, stringsAt} from '../std/json-at.ts';
import type {SnapshotListener} from './event.ts';
import {listScopes, type Selection} from './select.ts';
import {type Labels, parseSelector, selectorText} from './selector.ts';

/** Commands around the snapshot, as the plan says them. */
export interface HookRule {
  name: string;
  /** Pods in which they run: all that run and have these labels. */
  select: string | Labels;
  /** The first one of the pod when none is named. */
  container?: string | undefined;
  pre?: readonly string[] | undefined;
  post?: readonly string[] | undefined;
  /** ms that each command may take. */
  timeout: number;
  onError: 'fail' | 'continue';
}

/** A hook in one pod. */
export interface HookPod {
  hook: HookRule;
  namespace: string;
  pod: string;
  container: string;
}

export interface HookScope {
  cluster: Cluster;
  rules: readonly HookRule[];
  selection: Selection;
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

/**
 * Finds the pods of each hook, in the order in which they are asked: hooks as the plan has them, pods by name.
 * @throws PraError HOOK_FAILED when a hook fits no running pod and may not fail, CLUSTER_*.
 */
export async function findHookPods(scope: HookScope): Promise<HookPod[]> {
  const {cluster, rules, selection, signal, onEvent} = scope;
  if (rules.length === 0) return [];
  const {select} = selection;
  const lists = listScopes(select, select.namespaces.filter(selection.namespace)).map(namespace =>
    listAll(cluster, CORE_TYPES.Pod, {namespace, signal}),
  );
  const pods = (await Promise.all(lists)).flat().sort(byName);
  return rules.flatMap(hook => {
    const fits = parseSelector(selectorText(hook.select));
    const mine = pods.filter(
      ({metadata}) => selection.namespace(metadata.namespace ?? '') && fits(stringsAt(metadata, 'labels')),
    );
    const running = mine.filter(isRunning);
    if (running.length === 0) {
      const error = noPod(hook, mine.length);
      if (hook.onError === 'fail') throw error;
      onEvent?.({type: 'warning', message: error.message, why: error.why, next: error.next});
    }
    return running.map(pod => ({
      hook,
      namespace: pod.metadata.namespace ?? '',
      pod: pod.metadata.name,
      container: hook.container ?? stringAt(arrayAt(pod, 'spec', 'containers')[0], 'name') ?? '',
    }));
  });
}

const keyOf = ({metadata}: KubeObject) => `${metadata.namespace}/${metadata.name}`;
const byName = (a: KubeObject, b: KubeObject) => (keyOf(a) < keyOf(b) ? -1 : 1);

function noPod(hook: HookRule, fitting: number): PraError {
  const labels = selectorText(hook.select);
  return new PraError('HOOK_FAILED', `hook ${hook.name} finds no running pod with ${labels}`, {
    why:
      fitting === 0
        ? 'no pod in the scope of the plan has these labels'
        : `${fitting} pods have them, none is running`,
    next: [`kubectl get pods -A -l '${labels}'`],
  });
}
