import {z} from 'zod';
import {evenIfWrong, modes, name, nameOrGlob, positiveDuration, selectorText} from './field.ts';

const manual = z.strictObject({
  text: z.string().min(1).describe('What is to be done'),
  approvers: z.array(z.string()).min(1).describe('Who may say that it is done'),
  timeout: positiveDuration.optional().describe('How long to wait for them; 1h by default'),
});

const step = z
  .strictObject({
    name: name.describe('Name of the step'),
    run: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .meta({title: 'command'})
      .optional()
      .describe('A zx script (.mjs, .ts) from the folder of the plan, or a command with its arguments'),
    manual: manual.optional().describe('Something that a person does and approves'),
    timeout: positiveDuration.optional().describe('How long one attempt may take; 10m by default'),
    retries: z.int().min(0).max(10).optional().describe('How often it is tried again after a failure'),
    modes: modes.optional().describe('Runs in which it is done; all by default'),
  })
  .refine(value => (value.run === undefined) !== (value.manual === undefined), {
    ...evenIfWrong,
    error: 'a step has either `run` or `manual`',
  })
  .refine(
    value => value.manual === undefined || (value.retries === undefined && value.timeout === undefined),
    {
      ...evenIfWrong,
      error: 'a step by a person has no `retries`, and its time is `manual.timeout`',
    },
  );

/** Workloads that start together. */
export const group = z.strictObject({
  name: name.describe('Name of the group'),
  dependsOn: z.array(name).default([]).describe('Groups that must be healthy before this one starts'),
  select: z
    .strictObject({
      namespaces: z.array(nameOrGlob).min(1).optional().describe('Namespaces; all of the plan by default'),
      selector: selectorText.optional().describe('Labels'),
    })
    .describe('Workloads of the group; the first group that fits counts'),
  rto: positiveDuration.optional().describe('How long the group may take to get healthy'),
  maxParallel: z.int().min(1).optional().describe('Most workloads that start at once'),
  onFailure: z
    .enum(['stop', 'continue', 'pause'])
    .default('stop')
    .describe(
      'stop: what depends on it is not tried; continue: it is tried all the same; pause: a person decides',
    ),
  steps: z
    .array(step)
    .optional()
    .describe('Scripts, one after another, after the group is healthy and has its data'),
});
