import {z} from 'zod';
import {messageOf, PraError} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {type DrillRecord, recordSchema} from './record.ts';

const digested = z.looseObject({integrity: z.looseObject({digest: z.string()})});

/**
 * Reads `drill.json` and checks that its content has the digest that it carries, over all fields, also those
 * that a newer version of pra may have added. That shows damage and careless edits, not forgery.
 * @throws PraError RECORD_INVALID when it is no record, RECORD_ALTERED when the digest differs.
 */
export function parseRecord(text: string, file = 'drill.json'): DrillRecord {
  const value = parseJson(text, file);
  const record = recordSchema.safeParse(value);
  const raw = digested.safeParse(value);
  if (!record.success || !raw.success) {
    const findings = (record.error ?? raw.error)?.issues.map(issue => ({
      message: `${z.core.toDotPath(issue.path)}: ${issue.message}`,
    }));
    throw new PraError('RECORD_INVALID', `${file} is not a drill record`, {location: {file}, findings});
  }
  const {digest, ...integrity} = raw.data.integrity;
  const actual = sha256(canonicalJson({...raw.data, integrity}));
  if (actual !== digest) {
    throw new PraError('RECORD_ALTERED', `${file} was changed after the drill`, {
      location: {file},
      why: `its content has the digest ${actual}, but it carries ${digest}`,
    });
  }
  return record.data;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PraError('RECORD_INVALID', `${file} is not JSON`, {
      location: {file},
      why: messageOf(cause),
      cause,
    });
  }
}
