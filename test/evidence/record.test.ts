import {Ajv2020} from 'ajv/dist/2020.js';
import {describe, expect, test} from 'vitest';
import {exitCodeOf, judgeObjective} from '../../src/evidence/judge.ts';
import {parseRecord} from '../../src/evidence/parse.ts';
import {recordReference} from '../../src/evidence/reference.ts';
import {drillJsonSchema} from '../../src/evidence/schema.ts';
import {canonicalRecord, digestRecord, sealRecord} from '../../src/evidence/seal.ts';
import {canonicalJson, sha256} from '../../src/std/json.ts';
import {passedDraft, SAMPLES} from './samples.ts';

const validate = new Ajv2020({validateFormats: false}).compile(drillJsonSchema());

describe('the record', () => {
  test.each(Object.entries(SAMPLES))(
    '%s: what is written is read back the same, and fits the schema',
    (_, record) => {
      const text = canonicalRecord(record);
      expect(parseRecord(text)).toEqual(JSON.parse(text));
      expect(canonicalRecord(parseRecord(text))).toBe(text);
      expect(validate(JSON.parse(text)), JSON.stringify(validate.errors)).toBe(true);
    },
  );

  test('its digest is that of the canonical text without the digest', () => {
    const {digest, ...integrity} = SAMPLES.passed.integrity;
    expect(digest).toBe(sha256(canonicalJson({...SAMPLES.passed, integrity})));
    expect(digestRecord(SAMPLES.passed)).toBe(digest);
  });

  test('a change of any field is found', () => {
    const record = structuredClone(SAMPLES.failed);
    record.verdict.result = 'passed';
    expect(() => parseRecord(canonicalRecord(record))).toThrowError(
      expect.objectContaining({
        code: 'RECORD_ALTERED',
        why: expect.stringContaining(record.integrity.digest),
      }),
    );
  });

  test('fields of a later version are ignored, but the digest covers them', () => {
    const later = {...SAMPLES.passed, posture: {regressions: 1}};
    const integrity = {...later.integrity, digest: digestRecord(later)};
    const text = canonicalJson({...later, integrity});
    expect(parseRecord(text).verdict).toEqual(SAMPLES.passed.verdict);
    expect(() => parseRecord(text.replace('"regressions":1', '"regressions":0'))).toThrowError(
      expect.objectContaining({code: 'RECORD_ALTERED'}),
    );
  });

  test('what is no record is refused with every field that is wrong', () => {
    expect(() => parseRecord('{"kind":', 'x/drill.json')).toThrowError(
      expect.objectContaining({code: 'RECORD_INVALID', location: {file: 'x/drill.json'}}),
    );
    const text = canonicalRecord(SAMPLES.passed).replace('"result":"passed"', '"result":"great"');
    expect(() => parseRecord(text.replace('"sequence":12', '"sequence":"12"'))).toThrowError(
      expect.objectContaining({
        findings: expect.arrayContaining([
          {message: expect.stringContaining('identity.sequence')},
          {message: expect.stringContaining('result')},
        ]),
      }),
    );
  });

  test('sealing rounds durations, but not what a cluster answered', () => {
    const [probe] = passedDraft.verification.probes;
    const record = sealRecord({
      ...passedDraft,
      timeline: {...passedDraft.timeline, humanWaitMs: 12.4},
      verification: {notTested: [], probes: probe ? [{...probe, observed: {latencyMs: 1.5}}] : []},
    });
    expect(record.timeline.humanWaitMs).toBe(12);
    expect(record.verification.probes[0]?.observed).toEqual({latencyMs: 1.5});
    expect(parseRecord(canonicalRecord(record))).toBeTruthy();
  });

  test('sealing names a field that does not fit', () => {
    const broken = {...passedDraft, identity: {...passedDraft.identity, startedAt: 'yesterday'}};
    expect(() => sealRecord(broken)).toThrowError(
      expect.objectContaining({code: 'BUG', why: expect.stringContaining('identity.startedAt')}),
    );
  });

  test('the published schema and reference are current (vitest -u writes them)', async () => {
    const schema = `${JSON.stringify(drillJsonSchema(), null, 2)}\n`;
    await expect(schema).toMatchFileSnapshot('../../docs/schema/drill.schema.json');
    await expect(recordReference()).toMatchFileSnapshot('../../docs/reference/record.md');
  });
});

describe('the verdict', () => {
  test('only a passed drill that met its objectives is 0', () => {
    expect(exitCodeOf('passed', false)).toBe(0);
    expect(exitCodeOf('passed', true)).toBe(4);
    expect(exitCodeOf('failed', true)).toBe(3);
    expect(exitCodeOf('inconclusive', false)).toBe(6);
    expect(exitCodeOf('error', false)).toBe(1);
    expect(exitCodeOf('aborted', true)).toBe(130);
  });

  test('an objective is met at the limit, missed above, and neither when it is not known', () => {
    expect(judgeObjective(1000, 1000)).toEqual({targetMs: 1000, actualMs: 1000, met: true, marginMs: 0});
    expect(judgeObjective(1000, 1001)).toMatchObject({met: false, marginMs: -1});
    expect(judgeObjective(1000, undefined).met).toBeUndefined();
    expect(judgeObjective(undefined, 5).met).toBeUndefined();
  });
});
