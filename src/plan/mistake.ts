import closest from 'fastest-levenshtein';
import type {z} from 'zod';
import type {Finding, SourceLocation} from '../errors.ts';
import type {PlanPath} from './locate.ts';
import {fieldNamesAt} from './walk.ts';

type Issue = z.core.$ZodIssue;
type Locate = (path: PlanPath, key?: boolean) => SourceLocation;

/** What zod found wrong, in words, each with its place and, for an unknown field, the nearest right name. */
export function findingsOf(error: z.ZodError, value: unknown, locate: Locate): Finding[] {
  const place = ({location}: Finding) => (location?.line ?? 0) * 10_000 + (location?.column ?? 0);
  return error.issues
    .flatMap(issue => issueFindings(issue, value, locate))
    .sort((a, b) => place(a) - place(b));
}

function issueFindings(issue: Issue, value: unknown, locate: Locate): Finding[] {
  const where = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => {
      const known = fieldNamesAt(issue.path);
      const near = known.length > 0 ? closest.closest(key, known) : undefined;
      return {
        message: `unknown field \`${key}\`${where ? ` in ${where}` : ''}`,
        location: locate([...issue.path, key], true),
        hint: near === undefined ? undefined : `did you mean \`${near}\`?`,
      };
    });
  }
  if (issue.code === 'invalid_union') {
    const deepest = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0];
    if (deepest && depth(deepest) > 0) {
      return deepest.flatMap(inner =>
        issueFindings({...inner, path: [...issue.path, ...inner.path]}, value, locate),
      );
    }
  }
  const missing = issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined;
  if (missing)
    return [
      {
        message: `\`${String(issue.path.at(-1))}\` is missing${issue.path.length > 1 ? ` in ${pathText(issue.path.slice(0, -1))}` : ''}`,
        location: locate(issue.path),
      },
    ];
  return [{message: `${where || 'the plan'}: ${wordsOf(issue)}`, location: locate(issue.path)}];
}

const depth = (issues: readonly Issue[]) => Math.max(0, ...issues.map(issue => issue.path.length));

function wordsOf(issue: Issue): string {
  // zod's own words begin like this; others are the schema's, and better.
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input'))
    return `must be ${article(issue.expected)}`;
  if (issue.code === 'invalid_value')
    return `must be ${issue.values.map(value => JSON.stringify(value)).join(' or ')}`;
  if (issue.code === 'invalid_union') return 'has a wrong type';
  return issue.message;
}

function article(type: string): string {
  const name = type === 'record' || type === 'object' ? 'mapping' : type === 'array' ? 'list' : type;
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
    return Reflect.get(at, part);
  }, value);
}
