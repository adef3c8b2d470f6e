import {z} from 'zod';
import {cron, name, positiveDuration, timezone} from './field.ts';

const environmentVariable = z.string().regex(/^[A-Za-z_]\w*$/, 'must be the name of an environment variable');
const webhook = z.strictObject({
  urlEnv: environmentVariable.describe('Environment variable that holds the URL'),
});

/** What is kept before the target goes. */
export const collection = z.strictObject({
  name: name.describe('Name in reports'),
  collect: z
    .array(z.enum(['events', 'podLogs']))
    .min(1)
    .describe('What is collected'),
});

/** What becomes of the target. */
export const cleanup = z.strictObject({
  destroy: z.enum(['always']).default('always').describe('When the target is destroyed'),
  keepOnFailure: positiveDuration.optional().describe('How long a failed target is kept'),
  verifyEmpty: z.boolean().default(true).describe('Whether it is checked that nothing is left'),
});

/** When drills run by themselves. */
export const schedule = z.strictObject({
  cron: cron.describe('When to run'),
  timezone: timezone.optional().describe('Time zone of the schedule; UTC by default'),
  overdueAfter: positiveDuration.optional().describe('When a missing drill is reported'),
});

/** What a drill leaves as proof. */
export const evidence = z.strictObject({
  formats: z
    .array(z.enum(['json', 'html', 'junit']))
    .min(1)
    .optional()
    .describe('Files that are written; all by default'),
  sign: z.enum(['required', 'optional', 'off']).optional().describe('Whether the evidence is signed'),
  controls: z.array(z.string()).optional().describe('Controls that the drill is evidence for'),
  redact: z.array(z.string()).optional().describe('What is masked in the evidence'),
});

/** Who is told. */
export const notification = z.strictObject({
  on: z
    .array(z.enum(['passed', 'failed', 'inconclusive', 'error', 'aborted', 'overdue']))
    .min(1)
    .describe('Results that are told'),
  webhook: webhook.optional().describe('A webhook'),
  slack: webhook.optional().describe('A webhook that takes what Slack takes'),
  email: z
    .strictObject({to: z.array(z.string()).min(1).describe('Addresses')})
    .optional()
    .describe('E-mail'),
});
