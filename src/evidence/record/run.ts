import {z} from 'zod';
import {count, digest, isoTime, ms} from './fields.ts';

/** Who ran what, when and why. */
export const identitySchema = z.object({
  id: z.string().min(1).describe('Id of the drill, sortable by time'),
  sequence: count.describe(
    'Number of this drill in the series of its plan, from 1; a gap means a missing record',
  ),
  mode: z.enum(['drill', 'recover']).describe('A rehearsal, or a real recovery by the same engine'),
  plan: z.object({
    name: z.string().min(1).describe('metadata.name of the plan'),
    hash: digest.describe('SHA-256 of the canonical plan'),
    file: z.string().describe('Plan file as it was given'),
  }),
  tool: z.object({
    name: z.literal('pra'),
    version: z.string().describe('Version of pra'),
  }),
  tools: z
    .array(z.object({name: z.string(), version: z.string()}))
    .optional()
    .describe('Other programs that took part, such as terraform or restic'),
  trigger: z.enum(['manual', 'schedule', 'ci', 'api']).describe('What started the run'),
  operator: z.string().describe('Who ran it, as the system knows them'),
  reason: z.string().optional().describe('Why it was run, as the operator put it'),
  startedAt: isoTime.describe('When the run began, before anything was touched'),
  endedAt: isoTime.describe('When the run ended, cleanup included'),
});

export const scopeSchema = z.object({
  namespaces: z.array(z.string()).describe('Namespaces that were to be recovered'),
  exclusions: z
    .array(z.object({what: z.string(), reason: z.string()}))
    .describe('What the plan leaves out on purpose, and why'),
});

/** `stated`: somebody else says that it is so, such as the target's module; the drill did not check. */
export const GUARD_STATES = ['applied', 'stated', 'failed', 'waived', 'notApplicable'] as const;

export const guardSchema = z.object({
  number: z.int().min(1).describe('Number of the guard in the reference'),
  name: z.string(),
  state: z.enum(GUARD_STATES),
  detail: z.string().describe('What it did or saw; for a waiver its name and reason'),
  count: count.optional().describe('How many objects it acted on'),
});

export const MARKS = ['T0', 'T1', 'T2', 'T3', 'T4', 'T5'] as const;

export const markSchema = z.object({
  mark: z
    .enum(MARKS)
    .describe('T0 declared, T1 target ready, T2 objects, T3 data, T4 workloads healthy, T5 probes green'),
  name: z.string().describe('The mark in words'),
  at: isoTime,
  elapsedMs: ms.describe('Since T0'),
});

/** The parts of a run, in the order in which they are shown. */
export const PHASES = ['snapshot', 'target', 'restore', 'group', 'probe', 'finally', 'cleanup'] as const;

export const stepSchema = z.object({
  id: z.string().min(1),
  name: z.string(),
  phase: z.enum(PHASES),
  group: z.string().optional().describe('Group of the plan, if the step belongs to one'),
  dependsOn: z.array(z.string()).describe('Ids of the steps that had to end before'),
  startedAt: isoTime.optional().describe('Absent when the step was skipped'),
  endedAt: isoTime.optional(),
  durationMs: ms,
  plannedMs: ms.optional().describe('What the plan allows for it'),
  attempts: count.describe('0 when skipped'),
  result: z.enum(['passed', 'failed', 'skipped', 'error']),
  message: z.string().optional(),
  manual: z.boolean().optional().describe('Waited for a person'),
  critical: z.boolean().describe('On the critical path: had it been longer, the recovery would have been'),
  slackMs: ms.optional().describe('How much longer it could have been without delaying the recovery'),
});

export const timelineSchema = z.object({
  marks: z.array(markSchema).describe('Those that were reached, in order'),
  steps: z.array(stepSchema),
  humanWaitMs: ms.describe('Time spent waiting for people; part of the RTO, never subtracted'),
});
