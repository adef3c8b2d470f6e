import fc from 'fast-check';
import {z} from 'zod';
import {type DrillRecord, recordSchema} from '../../src/evidence/record.ts';
import {drillJsonSchema} from '../../src/evidence/schema.ts';

const schemaNode = z.looseObject({
  type: z.string().optional(),
  const: z.string().optional(),
  enum: z.array(z.string()).optional(),
  format: z.string().optional(),
  pattern: z.string().optional(),
  minLength: z.number().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  required: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), schemaNode).optional();
  },
  get items() {
    return schemaNode.optional();
  },
});
type SchemaNode = z.infer<typeof schemaNode>;

/** Text that tries to break out of markup, of any kind that cluster objects and error messages can carry. */
const hostileText = fc.oneof(
  fc.string({unit: 'binary', maxLength: 12}),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    ']]><x-inject/>',
    '--><x-inject>',
    '</style><x-inject>',
    '&lt;x-inject&gt; &#0; &bogus;',
    'javascript:alert(1)',
    '\u202etxt.exe\u2066',
    '\u0000\u001b[31m\ud800',
    'line\nbreak\tand tab',
  ),
);

const json = fc.oneof(
  fc.jsonValue({maxDepth: 2}),
  hostileText,
  fc.dictionary(hostileText, fc.oneof(hostileText, fc.integer()), {minKeys: 1, maxKeys: 3}),
);

function fromSchema(node: SchemaNode): fc.Arbitrary<unknown> {
  if (node.const !== undefined) return fc.constant(node.const);
  if (node.enum) return fc.constantFrom(...node.enum);
  if (node.items) return fc.array(fromSchema(node.items), {maxLength: 3});
  if (node.properties) return objectOf(node.properties, node.required ?? []);
  switch (node.type) {
    case 'string':
      return textOf(node);
    case 'integer':
      return fc.integer({min: node.minimum ?? -1e9, max: Math.min(node.maximum ?? 1e9, 1e9)});
    case 'number':
      return fc.integer({min: node.minimum ?? -1e9, max: 1e9});
    case 'boolean':
      return fc.boolean();
    case 'object':
      return fc.dictionary(hostileText, json, {maxKeys: 3});
    default:
      return json;
  }
}

function textOf(node: SchemaNode): fc.Arbitrary<string> {
  if (node.format === 'date-time') {
    const range = {min: new Date('2026-01-01'), max: new Date('2026-01-03'), noInvalidDate: true};
    return fc.date(range).map(date => date.toISOString());
  }
  if (node.pattern)
    return fc.string({unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64});
  return node.minLength ? hostileText.filter(text => text.length > 0) : hostileText;
}

function objectOf(
  properties: Record<string, SchemaNode>,
  required: readonly string[],
): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, node]) => [name, fromSchema(node)]),
  );
  return fc.record(fields, {requiredKeys: required.filter(name => name in fields)});
}

/** Any record that the published schema allows, with hostile text wherever text is free. */
export const anyRecord: fc.Arbitrary<DrillRecord> = fromSchema(schemaNode.parse(drillJsonSchema())).map(
  value => recordSchema.parse(value),
);

/** Characters that no XML 1.0 document may hold, found in a text. */
export function forbiddenCharacters(text: string): string[] {
  const allowed = (c: string) =>
    '\t\n\r'.includes(c) || (c >= ' ' && c.isWellFormed() && !/[\ufffe\uffff]/.test(c));
  return [...text].filter(c => !allowed(c));
}
