import {formatDuration} from '../std/duration.ts';
import {escapeMarkup} from './escape.ts';
import type {DrillGuard, DrillObjective, DrillProbe, DrillRecord} from './record.ts';
import {runWord} from './run-word.ts';

/** How a test case ended; nothing for passed. */
type Outcome =
  | {as: 'failure' | 'error'; type: string; message: string; body?: string}
  | {as: 'skipped'; message: string};

interface TestCase {
  name: string;
  seconds: number;
  outcome?: Outcome | undefined;
}

/**
 * The record as JUnit XML for CI systems: one suite per area. It is red exactly where the drill is: what was not
 * required never fails, and what could not be decided is an error, never a success.
 */
export function renderJunit(record: DrillRecord): string {
  const {id, plan, startedAt, endedAt} = record.identity;
  const suites: [string, TestCase[]][] = [
    ['verdict', [verdictCase(record)]],
    ['probes', record.verification.probes.map(probeCase)],
    ['completeness', completenessCases(record)],
    ['objectives', objectiveCases(record)],
    ['guards', record.guards.map(guardCase)],
    ['cleanup', [cleanupCase(record)]],
  ];
  const all = suites.flatMap(([, cases]) => cases);
  const seconds = (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
  const attributes = {
    name: `pra ${runWord(record)} ${id} of plan ${plan.name}`,
    ...totals(all),
    time: seconds.toFixed(3),
  };
  const body = suites.map(([name, cases]) => suite(`pra.${name}`, cases, startedAt)).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${attributesOf(attributes)}>\n${body}</testsuites>\n`;
}

function totals(cases: readonly TestCase[]) {
  const number = (as: Outcome['as']) => cases.filter(({outcome}) => outcome?.as === as).length;
  return {
    tests: cases.length,
    failures: number('failure'),
    errors: number('error'),
    skipped: number('skipped'),
  };
}

function suite(name: string, cases: readonly TestCase[], startedAt: string): string {
  const seconds = cases.reduce((sum, test) => sum + test.seconds, 0);
  const attributes = {name, ...totals(cases), time: seconds.toFixed(3), timestamp: startedAt};
  const body = cases.map(test => {
    const head = attributesOf({name: test.name, classname: name, time: test.seconds.toFixed(3)});
    return test.outcome
      ? `    <testcase${head}>${outcomeElement(test.outcome)}</testcase>\n`
      : `    <testcase${head}/>\n`;
  });
  return `  <testsuite${attributesOf(attributes)}>\n${body.join('')}  </testsuite>\n`;
}

function outcomeElement(outcome: Outcome): string {
  if (outcome.as === 'skipped') return `<skipped${attributesOf({message: outcome.message})}/>`;
  const {as, type, message, body = ''} = outcome;
  return `<${as}${attributesOf({type, message})}>${escapeMarkup(body)}</${as}>`;
}

function attributesOf(attributes: Record<string, string | number>): string {
  // A parser turns a line break in an attribute into a space unless it is a character reference.
  const text = (value: string | number) =>
    escapeMarkup(String(value)).replace(/\n/g, '&#10;').replace(/\t/g, '&#9;');
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${text(value)}"`)
    .join('');
}

/** The whole run, so that a drill that was stopped before its first probe is red too. */
function verdictCase(record: DrillRecord): TestCase {
  const {verdict, findings, identity} = record;
  const {result, objectiveMissed, summary} = verdict;
  const name = `${runWord(record)} of plan ${identity.plan.name}`;
  if (result === 'passed' && !objectiveMissed) return {name, seconds: 0};
  const body = findings
    .map(f => `${f.severity}: ${f.title}\n  cause: ${f.cause}\n  next: ${f.next}`)
    .join('\n');
  const failed = result === 'failed' || result === 'passed';
  const type = result === 'passed' ? 'objectiveMissed' : result;
  return {name, seconds: 0, outcome: {as: failed ? 'failure' : 'error', type, message: summary, body}};
}

