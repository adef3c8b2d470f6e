import {z} from 'zod';
import {planSchema} from './schema.ts';

/** A field of the plan as the JSON Schema tells it. */
export interface SchemaNode {
  type?: string | undefined;
  description?: string | undefined;
  properties?: Record<string, SchemaNode> | undefined;
  required?: string[] | undefined;
  items?: SchemaNode | undefined;
  enum?: unknown[] | undefined;
  const?: unknown;
  anyOf?: SchemaNode[] | undefined;
  default?: unknown;
  title?: string | undefined;
  examples?: unknown[] | undefined;
  additionalProperties?: unknown;
}

const schemaNode: z.ZodType<SchemaNode> = z.lazy(() =>
  z.looseObject({
    type: z.string().optional(),
    description: z.string().optional(),
    properties: z.record(z.string(), schemaNode).optional(),
    required: z.array(z.string()).optional(),
    items: schemaNode.optional(),
    enum: z.array(z.unknown()).optional(),
    anyOf: z.array(schemaNode).optional(),
    title: z.string().optional(),
    examples: z.array(z.unknown()).optional(),
  }),
);

let generated: SchemaNode | undefined;

/** The JSON Schema of a plan file, before parsing: what editors check while someone types. */
export function planJsonSchema(): SchemaNode {
  generated ??= schemaNode.parse(
    z.toJSONSchema(planSchema, {io: 'input', target: 'draft-2020-12', reused: 'inline'}),
  );
  return generated;
}

/** The schema of one field; list indices and `[]` stand for any item. Undefined when there is no such field. */
export function schemaAt(path: readonly PropertyKey[]): SchemaNode | undefined {
  let nodes: SchemaNode[] = [planJsonSchema()];
  for (const part of path) {
    const open = nodes.flatMap(node => [node, ...(node.anyOf ?? [])]);
    nodes = open.flatMap(node => {
      if (typeof part === 'number') return node.items ? [node.items] : [];
      const property = node.properties?.[String(part)] ?? node.items?.properties?.[String(part)];
      return property ? [property] : [];
    });
  }
  return nodes[0];
}

/** Names of the fields that may stand at a path. */
export function fieldNamesAt(path: readonly PropertyKey[]): string[] {
  const node = schemaAt(path);
  if (!node) return [];
  return [node, ...(node.anyOf ?? [])].flatMap(part =>
    Object.keys(part.properties ?? part.items?.properties ?? {}),
  );
}
