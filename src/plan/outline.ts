import {z} from 'zod';

const text = z.string().optional().catch(undefined);
const texts = z.array(text).optional().catch(undefined);
const anything = z.unknown().optional();

/** An item of a list that keeps its place, whatever it is. */
const items = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.array(z.object(shape).or(z.unknown().transform((): undefined => undefined))).catch([]);

const outline = z.object({
  groups: items({name: text, dependsOn: texts}),
  probes: items({
    name: text,
    proves: text,
    health: z.object({groups: texts}).optional().catch(undefined),
    k8s: z
      .object({expect: z.object({count: z.record(z.string(), z.unknown())})})
      .optional()
      .catch(undefined),
    http: z
      .object({
        expect: z.object({json: z.looseObject({}).optional(), bodyIncludes: text}).optional(),
      })
      .optional()
      .catch(undefined),
    sql: anything,
    canary: anything,
    compare: anything,
  }),
  source: z
    .object({canary: anything, hooks: items({name: text, pre: anything, post: anything})})
    .catch({hooks: []}),
  recoveryPoint: z.object({policy: text, id: anything, at: anything}).optional().catch(undefined),
});

/** What of a plan names or contradicts something else, each part absent where it is wrong. */
export type Outline = z.infer<typeof outline>;

const NOTHING: Outline = {groups: [], probes: [], source: {hooks: []}};

/** Reads it out of anything, so that mistakes of names are found in a plan that has other mistakes too. */
export function outlineOf(value: unknown): Outline {
  return z
    .object({spec: outline})
    .transform(({spec}) => spec)
    .catch(NOTHING)
    .parse(value);
}
