import {z} from 'zod';
import {duration, name} from './schema/field.ts';
import {probe} from './schema/probe.ts';
import {source} from './schema/source.ts';
import {group, isolation, recoveryPoint, repository, target, transform} from './schema/target.ts';

const objectives = z.strictObject({
  rto: duration.describe('Recovery time objective: from the declaration to green probes'),
  rpo: duration.describe('Recovery point objective: how old the recovery point may be'),
  clock: z.enum(['declared']).default('declared').describe('What starts the clock'),
  maxDrillAge: duration.optional().describe('How long a passed drill counts'),
});

const notification = z.strictObject({
  on: z.array(z.enum(['passed', 'failed', 'inconclusive', 'error', 'aborted', 'overdue'])).min(1),
  webhook: z.strictObject({urlEnv: z.string()}).optional(),
  slack: z.strictObject({urlEnv: z.string()}).optional(),
  email: z.strictObject({to: z.array(z.string())}).optional(),
});

const spec = z.strictObject({
  scenario: z.string().optional().describe('The disaster that the plan is for'),
  objectives,
  source,
  repository,
  recoveryPoint: recoveryPoint.default({policy: 'fresh'}),
  target,
  isolation: isolation.prefault({}),
  transforms: z.array(transform).default([]),
  groups: z
    .array(group)
    .min(1)
    .describe('What starts together, and in which order; one graph over all namespaces'),
  probes: z.array(probe).min(1).describe('What proves that the recovery worked'),
  finally: z
    .array(z.strictObject({name, collect: z.array(z.enum(['events', 'podLogs'])).min(1)}))
    .default([]),
  cleanup: z
    .strictObject({
      destroy: z.enum(['always']).default('always'),
      keepOnFailure: duration.optional(),
      verifyEmpty: z.boolean().default(true),
    })
    .prefault({}),
  schedule: z
    .strictObject({cron: z.string(), timezone: z.string().optional(), overdueAfter: duration.optional()})
    .optional(),
  evidence: z
    .strictObject({
      formats: z.array(z.enum(['json', 'html', 'junit'])).optional(),
      sign: z.enum(['required', 'optional', 'off']).optional(),
      controls: z.array(z.string()).optional(),
      redact: z.array(z.string()).optional(),
    })
    .optional(),
  notify: z.array(notification).optional(),
});

/** The one file that people write. Everything that pra reads of it is here; unknown fields are refused. */
export const planSchema = z.strictObject({
  apiVersion: z.literal('pra/v1'),
  kind: z.literal('Plan'),
  metadata: z.strictObject({name, annotations: z.record(z.string(), z.string()).optional()}),
  spec,
});

/** A plan after parsing: defaults filled in, durations in ms. */
export type Plan = z.infer<typeof planSchema>;
export type PlanProbe = Plan['spec']['probes'][number];
export type PlanGroup = Plan['spec']['groups'][number];
export type PlanVolume = Plan['spec']['source']['volumes'][number];
