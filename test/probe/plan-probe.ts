import type {z} from 'zod';
import type {Cluster} from '../../src/cluster/client.ts';
import {messageOf, PraError} from '../../src/errors.ts';
import {probe as probeSchema} from '../../src/plan/schema/probe.ts';
import type {PlanProbe} from '../../src/plan/schema.ts';
import {observe} from '../../src/probe/kind.ts';
import type {Observation, ProbeContext} from '../../src/probe/probe.ts';

export type ProbeText = Partial<z.input<typeof probeSchema>>;

/** A probe as a plan has it, with the defaults of the schema. */
export const planProbe = (text: ProbeText): PlanProbe =>
  probeSchema.parse({name: 'asked', proves: 'functionWorks', ...text});

export const contextOf = (cluster: Cluster, more: Partial<ProbeContext> = {}): ProbeContext => ({
  cluster,
  workloads: () => [],
  baselines: new Map(),
  canary: undefined,
  ...more,
});

/** Looks once. */
export const lookWith = (text: ProbeText, context: ProbeContext): Promise<Observation> =>
  observe(planProbe(text), context, AbortSignal.timeout(30_000));

/** What a look that errs says, with its cause. */
export async function errorOf(look: Promise<unknown>): Promise<string> {
  const result = await look.then(
    value => ({value}),
    (error: unknown) => ({error}),
  );
  if (!('error' in result)) throw new Error(`it did not err: ${JSON.stringify(result.value)}`);
  const why = result.error instanceof PraError ? (result.error.why ?? '') : '';
  return `${messageOf(result.error)}: ${why}`;
}
