import {z} from 'zod';
import {parseDuration} from '../../std/duration.ts';

/** The kinds of value that plans are made of. */

/** A duration such as `45m`; in ms after parsing. */
export const duration = z
  .string()
  .meta({examples: ['45m', '1h30m', '30d'], format: 'pra-duration'})
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined) return ms;
    context.addIssue({code: 'custom', message: `"${text}" is not a duration, such as 45m, 1h30m or 30d`});
    return z.NEVER;
  });

/** A name as Kubernetes has them. */
export const name = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/,
    'must be lower-case letters, digits, dashes and dots, 63 at most',
  );

/** `namespace/name`, for example of a Service. */
export const namespacedName = z.string().regex(/^[a-z0-9-]+\/[a-z0-9.-]+$/, 'must be namespace/name');

/** `namespace/name` of a Secret, and after a # the key in it. */
export const secretRef = z
  .string()
  .regex(/^[a-z0-9-]+\/[a-z0-9.-]+(#[-._a-zA-Z0-9]+)?$/, 'must be namespace/name or namespace/name#key');

/** A label selector as kubectl has it, or labels that must all be there. */
export const selector = z.union([z.string().min(1), z.record(z.string(), z.string())]);

export const jsonValue = z.json();

/** Runs that a step, probe or transform takes part in. */
export const modes = z.array(z.enum(['drill', 'recover'])).min(1);
