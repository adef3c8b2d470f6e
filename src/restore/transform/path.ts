import {PraError} from '../../errors.ts';
import {isJsonObject} from '../../std/json-at.ts';

/** A key, an index of a list, or every item of one. */
export type Step = string | number | '*';

const STEP = /\.?([^.[\]"]+)|\["([^"]+)"\]|\[(\d+|\*)\]/gy;

/**
 * Reads a path in kubectl's dotted form: `spec.containers[*].image`, `metadata.annotations["example.com/a.b"]`.
 * @throws PraError USAGE for what is no path
 */
export function parsePath(text: string): Step[] {
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  let end = 0;
  for (let found = STEP.exec(text); found; found = STEP.exec(text)) {
    const [, key, quoted, item] = found;
    steps.push(key ?? quoted ?? (item === '*' ? '*' : Number(item)));
    end = STEP.lastIndex;
  }
  if (steps.length === 0 || end !== text.length || text.startsWith('.'))
    throw new PraError('USAGE', `${text} is no path of a field`, {
      next: ['such as spec.containers[*].image or metadata.annotations["example.com/a.b"]'],
    });
  return steps;
}

/** Everything that lies at a path; empty when nothing does. */
export function valuesAt(value: unknown, [step, ...rest]: readonly Step[]): unknown[] {
  if (step === undefined) return [value];
  if (Array.isArray(value)) {
    if (step === '*') return value.flatMap(item => valuesAt(item, rest));
    return typeof step === 'number' && step < value.length ? valuesAt(value[step], rest) : [];
  }
  if (!isJsonObject(value) || typeof step === 'number' || !Object.hasOwn(value, step)) return [];
  return valuesAt(value[step], rest);
}

/** A copy without what lies at a path; the same value when nothing does. */
export function withoutPath(value: unknown, [step, ...rest]: readonly Step[]): unknown {
  if (step === undefined) return value;
  if (Array.isArray(value)) return withoutItem(value, step, rest);
  if (!isJsonObject(value) || typeof step === 'number' || !Object.hasOwn(value, step)) return value;
  if (rest.length === 0) {
    const {[step]: _, ...others} = value;
    return others;
  }
  const smaller = withoutPath(value[step], rest);
  return smaller === value[step] ? value : {...value, [step]: smaller};
}

function withoutItem(list: readonly unknown[], step: Step, rest: readonly Step[]): unknown {
  const isMeant = (index: number) => step === '*' || step === index;
  if (rest.length === 0) {
    const kept = list.filter((_, index) => !isMeant(index));
    return kept.length === list.length ? list : kept;
  }
  const smaller = list.map((item, index) => (isMeant(index) ? withoutPath(item, rest) : item));
  return smaller.every((item, index) => item === list[index]) ? list : smaller;
}
