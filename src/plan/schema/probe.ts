import {z} from 'zod';
import {duration, evenIfWrong, jsonValue, modes, name, positiveDuration} from './field.ts';
import {probeKinds} from './probe-kind.ts';

export const PROBE_KINDS = [
  'health',
  'k8s',
  'http',
  'tcp',
  'exec',
  'job',
  'sql',
  'checksum',
  'canary',
  'promql',
  'helmTest',
  'script',
] as const satisfies (keyof typeof probeKinds)[];

const compare = z.union([
  z.strictObject({
    baseline: z.literal('snapshot').describe('The value that the source gave at the snapshot'),
    tolerance: z
      .union([
        z.number().min(0),
        z.string().regex(/^\d+(\.\d+)?%$/, 'must be a number, or a percentage such as 1%'),
      ])
      .default(0)
      .meta({title: 'number or percentage'})
      .describe('By how much a number may differ'),
  }),
  z.strictObject({equals: jsonValue.describe('A fixed value')}),
]);

const policy = z.strictObject({
  interval: duration.prefault('2s').describe('Time between two looks'),
  successes: z.int().min(1).default(1).describe('Passes in a row that are needed'),
  failureLimit: z.int().min(1).default(3).describe('Failures that make the probe fail'),
  errorLimit: z
    .int()
    .min(1)
    .default(5)
    .describe('Errors that make the probe inconclusive: one that cannot look has not failed'),
  timeout: positiveDuration.prefault('2m').describe('Without an answer by then the probe is inconclusive'),
});

/** What proves that a recovery worked. */
export const probe = z
  .strictObject({
    name: name.describe('Name of the probe'),
    proves: z
      .enum(['processUp', 'dataPresent', 'dataCurrent', 'functionWorks'])
      .describe(
        'What a pass shows: something runs, data is there, data is as new as it should be, a function works',
      ),
    required: z.boolean().default(true).describe('Whether the drill can pass only if this probe does'),
    modes: modes.optional().describe('Runs in which it is asked; all by default'),
    ...probeKinds,
    compare: compare.optional().describe('What the answer of sql or http is compared with'),
    policy: policy.prefault({}).describe('How often it is asked, and when it is decided'),
  })
  .refine(value => kindsIn(value).length === 1, {
    ...evenIfWrong,
    error: issue => {
      const given = kindsIn(issue.input);
      return given.length > 1
        ? `a probe is of one kind, and this one is of ${given.join(' and ')}`
        : `a probe needs one of ${PROBE_KINDS.join(', ')}`;
    },
  });

function kindsIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  return PROBE_KINDS.filter(kind => Reflect.get(value, kind) !== undefined);
}
