import type {PlanPath} from './locate.ts';
import {valueAt} from './mistake.ts';

interface Unsupported {
  message: string;
  path: PlanPath;
}

/** Fields of the schema whose engine is still to come. Refused, because ignoring them would be a promise not kept. */
export const UNSUPPORTED_FIELDS: readonly [path: string, what: string][] = [
  ['spec.objectives.maxDrillAge', 'judging how long ago a drill passed'],
  ['spec.repository.credentials.secretRef', 'credentials from a Secret'],
  ['spec.target.terraform.ttl', 'a time to live enforced from outside'],
  ['spec.target.requires.kubernetes', 'a version requirement on the target'],
  ['spec.isolation.egressAllow', 'exceptions from the isolation'],
  ['spec.cleanup.keepOnFailure', 'keeping a failed target'],
  ['spec.schedule', 'schedules'],
  ['spec.evidence.sign', 'signatures'],
  ['spec.evidence.controls', 'controls'],
  ['spec.evidence.redact', 'redaction rules'],
  ['spec.notify', 'notifications'],
  ['spec.recoveryPoint.window', 'a window of recovery points'],
  ['spec.probes[].http.url', 'URLs outside of the cluster'],
  ['spec.probes[].http.tls', 'checking the certificate of an http probe'],
  ['spec.probes[].canary.table', 'choosing where the canary is looked for'],
  ['spec.probes[].job', 'job probes'],
  ['spec.probes[].promql', 'promql probes'],
  ['spec.probes[].helmTest', 'helmTest probes'],
  ['spec.probes[].script', 'script probes'],
];

/** Values of a field whose engine is still to come. */
export const UNSUPPORTED_VALUES: readonly [path: string, values: readonly string[], what: string][] = [
  ['spec.recoveryPoint.policy', ['random', 'at'], 'this policy'],
  ['spec.groups[].onFailure', ['pause'], 'pausing'],
];

/** Every field of a plan, as it was written, that this version does not carry out. */
export function findUnsupported(value: unknown): Unsupported[] {
  const fields = UNSUPPORTED_FIELDS.flatMap(([pattern, what]) =>
    expand(value, pattern).map(path => ({
      message: `\`${String(path.at(-1))}\` is not supported yet (${what})`,
      path,
    })),
  );
  const values = UNSUPPORTED_VALUES.flatMap(([pattern, refused, what]) =>
    expand(value, pattern)
      .filter(path => refused.includes(String(valueAt(value, path))))
      .map(path => ({
        message: `\`${String(path.at(-1))}: ${String(valueAt(value, path))}\` is not supported yet (${what})`,
        path,
      })),
  );
  return [...fields, ...values];
}

/** Whether a field is one of those or part of one, by its path without indices, such as `spec.schedule.cron`. */
export function isUnsupported(path: string): boolean {
  return UNSUPPORTED_FIELDS.some(([pattern]) => `${path}.`.startsWith(`${withoutLists(pattern)}.`));
}

/** The values of a field that are refused, by its path without indices. */
export function unsupportedValues(path: string): readonly string[] {
  return UNSUPPORTED_VALUES.flatMap(([pattern, values]) => (withoutLists(pattern) === path ? values : []));
}

const withoutLists = (pattern: string) => pattern.replaceAll('[]', '');

/** All paths of the value that fit a pattern, in which `[]` stands for every item of a list. */
function expand(value: unknown, pattern: string): PlanPath[] {
  const parts = pattern
    .split('.')
    .flatMap(part => (part.endsWith('[]') ? [part.slice(0, -2), '[]'] : [part]));
  let paths: PlanPath[] = [[]];
  for (const part of parts) {
    paths = paths.flatMap(path => {
      const at = valueAt(value, path);
      if (part === '[]') return Array.isArray(at) ? at.map((_, index) => [...path, index]) : [];
      return valueAt(value, [...path, part]) === undefined ? [] : [[...path, part]];
    });
  }
  return paths;
}
