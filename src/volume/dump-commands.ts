import {PraError} from '../errors.ts';
import type {Plan} from '../plan/schema.ts';
import {mariadb} from './preset/mariadb.ts';
import {mongodb} from './preset/mongodb.ts';
import {mysql} from './preset/mysql.ts';
import {postgresql} from './preset/postgresql.ts';
import {redis} from './preset/redis.ts';
import type {DumpCommands, PresetOptions} from './preset/shell.ts';

/** How a rule of the plan takes a dump: a preset with its options, or two commands. */
export type DumpRule = NonNullable<Plan['spec']['source']['volumes'][number]['dump']>;

const PRESETS: Record<NonNullable<DumpRule['preset']>, (options: PresetOptions) => DumpCommands> = {
  postgresql,
  mysql,
  mariadb,
  mongodb,
  redis,
};

/** The commands of a rule, as the container is given them. */
export function dumpCommands(rule: DumpRule): DumpCommands {
  const {preset, command, restore} = rule;
  if (preset !== undefined) return PRESETS[preset](rule);
  if (command && restore) return {command, restore};
  throw new PraError('BUG', 'a rule of method dump has neither a preset nor commands');
}
