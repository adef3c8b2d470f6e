import {PraError} from '../errors.ts';
import {PROBE_KINDS} from '../plan/schema/probe.ts';
import type {PlanProbe} from '../plan/schema.ts';
import {observeCanary} from './canary.ts';
import {observeChecksum} from './checksum.ts';
import {observeExec} from './exec.ts';
import {observeHealth} from './health.ts';
import {observeHttp} from './http.ts';
import {observeK8s} from './k8s.ts';
import type {Observation, Observe, ProbeContext} from './probe.ts';
import {observeSql} from './sql.ts';
import {observeTcp} from './tcp.ts';

export type ProbeKind = (typeof PROBE_KINDS)[number];

const KINDS: Partial<Record<ProbeKind, Observe>> = {
  health: observeHealth,
  k8s: observeK8s,
  http: observeHttp,
  tcp: observeTcp,
  exec: observeExec,
  checksum: observeChecksum,
  sql: observeSql,
  canary: observeCanary,
};

export function kindOf(probe: PlanProbe): ProbeKind {
  const kind = PROBE_KINDS.find(candidate => probe[candidate] !== undefined);
  if (!kind) throw new PraError('BUG', `probe ${probe.name} has no kind`);
  return kind;
}

/** Looks once with the kind that the probe is of. */
export function observe(probe: PlanProbe, context: ProbeContext, signal: AbortSignal): Promise<Observation> {
  const look = KINDS[kindOf(probe)];
  if (!look) throw new PraError('PLAN_UNSUPPORTED', `${kindOf(probe)} probes are not supported yet`);
  return look(probe, context, signal);
}
