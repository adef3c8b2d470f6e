import {z} from 'zod';
import {evenIfWrong, jsonValue, modes, nameOrGlob, selectorText} from './field.ts';

const patchOperation = z.strictObject({
  op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']).describe('Operation'),
  path: z
    .string()
    .regex(/^(\/|$)/, 'must be a JSON pointer, such as /spec/replicas')
    .describe('JSON pointer of what it changes'),
  from: z
    .string()
    .regex(/^(\/|$)/, 'must be a JSON pointer')
    .optional()
    .describe('JSON pointer of move and copy'),
  value: jsonValue.optional().describe('Value of add, replace and test'),
});

const fieldPath = z
  .string()
  .regex(
    /^[^.[\]"]+(\.[^.[\]"]+|\["[^"]+"\]|\[(\d+|\*)\])*$/,
    'must be a path such as spec.containers[*].image or metadata.annotations["example.com/a.b"]',
  )
  .meta({title: 'field path', examples: ['spec.type', 'metadata.annotations["example.com/a.b"]']});

const fieldMatch = z
  .strictObject({
    path: fieldPath.describe('Field; [*] stands for every item of a list, of which one must fit'),
    equals: jsonValue.optional().describe('What it holds'),
    exists: z.boolean().optional().describe('Whether it is there; it must be by default'),
  })
  .refine(value => value.equals === undefined || value.exists === undefined, {
    ...evenIfWrong,
    error: 'has either `equals` or `exists`',
  });

/** Which objects a transform or a rule is for. */
export const objectMatch = z
  .strictObject({
    group: z.string().optional().describe('API group'),
    kind: z.string().min(1).optional().describe('Kind'),
    namespace: nameOrGlob.optional().describe('Namespace'),
    name: z.string().min(1).optional().describe('Name of the object, or a glob'),
    selector: selectorText.optional().describe('Labels'),
    fields: z.array(fieldMatch).min(1).optional().describe('Fields'),
  })
  .refine(value => Object.keys(value).length > 0, {
    error: 'must say which objects: group, kind, namespace, name, selector or fields',
  });

const nameMap = z.record(z.string().min(1), z.string().min(1)).refine(map => Object.keys(map).length > 0, {
  error: 'must not be empty',
});

/** Those that say by themselves which objects they are for. */
const TYPED = ['images', 'storageClasses', 'hosts'] as const;
const ACTIONS = [...TYPED, 'patch', 'merge', 'annotations', 'replicas', 'drop'] as const;
const has = (value: object, name: string) => Reflect.get(value, name) !== undefined;

/** A change of objects on their way into the target. */
export const transform = z
  .strictObject({
    name: z.string().min(1).optional().describe('Name in reports'),
    match: objectMatch
      .optional()
      .describe(
        'Objects that it changes; all that is given must fit. Every object with such a field by default',
      ),
    patch: z.array(patchOperation).min(1).optional().describe('JSON patch, RFC 6902'),
    merge: z.record(z.string(), jsonValue).optional().describe('JSON merge patch, RFC 7396'),
    images: nameMap
      .optional()
      .describe('Images by the beginning of their names; the longest that fits counts, tag and digest stay')
      .meta({examples: [{'registry.example.com': 'mirror.example.net/prod'}]}),
    storageClasses: nameMap.optional().describe('Storage classes of claims and claim templates'),
    hosts: nameMap
      .optional()
      .describe(
        'Hosts of Ingresses, Gateways and routes; a key that begins with a dot stands for every host below it',
      ),
    annotations: z
      .record(z.string().min(1), z.string().nullable())
      .optional()
      .describe('Annotations to set; null removes one'),
    replicas: z.int().min(0).optional().describe('Pods of a workload'),
    drop: z.array(fieldPath).min(1).optional().describe('Fields to leave out'),
    modes: modes.optional().describe('Runs in which it works; all by default'),
  })
  .refine(value => ACTIONS.filter(name => has(value, name)).length === 1, {
    ...evenIfWrong,
    error: `a transform has one of ${ACTIONS.map(name => `\`${name}\``).join(', ')}`,
  })
  .refine(value => value.match !== undefined || TYPED.some(name => has(value, name)), {
    ...evenIfWrong,
    error: 'must say by `match` which objects it is for',
  });
