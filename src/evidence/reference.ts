import {z} from 'zod';
import {drillJsonSchema} from './schema.ts';

const node = z.looseObject({
  type: z.string().optional(),
  description: z.string().optional(),
  const: z.string().optional(),
  enum: z.array(z.string()).optional(),
  format: z.string().optional(),
  pattern: z.string().optional(),
  required: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), node).optional();
  },
  get items() {
    return node.optional();
  },
  $ref: z.string().optional(),
});
type Node = z.infer<typeof node>;

const INTRODUCTION = `# The record of a drill, \`drill.json\`

Generated from the schema; do not edit. The same as a JSON Schema: [drill.schema.json](../schema/drill.schema.json).

Every drill and every recovery leaves a folder with \`drill.json\` (the record), \`report.html\` and \`junit.xml\` (views
generated from it, not proof), and \`manifest.json\` (the SHA-256 of each). A run that failed, was aborted or decided
nothing leaves the same files; what it never came to is absent.

- Durations are whole milliseconds (\`…Ms\`), sizes are bytes, times are ISO 8601 in UTC.
- The format changes only by addition: readers ignore what they do not know.
- The file is canonical JSON: one line, keys sorted, no white space. \`integrity.digest\` is the SHA-256 of that text
  without the digest itself, so anyone can check it: \`jq -cSj 'del(.integrity.digest)' drill.json | sha256sum\`.
  It shows damage and careless edits; that it was not forged is for a signature to show.
- \`verdict.result\` is passed only if every required probe passed. \`objectiveMissed\` is told apart from it: a drill
  that was verified but too slow or too stale is passed with exit code 4 ([exit codes](exit-codes.md)).

| field | type | meaning |
|---|---|---|
`;

/** The reference page of the record in Markdown: one row per field, \`?\` behind those that may be absent. */
export function recordReference(): string {
  return INTRODUCTION + rowsOf(node.parse(drillJsonSchema()), '').join('');
}

function rowsOf(parent: Node, path: string): string[] {
  return Object.entries(parent.properties ?? {}).flatMap(([name, field]) => {
    const own = `${path}${name}`;
    const optional = parent.required?.includes(name) ? '' : '?';
    const row = `| \`${own}${optional}\` | ${typeOf(field)} | ${field.description ?? ''} |\n`;
    const nested = field.items?.properties ? rowsOf(field.items, `${own}[].`) : rowsOf(field, `${own}.`);
    return [row, ...nested];
  });
}

function typeOf(field: Node): string {
  if (field.const !== undefined) return `\`${field.const}\``;
  if (field.enum) return field.enum.map(value => `\`${value}\``).join(', ');
  if (field.items) return `list of ${typeOf(field.items)}`;
  if (field.format === 'date-time') return 'time';
  if (field.pattern?.includes('{64}')) return 'SHA-256';
  return field.type ?? 'any JSON';
}
