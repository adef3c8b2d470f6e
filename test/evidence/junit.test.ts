import fc from 'fast-check';
import {XMLParser, XMLValidator} from 'fast-xml-parser';
import {describe, expect, test} from 'vitest';
import {z} from 'zod';
import {renderJunit} from '../../src/evidence/junit.ts';
import type {DrillRecord} from '../../src/evidence/record.ts';
import {anyRecord, forbiddenCharacters} from './any-record.ts';
import {SAMPLES} from './samples.ts';

const many = ['testsuite', 'testcase', 'failure', 'error', 'skipped'];
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  textNodeName: 'text',
  isArray: name => many.includes(name),
  parseAttributeValue: false,
  trimValues: false,
});

const count = z.coerce.number();
const outcome = z.array(
  z.object({type: z.string().optional(), message: z.string(), text: z.string().optional()}),
);
const testcase = z.object({
  name: z.string(),
  classname: z.string(),
  failure: outcome.optional(),
  error: outcome.optional(),
  skipped: outcome.optional(),
});
const totals = {tests: count, failures: count, errors: count, skipped: count, time: count};
const testsuite = z.object({name: z.string(), ...totals, testcase: z.array(testcase).default([])});
const document = z.object({
  testsuites: z.object({name: z.string(), ...totals, testsuite: z.array(testsuite)}),
});

/** The report as a CI system reads it. */
function read(record: DrillRecord) {
  const xml = renderJunit(record);
  expect(XMLValidator.validate(xml)).toBe(true);
  expect(forbiddenCharacters(xml)).toEqual([]);
  return document.parse(parser.parse(xml)).testsuites;
}

const suiteOf = (record: DrillRecord, name: string) =>
  read(record).testsuite.find(s => s.name === `pra.${name}`);
const caseOf = (record: DrillRecord, suite: string, name: string) =>
  suiteOf(record, suite)?.testcase.find(t => t.name === name);

describe('junit.xml', () => {
  test('a passed drill has no failure and no error, and a suite for each area', () => {
    const report = read(SAMPLES.passed);
    expect(report.testsuite.map(s => s.name.replace('pra.', ''))).toEqual([
      'verdict',
      'probes',
      'completeness',
      'objectives',
      'guards',
      'cleanup',
    ]);
    expect(report).toMatchObject({failures: 0, errors: 0, skipped: 5, time: 48.6});
    expect(suiteOf(SAMPLES.passed, 'completeness')?.tests).toBe(18);
  });

  test('a failed drill names each cause', () => {
    const failed = SAMPLES.failed;
    expect(caseOf(failed, 'verdict', 'drill of plan shop')?.failure?.[0]?.text).toContain(
      'critical: Table orders',
    );
    expect(caseOf(failed, 'probes', 'orders (sql)')?.failure?.[0]).toMatchObject({
      message: 'order_items has 0 rows, 4800 expected; table orders is missing',
      text: expect.stringContaining('"orders":1200'),
    });
    expect(caseOf(failed, 'completeness', 'Secret')?.failure?.[0]?.message).toContain('2 of 3 restored');
    expect(caseOf(failed, 'completeness', 'Secret shop/web-dsn')?.failure).toHaveLength(1);
    expect(caseOf(failed, 'completeness', 'data of shop-db StatefulSet/db')?.failure).toHaveLength(1);
    expect(caseOf(failed, 'objectives', 'RTO')?.failure?.[0]?.message).toBe(
      '1m08s, but 1m00s is the objective',
    );
    expect(caseOf(failed, 'guards', '3 Isolation proved')?.failure).toHaveLength(1);
    expect(caseOf(failed, 'guards', '15 Mail blanked')?.skipped?.[0]?.message).toMatch(/^waived/);
    expect(suiteOf(failed, 'cleanup')?.testcase[0]?.failure?.[0]?.text).toContain('pra drill clean');
  });

  test('what could not be decided or measured is an error, not a success', () => {
    expect(caseOf(SAMPLES.inconclusive, 'probes', 'orders (sql)')?.error?.[0]?.type).toBe('inconclusive');
    expect(caseOf(SAMPLES.inconclusive, 'objectives', 'RTO')?.error?.[0]?.type).toBe('notMeasured');
    expect(read(SAMPLES.aborted)).toMatchObject({tests: 4, errors: 1, skipped: 3});
    expect(caseOf(SAMPLES.missed, 'verdict', 'drill of plan shop')?.failure?.[0]?.type).toBe(
      'objectiveMissed',
    );
  });

  test('a probe that is not required never turns it red', () => {
    const record = structuredClone(SAMPLES.failed);
    for (const probe of record.verification.probes) probe.required = false;
    expect(suiteOf(record, 'probes')).toMatchObject({failures: 0, errors: 0, skipped: 2});
  });

  test('any record gives well-formed XML whose totals are those of its cases', () => {
    fc.assert(
      fc.property(anyRecord, record => {
        const {testsuite: suites, ...all} = read(record);
        const cases = suites.flatMap(suite => suite.testcase);
        expect(cases).toHaveLength(all.tests);
        expect(cases.filter(c => c.failure)).toHaveLength(all.failures);
        expect(cases.filter(c => c.error)).toHaveLength(all.errors);
        expect(cases.filter(c => c.skipped)).toHaveLength(all.skipped);
        const green = all.failures === 0 && all.errors === 0;
        if (green) expect(record.verdict).toMatchObject({result: 'passed', objectiveMissed: false});
      }),
      {numRuns: 60},
    );
  });
});
