import type {Cluster} from '../cluster/client.ts';
import type {ResourceType} from '../cluster/object.ts';
import {messageOf, PraError} from '../errors.ts';
import type {PlanProbe} from '../plan/schema.ts';
import type {Json} from '../std/json.ts';

/** What a probe may need to know of the run. */
export interface ProbeContext {
  cluster: Cluster;
  /** Workloads that must be there and healthy; of these groups, or of all. */
  workloads(groups: readonly string[] | undefined): WorkloadRef[];
  /** Measured at the snapshot, by the name of the probe. */
  baselines: ReadonlyMap<string, Json>;
  canary: ExpectedCanary | undefined;
}

export interface WorkloadRef {
  type: ResourceType;
  name: string;
  namespace?: string | undefined;
}

export interface ExpectedCanary {
  namespace: string;
  /** SHA-256 of the nonce that must be found. */
  nonceHash: string;
  writtenAt: string;
  /** Secret with the DSN of the database that holds the nonce too. */
  sqlSecretRef: string | undefined;
}

/** What one look saw. */
export interface Observation {
  passed: boolean;
  message: string;
  expected?: Json | undefined;
  observed?: Json | undefined;
}

/** One kind of probe: looks once. Throwing means that it could not look, which is no verdict on what it looks at. */
export type Observe = (probe: PlanProbe, context: ProbeContext, signal: AbortSignal) => Promise<Observation>;

/** What an error says, with its cause where it is known. */
export function explain(error: unknown): string {
  return error instanceof PraError && error.why ? `${error.message}: ${error.why}` : messageOf(error);
}
