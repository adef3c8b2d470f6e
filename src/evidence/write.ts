import {randomBytes} from 'node:crypto';
import {link, mkdir, open, readFile, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {messageOf, PraError, systemCodeOf} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {renderHtml} from './html.ts';
import {renderJunit} from './junit.ts';
import type {DrillRecord} from './record.ts';
import {canonicalRecord} from './seal.ts';

export type EvidenceFormat = 'json' | 'html' | 'junit';

/**
 * Writes the evidence of a drill into a folder of its own (0700): `drill.json`, the views `report.html` and `junit.xml`, and
 * `manifest.json` with the size and SHA-256 of each. Files are 0600, appear whole or not at all, the record
 * first and the manifest last. Writing the same record again is allowed and repairs what is missing.
 * @throws PraError EVIDENCE_EXISTS when the folder holds another record, DISK_FULL when there is no room.
 */
export async function writeEvidence(
  dir: string,
  record: DrillRecord,
  formats: readonly EvidenceFormat[] = ['json', 'html', 'junit'],
): Promise<void> {
  const html = {name: 'report.html', mediaType: 'text/html', text: () => renderHtml(record)};
  const junit = {name: 'junit.xml', mediaType: 'application/xml', text: () => renderJunit(record)};
  const views = [...(formats.includes('html') ? [html] : []), ...(formats.includes('junit') ? [junit] : [])];
  const files = [
    {name: 'drill.json', mediaType: 'application/json', text: canonicalRecord(record)},
    ...views.map(view => ({...view, text: view.text()})),
  ];
  const manifest = {
    apiVersion: 'pra/v1',
    kind: 'EvidenceManifest',
    drill: record.identity.id,
    files: files.map(({name, mediaType, text}) => ({
      name,
      mediaType,
      bytes: Buffer.byteLength(text),
      sha256: sha256(text),
    })),
  };
  try {
    await mkdir(dir, {recursive: true, mode: 0o700});
    for (const {name, text} of files) {
      if (name === 'drill.json') await writeOnce(join(dir, name), text);
      else await writeWhole(join(dir, name), text, rename);
    }
    await writeWhole(join(dir, 'manifest.json'), canonicalJson(manifest), rename);
  } catch (error) {
    throw asPraError(error, dir);
  }
}

/** Puts the record in place only if there is none; `link` leaves no moment in which two runs could both win. */
async function writeOnce(file: string, text: string): Promise<void> {
  try {
    await writeWhole(file, text, link);
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
    if ((await readFile(file, 'utf8')) === text) return;
    throw new PraError('EVIDENCE_EXISTS', `${file} is the record of another drill`, {
      why: 'evidence is never overwritten',
      next: ['Write into a new folder.'],
    });
  }
}

/** Writes and flushes beside the file, then puts it in place by `place`; what is left beside it is removed. */
async function writeWhole(file: string, text: string, place: (from: string, to: string) => Promise<void>) {
  const beside = `${file}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(beside, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await place(beside, file);
  } finally {
    await rm(beside, {force: true});
  }
}

function asPraError(error: unknown, dir: string): unknown {
  if (error instanceof PraError) return error;
  const code = systemCodeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PraError('DISK_FULL', `the evidence could not be written to ${dir}`, {cause: error});
  }
  return new PraError('EVIDENCE_FAILED', `the evidence could not be written to ${dir}`, {
    why: messageOf(error),
    cause: error,
  });
}