function probeCase({
  name,
  kind,
  verdict,
  required,
  message,
  expected,
  observed,
  durationMs,
}: DrillProbe): TestCase {
  return {name: `${name} (${kind})`, seconds: durationMs / 1000, outcome: outcome()};

  function outcome(): Outcome | undefined {
    if (verdict === 'passed') return undefined;
    if (!required) return {as: 'skipped', message: `${verdict}, but not required: ${message}`};
    const body = `expected: ${JSON.stringify(expected) ?? 'nothing'}\nobserved: ${JSON.stringify(observed) ?? 'nothing'}`;
    return {as: verdict === 'failed' ? 'failure' : 'error', type: verdict, message, body};
  }
}

function completenessCases({completeness: {kinds, failures}, volumes}: DrillRecord): TestCase[] {
  const byKind = kinds.map(({kind, expected, restored, skipped, failed}): TestCase => {
    if (failed === 0 && restored + skipped === expected) return {name: kind, seconds: 0};
    const message = `${restored} of ${expected} restored, ${skipped} left out by a rule, ${failed} failed`;
    return {name: kind, seconds: 0, outcome: {as: 'failure', type: 'incomplete', message}};
  });
  const byObject = failures.map(({ref, reason}): TestCase => {
    return {name: ref, seconds: 0, outcome: {as: 'failure', type: 'notRestored', message: reason}};
  });
  const byVolume = volumes.map((volume): TestCase => {
    const {namespace, workload, claim, bytes, restoredBytes, sha256Ok, durationMs} = volume;
    const of = claim === undefined ? workload : `${workload}, claim ${claim}`;
    const test = {name: `data of ${namespace} ${of}`, seconds: durationMs / 1000};
    if (sha256Ok) return test;
    const message = `${restoredBytes} of ${bytes} bytes came back and their digest differs from the one saved`;
    return {...test, outcome: {as: 'failure', type: 'dataDiffers', message}};
  });
  return [...byKind, ...byObject, ...byVolume];
}

function objectiveCases({objectives: {rto, rpo}}: DrillRecord): TestCase[] {
  return [objectiveCase('RTO', rto), objectiveCase('RPO', rpo)];
}

function objectiveCase(name: string, {targetMs, actualMs, met}: DrillObjective): TestCase {
  const seconds = (actualMs ?? 0) / 1000;
  if (targetMs === undefined)
    return {name, seconds, outcome: {as: 'skipped', message: 'no objective is set'}};
  if (actualMs === undefined || met === undefined) {
    return {
      name,
      seconds,
      outcome: {as: 'error', type: 'notMeasured', message: 'the run ended before it could be measured'},
    };
  }
  if (met) return {name, seconds};
  const message = `${formatDuration(actualMs)}, but ${formatDuration(targetMs)} is the objective`;
  return {name, seconds, outcome: {as: 'failure', type: 'missed', message}};
}

const GUARD_WORDS = {stated: 'not checked', waived: 'waived', notApplicable: 'not applicable'};

function guardCase({number, name, state, detail}: DrillGuard): TestCase {
  const test = {name: `${number} ${name}`, seconds: 0};
  if (state === 'applied') return test;
  if (state === 'failed') return {...test, outcome: {as: 'failure', type: 'guardFailed', message: detail}};
  return {...test, outcome: {as: 'skipped', message: `${GUARD_WORDS[state]}: ${detail}`}};
}

function cleanupCase({cleanup}: DrillRecord): TestCase {
  const name = 'target destroyed, nothing left';
  if (!cleanup) return {name, seconds: 0, outcome: {as: 'skipped', message: 'there was nothing to clean up'}};
  const {destroyed, durationMs, leftovers, message} = cleanup;
  const seconds = durationMs / 1000;
  if (destroyed && leftovers.length === 0) return {name, seconds};
  const body = leftovers.map(({what, next}) => `${what}\n  next: ${next}`).join('\n');
  return {
    name,
    seconds,
    outcome: {as: 'failure', type: 'leftovers', message: message ?? 'something is left', body},
  };
}
