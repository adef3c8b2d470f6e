import closest from 'fastest-levenshtein';
import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {EXISTING_POLICIES, type ExistingPolicy} from '../plan/schema/existing.ts';
import {groupKindOf} from '../snapshot/exclude.ts';

/** What becomes of objects that are there: of all, and of single kinds. */
export interface ExistingChoice {
  all: ExistingPolicy;
  /** By `Kind` or `Kind.group`, in any case. */
  kinds: Readonly<Record<string, ExistingPolicy>>;
}

const isPolicy = (text: string): text is ExistingPolicy => EXISTING_POLICIES.some(policy => policy === text);

/**
 * Reads what people write: `update`, `Deployment.apps=recreate`, the later over the earlier.
 * @throws PraError USAGE for a word that is no policy
 */
export function parseExisting(texts: readonly string[], byDefault: ExistingPolicy): ExistingChoice {
  let all = byDefault;
  const kinds: Record<string, ExistingPolicy> = {};
  for (const text of texts) {
    const split = text.indexOf('=');
    const policy = text.slice(split + 1);
    if (!isPolicy(policy)) {
      const near = closest.closest(policy, [...EXISTING_POLICIES]);
      throw new PraError('USAGE', `${policy} is not what can become of existing objects`, {
        next: [`perhaps ${near}; it is one of ${EXISTING_POLICIES.join(', ')}`],
      });
    }
    if (split < 0) all = policy;
    else kinds[text.slice(0, split).toLowerCase()] = policy;
  }
  return {all, kinds};
}

/** The policy for an object: of its kind and group, of its kind, of all. */
export const existingPolicyOf =
  ({all, kinds}: ExistingChoice) =>
  (object: KubeObject): ExistingPolicy =>
    kinds[groupKindOf(object).toLowerCase()] ?? kinds[object.kind.toLowerCase()] ?? all;

/** Whether something of a choice deletes objects. */
export const deletes = ({all, kinds}: ExistingChoice): boolean =>
  [all, ...Object.values(kinds)].some(policy => policy === 'recreate' || policy === 'prune');
