import {Document, isScalar, isSeq, type Node} from 'yaml';
import {explainField, type FieldExplanation} from './explain.ts';
import {PROBE_KINDS} from './schema/probe.ts';
import {schemaAt} from './walk.ts';

/** Finds the part of an example plan at a path without indices, such as `spec.groups`. */
export type ExampleAt = (path: readonly string[]) => Node | undefined;

const INTRODUCTION = `# The plan

Generated from the schema; do not edit. The same for editors: [plan.schema.json](../../plans/plan.schema.json), named on the
first line of a plan as \`# yaml-language-server: $schema=…/plan.schema.json\`. In a terminal: \`pra plan explain spec.probes\`.

A plan is one YAML 1.2 document in UTF-8. Unknown fields are refused, with the nearest right name. A field that is
_not supported yet_ is refused too, rather than ignored. \`[]\` stands for every item of a list. \`pra plan validate\` tells all
mistakes at once, each with file, line and column.

| type | what it is |
| --- | --- |
| duration | number and unit, also several: \`250ms\`, \`30s\`, \`45m\`, \`1h30m\`, \`30d\`, \`2w\` |
| name | a name as Kubernetes has them: lower-case letters, digits, dashes and dots |
| name or glob | the same, where \`*\` and \`?\` stand for other characters |
| object name | \`Secret/sh.helm.*\`, \`scratch-*\`: name or glob, of one kind only where a kind stands before it |
| label selector | \`app=db,tier!=cache\`; in most places also a mapping of labels that must all be there |
| namespace/name#key | a Secret, and after the \`#\` the key in it |
| command | a list: the program and its arguments, no shell; or a text where a script can be given |
| mapping, map | fields that are listed here; any names |
| any | any JSON value |
`;

const SECTIONS = ['apiVersion', 'kind', 'metadata', 'spec'];

/** The reference page of the plan in Markdown: a section for each part, with an example and a row per field. */
export function planReference(example: ExampleAt): string {
  const parts = explainField('spec').fields.map(field => `spec.${field.name}`);
  const top = SECTIONS.map(name => rowOf(explainField(name), example)).join('');
  const scalars = rowsBelow('metadata', example).join('');
  return [
    INTRODUCTION,
    `## The file\n\n${yamlOf(['metadata'], example)}${tableOf(top + scalars)}`,
    ...parts.map(path => sectionOf(path, example)),
  ].join('\n');
}

function sectionOf(path: string, example: ExampleAt): string {
  const field = explainField(path);
  const head = `## ${path}\n\n${sentence(field)}\n\n`;
  if (path !== 'spec.probes')
    return head + yamlOf(path.split('.'), example) + tableOf(rowOf(field, example) + below(path, example));
  const kinds = PROBE_KINDS.map(kind => kindSection(`${path}.${kind}`, example));
  const common = rowsBelow(path, example, name => !PROBE_KINDS.some(kind => kind === name));
  const links = PROBE_KINDS.map(kind => `[${kind}](#${`${path}.${kind}`.replaceAll('.', '').toLowerCase()})`);
  return `${head}A probe is of exactly one kind: ${links.join(', ')}.\n\n${tableOf(rowOf(field, example) + common.join(''))}\n${kinds.join('\n')}`;
}

function kindSection(path: string, example: ExampleAt): string {
  const rows = below(path, example);
  const head = `### ${path}\n\n${sentence(explainField(path))}\n\n${yamlOf(path.split('.'), example)}`;
  return rows === '' ? head : head + tableOf(rows);
}

function sentence({description = '', supported}: FieldExplanation): string {
  return `${description}.${supported ? '' : ' **Not supported yet.**'}`;
}

const tableOf = (rows: string) =>
  `| field | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n${rows}`;

const below = (path: string, example: ExampleAt) => rowsBelow(path, example).join('');

function rowsBelow(
  path: string,
  example: ExampleAt,
  wanted: (name: string) => boolean = () => true,
): string[] {
  return explainField(path)
    .fields.filter(({name}) => wanted(name))
    .flatMap(({name}) => [
      rowOf(explainField(`${path}.${name}`), example),
      ...rowsBelow(`${path}.${name}`, example),
    ]);
}

function rowOf(field: FieldExplanation, example: ExampleAt): string {
  const parts = field.field.split('.');
  const notes = [
    field.description ?? '',
    field.supported ? '' : '_not supported yet_',
    field.notYet?.length ? `_not supported yet: ${field.notYet.join(', ')}_` : '',
  ];
  const cells = [
    code(pathWithLists(parts)),
    field.type.replaceAll('|', ', '),
    field.required ? '**required**' : field.default === undefined ? '' : code(JSON.stringify(field.default)),
    notes.filter(Boolean).join('; '),
    exampleOf(example(parts)),
  ];
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

const code = (text: string) => `\`${text}\``;

/** The value of the example plan, if it is one value or a short list of values. */
function exampleOf(node: Node | undefined): string {
  if (isScalar(node)) return code(String(node.value));
  if (!isSeq(node) || !node.items.every(isScalar)) return '';
  return code(`[${node.items.map(item => item.value).join(', ')}]`);
}

/** `spec.groups[].steps[].run`. */
function pathWithLists(parts: readonly string[]): string {
  return parts
    .map((part, index) => {
      const inside = index < parts.length - 1 && schemaAt(parts.slice(0, index + 1))?.items !== undefined;
      return inside ? `${part}[]` : part;
    })
    .join('.');
}

function yamlOf(path: readonly string[], example: ExampleAt): string {
  const node = example(path);
  if (!node) return '';
  const text = new Document({[path.at(-1) ?? '']: node}).toString({
    lineWidth: 110,
    flowCollectionPadding: false,
  });
  return `\`\`\`yaml\n${text}\`\`\`\n\n`;
}
