import {isUtf8} from 'node:buffer';
import {createReadStream} from 'node:fs';
import {PraError, type SourceLocation, systemCodeOf} from '../errors.ts';
import {invalidPlan} from './refuse.ts';

const MAX_PLAN_BYTES = 1024 * 1024;

const REASONS = new Map([
  ['ENOENT', 'there is no such file'],
  ['EISDIR', 'it is a folder'],
  ['EACCES', 'it may not be read by this user'],
]);

/**
 * The text of a plan file; no more of a larger one is read than is needed to see that it is too large.
 * @throws PraError PLAN_NOT_FOUND, PLAN_INVALID when no text of a plan can be in it.
 */
export async function readPlan(file: string): Promise<string> {
  const bytes = await readBytes(file);
  if (bytes.length > MAX_PLAN_BYTES)
    throw invalidPlan(file, [{message: 'the file is larger than 1 MiB, which no plan is', location: {file}}]);
  if (!isUtf8(bytes))
    throw invalidPlan(file, [{message: 'the file is not UTF-8 text', location: placeOfBroken(bytes, file)}]);
  return bytes.toString('utf8');
}

async function readBytes(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(file, {end: MAX_PLAN_BYTES})) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  } catch (error) {
    const code = systemCodeOf(error);
    throw new PraError('PLAN_NOT_FOUND', `the plan ${file} cannot be read`, {
      why: code === undefined ? undefined : (REASONS.get(code) ?? code),
      next: ['pra init writes a plan from a live cluster'],
      cause: error,
    });
  }
}

/** A line feed is never part of another character, so that the first broken line can be looked for by itself. */
function placeOfBroken(bytes: Buffer, file: string): SourceLocation {
  let start = 0;
  for (let line = 1; ; line += 1) {
    const found = bytes.indexOf('\n', start);
    const end = found < 0 ? bytes.length : found;
    const content = bytes.subarray(start, end);
    if (!isUtf8(content)) return {file, line, column: content.toString('utf8').indexOf('\uFFFD') + 1};
    if (found < 0) return {file};
    start = end + 1;
  }
}
