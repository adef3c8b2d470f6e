import {PraError} from '../errors.ts';
import {deletes, type ExistingChoice} from '../restore/existing-policy.ts';
import type {RestorePlan} from '../restore/preview.ts';
import type {RestoreTarget} from '../restore/rules/rule.ts';
import {confirmTyped} from './confirm.ts';

/** Namespaces that every cluster has. */
const OF_EVERY_CLUSTER = /^(default|kube-.*|local-path-storage)$/;

export interface RiskOptions {
  plan: RestorePlan;
  target: RestoreTarget;
  existing: ExistingChoice;
  /** The cluster that the snapshot was taken from. */
  isSource: boolean;
}

/** Why a person should think before a restore is begun; empty for a target that holds nothing yet. */
export function risksOf({plan, target, existing, isSource}: RiskOptions): string[] {
  const risks: string[] = [];
  if (isSource) risks.push('this is the very cluster that the snapshot was taken from');
  const inUse = [...(target.namespaces ?? [])].filter(name => !OF_EVERY_CLUSTER.test(name));
  if (target.namespaces === undefined)
    risks.push('what is in the target is not known: namespaces may not be listed');
  if (inUse.length > 0) {
    const wanted = new Set(plan.waves.flatMap(wave => wave.items.map(({namespace}) => namespace)));
    const both = inUse.filter(name => wanted.has(name));
    const among = both.length > 0 ? `, of which ${both.join(', ')} are restored into` : '';
    risks.push(`the target is not empty: it has ${inUse.length} namespaces${among}`);
  }
  if (deletes(existing)) risks.push('objects of the target may be deleted (recreate, prune)');
  return risks;
}

/**
 * Has the name of the target typed, or given by `--confirm`, before a restore into a cluster that is in use.
 * @throws PraError USAGE when another text was given, or none and there is no terminal
 */
export async function confirmRisks(
  risks: readonly string[],
  options: {word: string; given: string | undefined; where: string; signal: AbortSignal},
): Promise<void> {
  const {word, given, where, signal} = options;
  if (risks.length === 0) return;
  if (given === word) return;
  const next = [`look first: pra restore preview`, `then say it with --confirm ${word}`];
  if (given !== undefined)
    throw new PraError('USAGE', `--confirm ${given} is not the name of the target, ${word}`, {
      why: risks.join('; '),
      next,
    });
  const lines = ['', `RESTORE INTO ${where}`, ...risks.map(risk => `  ! ${risk}`)];
  await confirmTyped(lines.join('\n'), {word, next, signal});
}
