import {readFileSync} from 'node:fs';
import {isCollection, isMap, isNode, isSeq, type Node, parseAllDocuments} from 'yaml';

/** The documents of the file; the first one is a plan, the others have what cannot stand beside it. */
export const examples = [
  ...parseAllDocuments(readFileSync(new URL('every-field.yaml', import.meta.url), 'utf8')),
];

/** A plan with every field of the schema, which no real plan could have. */
export const [everyField] = examples;

/** The first example of a path without indices: of lists, that of the first item that has it. */
export function exampleAt(path: readonly string[]): Node | undefined {
  return firstDefined(examples.map(({contents}) => partAt(contents, path)));
}

/** All paths without indices that have an example, such as `spec.groups.steps.run`. */
export const examplePaths = () => examples.flatMap(({contents}) => pathsOf(contents, []));

function partAt(from: unknown, path: readonly string[]): Node | undefined {
  const [part, ...rest] = path;
  if (part === undefined) return isNode(from) ? from : undefined;
  if (isSeq(from)) return firstDefined(from.items.map(item => partAt(item, path)));
  return isMap(from) ? partAt(from.get(part, true), rest) : undefined;
}

const firstDefined = <Item>(items: readonly (Item | undefined)[]) => items.find(item => item !== undefined);

function pathsOf(from: unknown, at: readonly string[]): string[] {
  const own = at.length > 0 ? [at.join('.')] : [];
  if (isSeq(from)) return [...own, ...from.items.filter(isCollection).flatMap(item => pathsOf(item, at))];
  if (!isMap(from)) return own;
  return [...own, ...from.items.flatMap(({key, value}) => pathsOf(value, [...at, String(key)]))];
}
