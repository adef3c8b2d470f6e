import {Document, isMap, isPair, isScalar, isSeq, type Node, visit} from 'yaml';
import type {Json} from '../std/json.ts';

/** A comment above the field or item at a path. */
export interface Note {
  path: readonly (string | number)[];
  lines: readonly string[];
}

/** An item of a list with the comment above it. */
export interface Item<T extends Json = Json> {
  value: T;
  lines: readonly string[];
}

/** Lists and mappings that are shorter than this are written on one line. */
const FLOW_WIDTH = 84;

/** Comments above the items of the list at a path. */
export function notesOf(path: readonly string[], items: readonly Item[]): Note[] {
  return items.map(({lines}, index) => ({path: [...path, index], lines}));
}

/** Writes a value as YAML with comments. Whatever texts hold, they stay values, and comments stay comments. */
export function renderYaml(value: Json, notes: readonly Note[], header: readonly string[]): string {
  const document = new Document(value, {aliasDuplicateObjects: false});
  visit(document, {
    Collection: (_key, node, parents) => {
      const isShort = JSON.stringify(node.toJSON()).length < FLOW_WIDTH;
      // People add to the mappings of a list, which is easier in lines of their own.
      const isEntry = isMap(node) && isSeq(parents.at(-1));
      if (isEntry || !isShort || !node.items.every(isFlat)) return undefined;
      node.flow = true;
      return visit.SKIP;
    },
  });
  for (const {path, lines} of notes) {
    const node = lines.length === 0 ? undefined : nodeAt(document, path);
    if (!node) continue;
    node.commentBefore = commentOf(lines);
  }
  document.commentBefore = commentOf(header);
  return document.toString({lineWidth: 0, flowCollectionPadding: false});
}

/** A scalar, or a pair whose value is one, or holds nothing but scalars. */
function isFlat(item: unknown): boolean {
  if (isScalar(item)) return true;
  const value = isPair(item) ? item.value : undefined;
  if (isMap(value)) return value.items.every(pair => isScalar(pair.value));
  return isScalar(value) || (isSeq(value) && value.items.every(isScalar));
}

/** The key of a field, above which its comment goes, or the item of a list. */
function nodeAt(document: Document, path: readonly (string | number)[]): Node | undefined {
  const parent = document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const key = parent.items.find(pair => isScalar(pair.key) && pair.key.value === last)?.key;
    return isScalar(key) ? key : undefined;
  }
  const item = isSeq(parent) && typeof last === 'number' ? parent.get(last, true) : undefined;
  return isMap(item) || isScalar(item) ? item : undefined;
}

/** One line for each text: what a cluster calls things may hold line breaks that would end a comment. */
const commentOf = (lines: readonly string[]) =>
  lines.map(line => ` ${line.replaceAll(/[\p{C}\p{Z}]/gu, ' ')}`.trimEnd()).join('\n');
