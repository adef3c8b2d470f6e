import {z} from 'zod';
import {EXISTING_POLICIES} from './existing.ts';
import {evenIfWrong, modes} from './field.ts';
import {objectMatch} from './transform.ts';
import {WAVES} from './wave.ts';

const SAYS = ['skip', 'wave', 'existing', 'waitReady'] as const;

/** What the plan says of some objects, over what pra does with their kind. */
export const rule = z
  .strictObject({
    name: z.string().min(1).optional().describe('Name in reports'),
    match: objectMatch.describe('Objects that it is for; all that is given must fit'),
    skip: z.string().min(1).optional().describe('Leaves them out; the text is the reason in the record'),
    wave: z.enum(WAVES).optional().describe('Wave in which they are created'),
    existing: z
      .enum(EXISTING_POLICIES)
      .optional()
      .describe('What becomes of those that are in the target and differ'),
    waitReady: z.boolean().optional().describe('Whether the next wave waits until they are ready'),
    modes: modes.optional().describe('Runs in which it counts; all by default'),
  })
  .refine(value => SAYS.filter(name => value[name] !== undefined).length === 1, {
    ...evenIfWrong,
    error: `a rule has one of ${SAYS.map(name => `\`${name}\``).join(', ')}`,
  });
