import {mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {z} from 'zod';
import {parseRecord} from '../../src/evidence/parse.ts';
import {writeEvidence} from '../../src/evidence/write.ts';
import {sha256} from '../../src/std/json.ts';
import {SAMPLES} from './samples.ts';

let dir: string;
beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'pra-evidence-')), 'drill');
});
afterEach(async () => {
  await rm(join(dir, '..'), {recursive: true});
});

const manifestSchema = z.object({
  kind: z.literal('EvidenceManifest'),
  drill: z.string(),
  files: z.array(z.object({name: z.string(), bytes: z.number(), sha256: z.string(), mediaType: z.string()})),
});

test('record, report, JUnit and a manifest that holds for each, readable by their owner alone', async () => {
  await writeEvidence(dir, SAMPLES.passed);
  expect((await readdir(dir)).sort()).toEqual(['drill.json', 'junit.xml', 'manifest.json', 'report.html']);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  for (const name of await readdir(dir)) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
  expect(parseRecord(await readFile(join(dir, 'drill.json'), 'utf8')).identity.id).toBe(
    SAMPLES.passed.identity.id,
  );
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')));
  expect(manifest.drill).toBe(SAMPLES.passed.identity.id);
  expect(manifest.files.map(file => file.name)).toEqual(['drill.json', 'report.html', 'junit.xml']);
  for (const file of manifest.files) {
    const content = await readFile(join(dir, file.name));
    expect([content.length, sha256(content)]).toEqual([file.bytes, file.sha256]);
  }
});

test('the record is always there, and of the views those that are wanted', async () => {
  await writeEvidence(dir, SAMPLES.passed, ['junit']);
  expect((await readdir(dir)).sort()).toEqual(['drill.json', 'junit.xml', 'manifest.json']);
});

test('another record is never overwritten, and nothing beside it changes', async () => {
  await writeEvidence(dir, SAMPLES.failed);
  const report = join(dir, 'report.html');
  const before = await readFile(report, 'utf8');
  await expect(writeEvidence(dir, SAMPLES.passed)).rejects.toMatchObject({code: 'EVIDENCE_EXISTS'});
  expect(await readFile(report, 'utf8')).toBe(before);
  expect(await readdir(dir)).toHaveLength(4);
});

test('of two that write at once one wins and the other is refused', async () => {
  const both = await Promise.allSettled([
    writeEvidence(dir, SAMPLES.failed),
    writeEvidence(dir, SAMPLES.passed),
  ]);
  expect(both.map(result => result.status).sort()).toEqual(['fulfilled', 'rejected']);
  const record = parseRecord(await readFile(join(dir, 'drill.json'), 'utf8'));
  const report = await readFile(join(dir, 'report.html'), 'utf8');
  expect(report).toContain(record.integrity.digest);
});

test('the same record again repairs what an interrupted write left out', async () => {
  await writeEvidence(dir, SAMPLES.passed);
  const report = join(dir, 'report.html');
  await rm(join(dir, 'manifest.json'));
  await writeFile(report, 'half');
  await writeEvidence(dir, SAMPLES.passed);
  expect(await readFile(report, 'utf8')).toContain('</html>');
  expect(await readdir(dir)).toContain('manifest.json');
});

test('a folder that cannot be made is one clear error', async () => {
  await writeFile(dir, 'a file where the folder should be');
  await expect(writeEvidence(dir, SAMPLES.passed)).rejects.toMatchObject({
    code: 'EVIDENCE_FAILED',
    message: expect.stringContaining(dir),
  });
});
