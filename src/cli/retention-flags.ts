import {Flags} from '@oclif/core';
import {PraError} from '../errors.ts';
import type {Retention} from '../repository/retention.ts';
import {parseDuration} from '../std/duration.ts';

const count = (description: string) => Flags.integer({description, min: 0, helpGroup: 'RETENTION'});

/** Which snapshots stay, with the names that other backup tools use. */
export const retentionFlags = {
  'keep-last': count('keep the newest N'),
  'keep-hourly': count('keep the newest of each hour, for N hours that have one'),
  'keep-daily': count('the same for days'),
  'keep-weekly': count('the same for weeks'),
  'keep-monthly': count('the same for months'),
  'keep-yearly': count('the same for years'),
  'keep-within': Flags.string({
    description: 'keep all that are at most so much older than the newest',
    helpValue: '30d',
    helpGroup: 'RETENTION',
  }),
};

type RetentionFlagValues = {[name in keyof typeof retentionFlags]?: string | number | undefined};

/**
 * @returns undefined when no rule was given: then nothing is to be forgotten by rules
 * @throws PraError USAGE
 */
export function retentionOf(flags: RetentionFlagValues): Retention | undefined {
  const number = (name: keyof typeof retentionFlags) => {
    const value = flags[name];
    return typeof value === 'number' ? value : undefined;
  };
  const within = flags['keep-within'];
  const withinMs = typeof within === 'string' ? parseDuration(within) : undefined;
  if (within !== undefined && withinMs === undefined)
    throw new PraError('USAGE', `--keep-within ${within} is not a duration`, {
      next: ['such as 36h, 30d or 4w'],
    });
  const retention = {
    last: number('keep-last'),
    hourly: number('keep-hourly'),
    daily: number('keep-daily'),
    weekly: number('keep-weekly'),
    monthly: number('keep-monthly'),
    yearly: number('keep-yearly'),
    withinMs,
  };
  return Object.values(retention).some(value => value !== undefined) ? retention : undefined;
}
