import {Flags} from '@oclif/core';
import {PraError} from '../errors.ts';
import {loadPlan} from '../plan/load.ts';
import type {OpenKeyOptions} from '../repository/key/open.ts';
import type {FirstKeys} from '../repository/key/secrets.ts';
import {openStore} from '../repository/open.ts';
import {splitCommand} from '../repository/passphrase.ts';
import type {Store} from '../repository/store.ts';
import {readKeys, repositoryOf} from './wiring.ts';

export interface RepositoryKeys {
  store: Store;
  /** What opens it, and who gets a key slot of a new one. */
  keys: OpenKeyOptions & FirstKeys;
}

/**
 * The store that the flags name, and the keys that variables and plan give. Nothing is opened yet.
 * @param usage how the command is called, for the error when they name none
 * @throws PraError USAGE, PLAN_*, REPOSITORY_KEY_MISSING
 */
export async function keysByFlags(
  flags: {plan?: string | undefined; repository?: string | undefined},
  {usage, signal}: {usage: string; signal: AbortSignal},
): Promise<RepositoryKeys> {
  const loaded = flags.plan === undefined ? undefined : await loadPlan(flags.plan);
  const where = repositoryOf(loaded, flags);
  if (!where) {
    throw new PraError('USAGE', 'no repository was given', {
      next: [`${usage} -f plan.yaml`, `${usage} --repository URL`],
    });
  }
  return {store: await openStore(where.url, where.options), keys: {...(await readKeys(where)), signal}};
}

export const kmsFlag = Flags.string({
  description: 'program that wraps and unwraps keys, and its arguments (docs/keys.md)',
});

/** @throws PraError USAGE for an empty one */
export function kmsOf(flag: string | undefined): string[] | undefined {
  const command = flag === undefined ? undefined : splitCommand(flag);
  if (command?.length === 0) throw new PraError('USAGE', '--kms-command is empty');
  return command;
}
