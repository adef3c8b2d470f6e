import {z} from 'zod';
import {digest, isoTime, json, ms, objectReference} from './fields.ts';

export const PROBE_VERDICTS = ['passed', 'failed', 'inconclusive', 'error', 'skipped'] as const;

export const sampleSchema = z.object({
  at: isoTime,
  outcome: z.enum(PROBE_VERDICTS),
  message: z.string(),
  observed: json.optional(),
  durationMs: ms,
});

export const probeSchema = z.object({
  name: z.string(),
  kind: z.string().describe('sql, http, k8s, health, canary …'),
  proves: z.enum(['processUp', 'dataPresent', 'dataCurrent', 'functionWorks']),
  required: z.boolean(),
  verdict: z.enum(PROBE_VERDICTS),
  expected: json.optional().describe('From the plan, or the baseline taken at the snapshot'),
  observed: json.optional().describe('What the recovered cluster answered last'),
  samples: z.array(sampleSchema),
  durationMs: ms,
  message: z.string().describe('The verdict in words'),
});

export const verificationSchema = z.object({
  probes: z.array(probeSchema),
  notTested: z.array(z.object({what: z.string(), reason: z.string()})).describe('What this run cannot show'),
});

export const RESULTS = ['passed', 'failed', 'inconclusive', 'error', 'aborted'] as const;

export const verdictSchema = z.object({
  result: z.enum(RESULTS),
  objectiveMissed: z.boolean().describe('An objective was missed, whatever the result'),
  exitCode: z.int().min(0).max(255).describe('What pra exited with'),
  summary: z.string().describe('The verdict in one sentence'),
});

/** One objective; a field is absent when it was not set or could not be measured. */
export const objectiveSchema = z.object({
  targetMs: ms.optional(),
  actualMs: ms.optional(),
  met: z.boolean().optional(),
  marginMs: z.number().optional().describe('Target minus actual; negative when missed'),
});

export const objectivesSchema = z.object({
  rto: objectiveSchema.describe('From T0 to the mark named in rtoMark'),
  rpo: objectiveSchema,
  rtoMark: z.enum(['T4', 'T5']).describe('The mark that is compared with the RTO'),
});

export const deltaSchema = z.object({
  previous: z.string().describe('Id of the last passed drill of this plan'),
  rtoMs: z.number().optional().describe('Actual RTO minus that of the previous; negative is faster'),
});

export const cleanupSchema = z.object({
  destroyed: z.boolean().describe('Nothing of the target is left'),
  durationMs: ms,
  leftovers: z.array(z.object({what: z.string(), next: z.string().describe('How to remove it')})),
  message: z.string().optional().describe('Why it failed, or why the target was kept'),
});

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;

export const findingSchema = z.object({
  id: z.string(),
  severity: z.enum(SEVERITIES),
  title: z.string(),
  cause: z.string(),
  object: objectReference.optional(),
  next: z.string().describe('What to do about it'),
});

export const integritySchema = z.object({
  planHash: digest,
  previous: digest.optional().describe('Digest of the previous record of this plan'),
  digest: digest.describe('SHA-256 of the canonical record without this field'),
});
