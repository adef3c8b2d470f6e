import {z} from 'zod';
import {
  cleanupSchema,
  deltaSchema,
  findingSchema,
  integritySchema,
  objectivesSchema,
  type probeSchema,
  type sampleSchema,
  verdictSchema,
  verificationSchema,
} from './record/outcome.ts';
import {completenessSchema, recoveryPointSchema, targetSchema, volumeSchema} from './record/recovery.ts';
import {
  guardSchema,
  identitySchema,
  type markSchema,
  scopeSchema,
  type stepSchema,
  timelineSchema,
} from './record/run.ts';

/**
 * The canonical record of a drill or recovery, `drill.json`. Every other format is a view generated from it.
 * Durations are in ms, sizes in bytes, times in ISO 8601 UTC. It changes only by addition.
 */
export const recordSchema = z.object({
  apiVersion: z.literal('pra/v1'),
  kind: z.literal('Drill'),
  identity: identitySchema,
  scenario: z.string().optional().describe('The disaster that was rehearsed'),
  scope: scopeSchema,
  recoveryPoint: recoveryPointSchema.optional().describe('Absent if the run ended before one was chosen'),
  target: targetSchema.optional().describe('Absent if the run ended before one was asked for'),
  guards: z.array(guardSchema),
  timeline: timelineSchema,
  completeness: completenessSchema,
  volumes: z.array(volumeSchema),
  verification: verificationSchema,
  verdict: verdictSchema,
  objectives: objectivesSchema,
  delta: deltaSchema.optional(),
  cleanup: cleanupSchema.optional().describe('Absent if there was nothing to clean up'),
  findings: z.array(findingSchema),
  integrity: integritySchema,
});

export type DrillRecord = z.infer<typeof recordSchema>;
/** A record before `sealRecord` gave it its digest. */
export type DrillDraft = Omit<DrillRecord, 'integrity'> & {
  integrity: Omit<DrillRecord['integrity'], 'digest'>;
};
export type DrillStep = z.infer<typeof stepSchema>;
export type DrillMark = z.infer<typeof markSchema>;
export type DrillGuard = z.infer<typeof guardSchema>;
export type DrillProbe = z.infer<typeof probeSchema>;
export type DrillSample = z.infer<typeof sampleSchema>;
export type DrillFinding = z.infer<typeof findingSchema>;
export type DrillVolume = z.infer<typeof volumeSchema>;
export type DrillVerdict = z.infer<typeof verdictSchema>;
export type DrillObjective = DrillRecord['objectives']['rto'];
export type DrillPhase = DrillStep['phase'];
export type DrillResult = DrillVerdict['result'];
