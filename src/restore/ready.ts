import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject} from '../cluster/object.ts';
import {type HealthTarget, waitHealthy} from '../cluster/wait-healthy.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {arrayAt, at, stringAt} from '../std/json-at.ts';
import {sleep} from '../std/wait.ts';
import {FINAL_REASONS} from './final-reasons.ts';
import {objectKey} from './index-objects.ts';
import type {RestoreItem} from './item.ts';
import type {RestoreWave} from './order.ts';
import type {RestoreSession} from './session.ts';

const POLL_MS = 500;

/** Waits for what the objects of a wave need to be ready; what does not get ready in time is a warning, not an error. */
export async function waitReadyFor(session: RestoreSession, wave: RestoreWave): Promise<void> {
  if (session.readyTimeoutMs === 0) return;
  if (wave.name === 'autoscalers') await waitScaled(session, wave.items);
  if (wave.name === 'admission') await waitBackends(session, wave.items);
}

/** Autoscalers come when what they scale is healthy, so that nothing is scaled while it still starts. */
async function waitScaled(session: RestoreSession, items: readonly RestoreItem[]): Promise<void> {
  const wanted = new Set(items.flatMap(({object}) => scaledBy(object)));
  const targets = session.plan.waves.flatMap(wave =>
    wave.name === 'workloads' || wave.name === 'operators'
      ? wave.items.filter(item => wanted.has(item.key))
      : [],
  );
  await waitItems(session, targets, 'workloads that autoscalers scale');
}

/** Waits until these are healthy; of each that does not get so in time a warning is given. */
export async function waitItems(
  session: RestoreSession,
  items: readonly RestoreItem[],
  what: string,
): Promise<void> {
  if (items.length === 0) return;
  session.emit({type: 'waiting', waitingFor: `${what} to be healthy`});
  const targets = items.map<HealthTarget>(({type, name, namespace}) => ({
    type,
    name,
    namespace: namespace || undefined,
  }));
  const {objects} = await waitHealthy(session.cluster, targets, {
    timeoutMs: session.readyTimeoutMs,
    signal: session.signal,
    finalReasons: FINAL_REASONS,
    accept: ['healthy', 'inert', 'suspended'],
  });
  for (const {ref, state, reason} of objects)
    if (!['healthy', 'inert', 'suspended'].includes(state))
      session.emit({type: 'warning', ref, message: `${ref} is ${state}: ${reason}`});
}

function scaledBy(object: KubeObject): string[] {
  if (groupKindOf(object) !== 'HorizontalPodAutoscaler.autoscaling') return [];
  const target = at(object, 'spec', 'scaleTargetRef');
  const [kind, name] = [stringAt(target, 'kind'), stringAt(target, 'name')];
  if (kind === undefined || name === undefined) return [];
  const apiVersion = stringAt(target, 'apiVersion') ?? 'v1';
  return [objectKey(groupKindOf({apiVersion, kind, metadata: {name}}), object.metadata.namespace, name)];
}

interface Backend {
  namespace: string;
  name: string;
  /** What asks it, and whether nothing works without it. */
  by: string;
  blocks: boolean;
}

/** Admission webhooks and API services come when the endpoints behind them are ready, or at the deadline all the same. */
async function waitBackends(session: RestoreSession, items: readonly RestoreItem[]): Promise<void> {
  let waiting = items.flatMap(backendsOf);
  if (waiting.length === 0) return;
  session.emit({type: 'waiting', waitingFor: 'what answers admission webhooks and API services'});
  const end = performance.now() + session.readyTimeoutMs;
  for (;;) {
    const ready = await Promise.all(waiting.map(backend => isReady(session, backend)));
    waiting = waiting.filter((_, index) => !ready[index]);
    if (waiting.length === 0 || performance.now() >= end) break;
    await sleep(POLL_MS, session.signal);
  }
  for (const {namespace, name, by, blocks} of waiting) {
    const effect = blocks ? ': until it has one, every request that it matches is refused' : '';
    session.emit({
      type: 'warning',
      ref: by,
      message: `${by}: its backend, Service ${namespace}/${name}, has no ready endpoint${effect}`,
    });
  }
}

function backendsOf({object, ref}: RestoreItem): Backend[] {
  const of = (value: unknown, blocks: boolean): Backend[] => {
    const [namespace, name] = [stringAt(value, 'namespace'), stringAt(value, 'name')];
    return namespace && name ? [{namespace, name, by: ref, blocks}] : [];
  };
  if (object.kind === 'APIService') return of(at(object, 'spec', 'service'), false);
  if (object.kind === 'CustomResourceDefinition')
    return of(at(object, 'spec', 'conversion', 'webhook', 'clientConfig', 'service'), true);
  return arrayAt(object, 'webhooks').flatMap(webhook =>
    of(at(webhook, 'clientConfig', 'service'), (stringAt(webhook, 'failurePolicy') ?? 'Fail') === 'Fail'),
  );
}

async function isReady({cluster, signal}: RestoreSession, {namespace, name}: Backend): Promise<boolean> {
  const labelSelector = `kubernetes.io/service-name=${name}`;
  const slices = await listAll(cluster, CORE_TYPES.EndpointSlice, {namespace, labelSelector, signal});
  return slices.some(slice =>
    arrayAt(slice, 'endpoints').some(endpoint => at(endpoint, 'conditions', 'ready') !== false),
  );
}
