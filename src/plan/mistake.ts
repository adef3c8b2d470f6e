import closest from 'fastest-levenshtein';
import type {z} from 'zod';
import type {Finding, SourceLocation} from '../errors.ts';
import type {PlanPath} from './locate.ts';
import {fieldNamesAt} from './walk.ts';

type Issue = z.core.$ZodIssue;
type Locate = (path: PlanPath, key?: boolean) => SourceLocation;

/** What zod found wrong, in words, each with its place and, for an unknown field, the nearest right name. */
export function findingsOf(error: z.ZodError, value: unknown, locate: Locate): Finding[] {
  return error.issues.flatMap(issue => issueFindings(issue, value, locate));
}

function issueFindings(issue: Issue, value: unknown, locate: Locate): Finding[] {
  const where = pathText(issue.path);
  const at = valueAt(value, issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({
      message: `unknown field \`${key}\`${where ? ` in ${where}` : ''}`,
      location: locate([...issue.path, key], true),
      hint: nearestField(key, issue.path, at),
    }));
  }
  if (at === undefined && ['invalid_type', 'invalid_value', 'invalid_union'].includes(issue.code)) {
    const inside = issue.path.length > 1 ? ` in ${pathText(issue.path.slice(0, -1))}` : '';
    return [{message: `\`${String(issue.path.at(-1))}\` is missing${inside}`, location: locate(issue.path)}];
  }
  const branch = issue.code === 'invalid_union' ? nearestBranch(issue.errors) : undefined;
  if (branch) {
    return branch.flatMap(inner =>
      issueFindings({...inner, path: [...issue.path, ...inner.path]}, value, locate),
    );
  }
  return [{message: `${where || 'the plan'}: ${wordsOf(issue)}`, location: locate(issue.path)}];
}

function nearestField(key: string, path: PlanPath, mapping: unknown): string | undefined {
  const known = fieldNamesAt(path).filter(name => valueAt(mapping, [name]) === undefined);
  return known.length > 0 ? `did you mean \`${closest.closest(key, known)}\`?` : undefined;
}

/** The alternative that was most probably meant: of the right type, with the fewest mistakes. */
function nearestBranch(branches: readonly Issue[][]): Issue[] | undefined {
  return branches
    .filter(issues => !issues.some(isOfWrongType))
    .toSorted((a, b) => countOf(a) - countOf(b))[0];
}

const isOfWrongType = ({path, code}: Issue) =>
  path.length === 0 && (code === 'invalid_type' || code === 'invalid_value' || code === 'invalid_union');

const countOf = (issues: readonly Issue[]) =>
  issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);

function wordsOf(issue: Issue): string {
  if (issue.code === 'invalid_value') return `must be ${either(issue.values.map(v => JSON.stringify(v)))}`;
  if (issue.code === 'invalid_union') return `must be ${either(alternativesOf(issue))}`;
  if (!/^(Invalid input|Too )/.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`;
  if (issue.code === 'too_big') return `must be ${issue.maximum} or less`;
  if (issue.code !== 'too_small') return issue.message;
  return issue.origin === 'number' || issue.origin === 'int'
    ? `must be ${issue.minimum} or more`
    : 'must not be empty';
}

function alternativesOf(issue: z.core.$ZodIssueInvalidUnion): string[] {
  const words = issue.errors.flatMap(issues => issues.filter(isOfWrongType).map(wordsOf));
  return [...new Set(words.map(text => text.replace(/^must be /, '')))];
}

function either(words: readonly string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : words.join();
}

const TYPES = new Map([
  ['record', 'mapping'],
  ['object', 'mapping'],
  ['array', 'list'],
  ['int', 'whole number'],
  ['boolean', 'boolean: true or false'],
]);

function article(type: string): string {
  const name = TYPES.get(type) ?? type;
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** `spec.groups[1].name`, as people write it. */
export function pathText(path: PlanPath): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );
}

export function valueAt(value: unknown, path: PlanPath): unknown {
  return path.reduce<unknown>((at, part) => {
    if (at === null || typeof at !== 'object') return undefined;
    return Object.hasOwn(at, part) ? Reflect.get(at, part) : undefined;
  }, value);
}
