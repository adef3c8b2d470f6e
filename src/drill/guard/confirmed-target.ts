import {PraError} from '../../errors.ts';
import type {DrillGuard} from '../../evidence/record.ts';

/**
 * Guard 1 in a recovery into a cluster that is there: it is the one that was looked at and confirmed. A context can be
 * pointed elsewhere between the two.
 * @throws PraError TARGET_REFUSED when another cluster answers
 */
export function refuseOtherTarget(uid: string, confirmedUid: string, sourceUid: string): DrillGuard {
  if (uid !== confirmedUid)
    throw new PraError('TARGET_REFUSED', 'another cluster answers than the one that was confirmed', {
      why: `its kube-system namespace has the UID ${uid}, and was to have ${confirmedUid}`,
      next: ['check the kubeconfig, and run it again'],
    });
  return {
    number: 1,
    name: 'refuse the wrong target',
    state: 'applied',
    detail: `a person confirmed the target (kube-system ${uid})${uid === sourceUid ? ', which is the source itself' : ''}`,
  };
}
