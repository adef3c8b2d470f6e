import {PraError} from '../errors.ts';
import {type LoadedPlan, loadPlan} from '../plan/load.ts';
import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import {openPlanRepository, repositoryOf} from './wiring.ts';

export interface OpenedByFlags {
  repository: Repository;
  url: string;
  options: OpenStoreOptions;
  /** The plan of `-f`, if it was given. */
  loaded: LoadedPlan | undefined;
}

/**
 * Opens the repository that the flags name, directly or by a plan.
 * @param usage how the command is called, for the error when they name none
 * @throws PraError USAGE, PLAN_*, REPOSITORY_*, STORE_*
 */
export async function openByFlags(
  flags: {plan?: string | undefined; repository?: string | undefined},
  options: {usage: string; signal: AbortSignal},
): Promise<OpenedByFlags> {
  const loaded = flags.plan === undefined ? undefined : await loadPlan(flags.plan);
  const where = repositoryOf(loaded, flags);
  if (!where) {
    throw new PraError('USAGE', 'no repository was given', {
      next: [`${options.usage} -f plan.yaml`, `${options.usage} --repository URL`],
    });
  }
  const opened = await openPlanRepository(where, {create: false, signal: options.signal});
  return {repository: opened.repository, options: opened.options, url: where.url, loaded};
}
