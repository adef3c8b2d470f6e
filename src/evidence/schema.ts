import {z} from 'zod';
import type {JsonObject} from '../std/json.ts';
import {recordSchema} from './record.ts';

const SCHEMA_ID = 'urn:pra:schema:v1:drill';

/**
 * The published JSON Schema (draft 2020-12) of `drill.json`. Unknown properties are allowed, because later
 * versions may add some.
 */
export function drillJsonSchema(): JsonObject {
  const {$schema, ...schema} = z.toJSONSchema(recordSchema, {io: 'input'});
  return z.record(z.string(), z.json()).parse({
    $schema,
    $id: SCHEMA_ID,
    title: 'Record of a pra drill or recovery',
    ...schema,
  });
}
