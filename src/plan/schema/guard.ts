import {z} from 'zod';

/**
 * What a waiver can name: a guard by its number (docs/reference/plan.md), the guards of a restore by name too, and the
 * check that some probe proves data.
 */
export const GUARD_NAMES = [
  'dataProof',
  'restored at rest',
  'webhooks last',
  'GitOps suspended',
  'infrastructure controllers off',
  'no volume of the source',
  'backup schedules off',
  'certificates self-signed',
  'nothing published',
  'stale identities stripped',
] as const;

const waiver = z.strictObject({
  guard: z
    .union([z.int().min(1).max(20), z.enum(GUARD_NAMES)])
    .meta({title: 'guard'})
    .describe('Number or name of the guard, or dataProof'),
  name: z
    .string()
    .min(1)
    .describe(
      'Object that it is for, such as Service shop/web, * and ? included; any other name stands for all objects',
    ),
  reason: z.string().min(1).describe('Why; goes into the evidence'),
});

/** What keeps a drill from touching the world. */
export const isolation = z.strictObject({
  profile: z.enum(['bubble']).default('bubble').describe('bubble: nothing gets out of the target'),
  egressAllow: z
    .array(z.string().regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port'))
    .optional()
    .describe('Hosts and ports that may be reached nevertheless'),
  waive: z.array(waiver).default([]).describe('Guards that are off; each is in the evidence with its reason'),
});
