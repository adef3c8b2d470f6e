import {z} from 'zod';
import type {Json} from '../std/json.ts';

const json = z.json();

/** Reads a plain path such as `.spec.suspend` or `items[0].id`; undefined when there is nothing. */
export function readPath(value: unknown, path: string): Json | undefined {
  const parts = path.split(/[.[\]]+/).filter(part => part !== '' && part !== '$');
  const found = parts.reduce<unknown>(
    (at, part) =>
      at !== null && typeof at === 'object' && Object.hasOwn(at, part) ? Reflect.get(at, part) : undefined,
    value,
  );
  const parsed = json.safeParse(found);
  return parsed.success ? parsed.data : undefined;
}
