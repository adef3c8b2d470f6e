import {z} from 'zod';
import {duration, name, positiveDuration} from './schema/field.ts';
import {group} from './schema/group.ts';
import {isolation} from './schema/guard.ts';
import {mover} from './schema/mover.ts';
import {cleanup, collection, evidence, notification, schedule} from './schema/outcome.ts';
import {probe} from './schema/probe.ts';
import {recoveryPoint, repository} from './schema/repository.ts';
import {rule} from './schema/rule.ts';
import {source} from './schema/source.ts';
import {target} from './schema/target.ts';
import {transform} from './schema/transform.ts';

const objectives = z.strictObject({
  rto: positiveDuration.describe('Recovery time objective: from the declaration to green probes'),
  rpo: duration.describe('Recovery point objective: how old the recovery point may be'),
  clock: z.enum(['declared']).default('declared').describe('What starts the clock'),
  maxDrillAge: positiveDuration.optional().describe('How long a passed drill counts'),
});

const spec = z.strictObject({
  scenario: z.string().min(1).optional().describe('The disaster that the plan is for'),
  objectives: objectives.describe('What the recovery is measured against'),
  source: source.describe('What is protected, and how'),
  repository: repository.describe('Where snapshots are kept'),
  mover: mover.prefault({}).describe('How the pods are run that read and fill volumes file by file'),
  recoveryPoint: recoveryPoint.prefault({policy: 'fresh'}).describe('Which snapshot a drill recovers'),
  target: target.describe('Where a drill recovers to'),
  isolation: isolation.prefault({}).describe('What keeps a drill from touching the world'),
  rules: z.array(rule).default([]).describe('What becomes of single objects, over the rules of their kind'),
  transforms: z.array(transform).default([]).describe('Changes of objects on their way into the target'),
  groups: z
    .array(group)
    .min(1)
    .describe('What starts together, and in which order; one graph over all namespaces'),
  probes: z.array(probe).min(1).describe('What proves that the recovery worked'),
  finally: z.array(collection).default([]).describe('What is kept before the target goes; runs in any case'),
  cleanup: cleanup.prefault({}).describe('What becomes of the target'),
  schedule: schedule.optional().describe('When drills run by themselves'),
  evidence: evidence.optional().describe('What a drill leaves as proof'),
  notify: z.array(notification).optional().describe('Who is told'),
});

/** The one file that people write. Everything that pra reads of it is here; unknown fields are refused. */
export const planSchema = z.strictObject({
  apiVersion: z.literal('pra/v1').describe('Version of the format'),
  kind: z.literal('Plan').describe('What the file is'),
  metadata: z
    .strictObject({
      name: name.describe('Name of the plan; one drill of a name runs at a time'),
      annotations: z.record(z.string(), z.string()).optional().describe('Anything else, such as its owner'),
    })
    .describe('What the plan is called'),
  spec: spec.describe('What is recovered, from what, to where, and how it is proved'),
});

/** A plan after parsing: defaults filled in, durations in ms. */
export type Plan = z.infer<typeof planSchema>;
export type PlanProbe = Plan['spec']['probes'][number];
