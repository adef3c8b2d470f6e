import {z} from 'zod';
import {PraError} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {type DrillDraft, type DrillRecord, recordSchema} from './record.ts';

/**
 * The text of `drill.json`: canonical JSON, one line. Equal records give equal bytes, so `digestRecord` can be
 * repeated with any tool, for example `jq -cSj 'del(.integrity.digest)' drill.json | sha256sum`.
 */
export function canonicalRecord(record: DrillRecord): string {
  return canonicalJson(record);
}

/** SHA-256 of the canonical record without `integrity.digest`. Takes any JSON value that has that shape. */
export function digestRecord(record: DrillDraft | DrillRecord): string {
  return sha256(canonicalJson({...record, integrity: {...record.integrity, digest: undefined}}));
}

/**
 * Makes a record out of what a run gathered: durations rounded to whole ms, every field checked, digest set.
 * @throws PraError BUG that names the fields that are wrong; they can only come from pra itself.
 */
export function sealRecord(draft: DrillDraft): DrillRecord {
  const rounded = roundMs(draft);
  const checked = recordSchema.safeParse({
    ...rounded,
    integrity: {...rounded.integrity, digest: digestRecord(rounded)},
  });
  if (!checked.success) {
    throw new PraError('BUG', 'the record of the drill does not match its own schema', {
      why: z.prettifyError(checked.error),
    });
  }
  const record = checked.data;
  return {...record, integrity: {...record.integrity, digest: digestRecord(record)}};
}

/** What clusters and modules answered is kept to the letter, whatever its keys are called. */
const VERBATIM = new Set(['expected', 'observed', 'facts']);

/** The same value with every number under a key that ends in `Ms` rounded; clocks give fractions. */
function roundMs<T>(value: T): T;
function roundMs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(item => roundMs(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => {
      if (VERBATIM.has(key)) return [key, v];
      return [key, typeof v === 'number' && key.endsWith('Ms') ? Math.round(v) : roundMs(v)];
    }),
  );
}
