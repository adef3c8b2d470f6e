import {type Finding, PraError, type SourceLocation} from '../errors.ts';

interface Faults {
  invalid: readonly Finding[];
  circle: Finding | undefined;
  unsupported: readonly Finding[];
  /** Where the probes are, when none of them proves data. */
  unproved: SourceLocation | undefined;
}

const PROOF = [
  'add a probe with `proves: dataPresent` or `dataCurrent`, for example sql or canary',
  'or waive it: spec.isolation.waive: [{guard: dataProof, name: …, reason: …}]',
];

/** One error for all that is wrong with a plan, its code that of the gravest; undefined when nothing is. */
export function refuse(file: string, faults: Faults): PraError | undefined {
  const {invalid, circle, unsupported, unproved} = faults;
  const proof = unproved && {message: 'no required probe proves data', hint: PROOF[0], location: unproved};
  const all = (...findings: (Finding | undefined)[]) =>
    inOrder(findings.filter(finding => finding !== undefined));
  if (invalid.length > 0) return invalidPlan(file, all(...invalid, circle, ...unsupported, proof));
  if (circle) {
    return new PraError('PLAN_CYCLE', circle.message, {
      location: circle.location,
      findings: all(...unsupported, proof),
      next: ['remove one of these dependencies'],
    });
  }
  if (unsupported.length > 0) {
    return new PraError('PLAN_UNSUPPORTED', `${file} uses what this version of pra does not carry out yet`, {
      findings: all(...unsupported, proof),
      next: ['remove these fields, or wait for the version that has them (CHANGELOG.md)'],
    });
  }
  if (!unproved) return undefined;
  return new PraError('PLAN_NO_DATA_PROOF', `no required probe of ${file} proves data`, {
    why: 'a drill of it would prove only that processes start',
    location: unproved,
    next: PROOF,
  });
}

/** The error of a file that holds no plan, with all its mistakes. */
export function invalidPlan(file: string, findings: readonly Finding[], cause?: unknown): PraError {
  const count = findings.length === 1 ? 'a mistake' : `${findings.length} mistakes`;
  return new PraError('PLAN_INVALID', `the plan ${file} has ${count}`, {
    findings: [...findings],
    next: ['pra plan explain spec', 'pra plan schema'],
    cause,
  });
}

function inOrder(findings: readonly Finding[]): Finding[] {
  const line = ({location}: Finding) => location?.line ?? 0;
  const column = ({location}: Finding) => location?.column ?? 0;
  return findings.toSorted((a, b) => line(a) - line(b) || column(a) - column(b));
}
