import {z} from 'zod';
import {parseDuration} from '../../std/duration.ts';

/** The kinds of value that plans are made of. `title` is the name of the type that `pra plan explain` shows. */

const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/;
const CRON = /^(@(yearly|annually|monthly|weekly|daily|hourly)|\S+(\s+\S+){4})$/;

/** A text of a form; anything else, a number too, is told what the form is. Left out, it is missing. */
export const form = (pattern: RegExp, title: string, message: string, examples: string[]) =>
  z
    .string({error: issue => (issue.input === undefined ? undefined : message)})
    .regex(pattern, message)
    .meta({title, examples});

/** A duration such as `45m`; in ms after parsing. */
export const duration = form(DURATION, 'duration', 'must be a duration, such as 45m, 1h30m or 30d', [
  '45m',
  '1h30m',
]).transform((text, context) => {
  const ms = parseDuration(text);
  if (ms !== undefined && Number.isSafeInteger(Math.round(ms))) return ms;
  context.addIssue({code: 'custom', message: 'is too long a duration'});
  return z.NEVER;
});

/** A duration in which something can happen at all. */
export const positiveDuration = duration.refine(ms => ms > 0, {error: 'must be longer than nothing'});

/** A name as Kubernetes has them. */
export const name = form(
  /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/,
  'name',
  'must be a name: lower-case letters, digits, dashes and dots, 63 at most, in quotes if it looks like a number',
  ['shop'],
);

/** A name, or several at once by `*` and `?`. */
export const nameOrGlob = form(
  /^[-a-z0-9.*?]{1,253}$/,
  'name or glob',
  'must be a name of lower-case letters, digits, dashes and dots, where * and ? stand for others',
  ['shop', 'shop-*'],
);

/** `namespace/name`, for example of a Service. */
export const namespacedName = form(/^[-a-z0-9]+\/[-a-z0-9.]+$/, 'namespace/name', 'must be namespace/name', [
  'shop/web',
]);

/** `namespace/name` of a Secret, and after a # the key in it. */
export const secretRef = form(
  /^[-a-z0-9]+\/[-a-z0-9.]+(#[-._a-zA-Z0-9]+)?$/,
  'namespace/name#key',
  'must be namespace/name or namespace/name#key of a Secret',
  ['shop-db/credentials#dsn'],
);

/** A label selector as kubectl has it, or labels that must all be there. */
export const selector = z.union([z.string().min(1), z.record(z.string(), z.string())]).meta({
  title: 'label selector',
  examples: ['app=db,tier!=cache', {app: 'db'}],
});

/** A label selector as text. */
export const selectorText = z
  .string()
  .min(1)
  .meta({title: 'label selector', examples: ['backup=no']});

/** A command and its arguments; no shell reads it. */
export const command = z.array(z.string()).min(1);

/** A kind as kubectl takes it. */
export const kind = z
  .string()
  .min(1)
  .meta({title: 'kind', examples: ['Deployment', 'leases.coordination.k8s.io']});

/** Name of an object, or several at once by `*` and `?`; of one kind only, when a kind stands before it. */
export const objectName = form(
  /^([a-zA-Z][-a-zA-Z0-9.]*\/)?[^\s/]{1,253}$/,
  'object name',
  'must be NAME or KIND/NAME, where * and ? in the name stand for others',
  ['Secret/sh.helm.*', 'scratch-*'],
);

/** A port of a Service by number or name. */
export const port = z.union([z.int().min(1).max(65_535), z.string().min(1)]).meta({title: 'port'});

/** A schedule as cron has it, five fields. */
export const cron = form(CRON, 'cron', 'must be a cron schedule of five fields, such as "0 3 * * 1"', [
  '0 3 * * 1',
]);

/** A time zone that this system knows. */
export const timezone = z
  .string()
  .refine(isTimezone, {error: 'must be a time zone, such as Europe/Paris'})
  .meta({title: 'time zone', examples: ['Europe/Paris']});

/** For a rule between fields: it is checked although some field is wrong too, so that all mistakes are told at once. */
export const evenIfWrong = {
  when: ({value}: {value: unknown}) => value !== null && typeof value === 'object' && !Array.isArray(value),
};

export const jsonValue = z.json();

/** Runs that a step, probe or transform takes part in. */
export const modes = z.array(z.enum(['drill', 'recover'])).min(1);

function isTimezone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', {timeZone: text}) !== undefined;
  } catch {
    return false;
  }
}
