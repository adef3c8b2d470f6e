import {type Document, isMap, isNode, type LineCounter, type Node} from 'yaml';
import type {SourceLocation} from '../errors.ts';

export type PlanPath = readonly PropertyKey[];

/**
 * Finds the place of a value in the file. For a path that does not exist, the place of the nearest thing above it.
 * With `key`, the place of the field's name instead of its value.
 */
export function locateIn(
  document: Document,
  lines: LineCounter,
  file: string,
  path: PlanPath,
  key = false,
): SourceLocation {
  const place = key ? keyNode(document, path) : undefined;
  const node = place ?? nearestNode(document, path);
  if (!node?.range) return {file};
  const {line, col} = lines.linePos(node.range[0]);
  return {file, line, column: col};
}

function nearestNode(document: Document, path: PlanPath): Node | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const found = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(found) && found.range) return found;
  }
  return undefined;
}

function keyNode(document: Document, path: PlanPath): Node | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find(item => String(item.key) === String(path.at(-1)));
  return isNode(pair?.key) ? pair.key : undefined;
}
