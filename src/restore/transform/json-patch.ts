import {isDeepStrictEqual} from 'node:util';
import {PraError} from '../../errors.ts';
import type {Json} from '../../std/json.ts';
import type {JsonPatchOperation} from '../policy.ts';

/**
 * Applies a JSON patch (RFC 6902) to a copy of a document.
 * @throws PraError RESTORE_FAILED that names the operation when its path is absent, its test fails, or it lacks a field.
 */
export function applyJsonPatch(document: Json, patch: readonly JsonPatchOperation[]): Json {
  return patch.reduce<Json>(
    (result, operation) => applyOperation(result, operation),
    structuredClone(document),
  );
}

function applyOperation(document: Json, operation: JsonPatchOperation): Json {
  const path = parsePointer(operation.path, operation);
  switch (operation.op) {
    case 'add':
      return add(document, path, operand(operation), operation);
    case 'remove':
      return remove(document, path, operation);
    case 'replace':
      read(document, path, operation);
      return path.length === 0
        ? operand(operation)
        : add(remove(document, path, operation), path, operand(operation), operation);
    case 'copy':
      return add(document, path, structuredClone(read(document, fromOf(operation), operation)), operation);
    case 'move': {
      const from = fromOf(operation);
      if (from.length < path.length && from.every((token, index) => token === path[index])) {
        throw refuse(operation, 'a value cannot be moved into itself');
      }
      const value = read(document, from, operation);
      return add(remove(document, from, operation), path, value, operation);
    }
    case 'test':
      if (!isDeepStrictEqual(read(document, path, operation), operand(operation)))
        throw refuse(operation, 'the value differs');
      return document;
  }
}

/** Splits a JSON pointer (RFC 6901) into its tokens; the empty pointer is the whole document. */
function parsePointer(pointer: string, operation: JsonPatchOperation): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw refuse(operation, 'a path begins with "/"');
  return pointer
    .slice(1)
    .split('/')
    .map(token => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const fromOf = (operation: JsonPatchOperation) => {
  if (operation.from === undefined) throw refuse(operation, '"from" is missing');
  return parsePointer(operation.from, operation);
};

function operand(operation: JsonPatchOperation): Json {
  if (operation.value === undefined) throw refuse(operation, '"value" is missing');
  return structuredClone(operation.value);
}

function read(document: Json, path: readonly string[], operation: JsonPatchOperation): Json {
  let current = document;
  for (const token of path) {
    const next = Array.isArray(current)
      ? current[indexOf(token, current.length - 1, operation)]
      : member(current, token);
    if (next === undefined) throw refuse(operation, `there is no "${token}"`);
    current = next;
  }
  return current;
}

function member(value: Json, key: string): Json | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, key) ? value[key] : undefined;
}

function add(document: Json, path: readonly string[], value: Json, operation: JsonPatchOperation): Json {
  const token = path.at(-1);
  if (token === undefined) return value;
  const parent = read(document, path.slice(0, -1), operation);
  if (Array.isArray(parent))
    parent.splice(token === '-' ? parent.length : indexOf(token, parent.length, operation), 0, value);
  else if (typeof parent === 'object' && parent !== null) define(parent, token, value);
  else throw refuse(operation, 'its parent is neither an object nor an array');
  return document;
}

/** Sets a member also when it is called `__proto__`. */
function define(parent: {[key: string]: Json}, key: string, value: Json): void {
  Object.defineProperty(parent, key, {value, writable: true, enumerable: true, configurable: true});
}

function remove(document: Json, path: readonly string[], operation: JsonPatchOperation): Json {
  read(document, path, operation);
  const token = path.at(-1);
  if (token === undefined) throw refuse(operation, 'the whole object cannot be removed');
  const parent = read(document, path.slice(0, -1), operation);
  if (Array.isArray(parent)) parent.splice(indexOf(token, parent.length - 1, operation), 1);
  else if (typeof parent === 'object' && parent !== null) Reflect.deleteProperty(parent, token);
  return document;
}

function indexOf(token: string, largest: number, operation: JsonPatchOperation): number {
  const index = /^(0|[1-9]\d*)$/.test(token) ? Number(token) : -1;
  if (index < 0 || index > largest) throw refuse(operation, `"${token}" is not a place of the array`);
  return index;
}

function refuse(operation: JsonPatchOperation, why: string): PraError {
  return new PraError(
    'RESTORE_FAILED',
    `the patch operation ${operation.op} ${operation.path} cannot be applied`,
    {why},
  );
}
