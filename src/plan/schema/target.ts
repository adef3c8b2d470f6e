import {z} from 'zod';
import {jsonValue, positiveDuration} from './field.ts';

/** Where a drill recovers to: a fresh cluster that Terraform makes. */
export const target = z.strictObject({
  terraform: z
    .strictObject({
      dir: z
        .string()
        .min(1)
        .describe(
          'Folder of the module, from the folder of the plan; terraform/local is built in and works anywhere',
        ),
      vars: z.record(z.string(), jsonValue).default({}).describe('Variables of the module'),
      varFile: z.string().min(1).optional().describe('File with variables, from the folder of the plan'),
      ttl: positiveDuration.optional().describe('Time to live of the target, enforced from outside of pra'),
    })
    .describe('Module that makes the target; its outputs are in docs/reference/target-contract.md'),
  requires: z
    .strictObject({
      kubernetes: z
        .string()
        .regex(
          /^(>=|>|<=|<|=|~|\^)?\s*\d+\.\d+(\.\d+)?(\s+(>=|>|<=|<|=)\s*\d+\.\d+(\.\d+)?)*$/,
          'must be a version range, such as >=1.30',
        )
        .meta({title: 'version range', examples: ['>=1.30']})
        .optional()
        .describe('Versions of Kubernetes that the target may have'),
      storageClasses: z
        .record(z.string(), z.string())
        .optional()
        .describe('Storage class of the source to that of the target'),
    })
    .optional()
    .describe('What the target must have'),
});
