import {withAt} from '../../std/json-at.ts';
import {Change, type Rule} from '../rules/rule.ts';

/** Guard 5: KEDA does not scale what is held at rest. */
export const keda: Rule = {
  name: 'keda-paused',
  kinds: ['ScaledObject.keda.sh', 'ScaledJob.keda.sh'],
  guard: 5,
  apply: object =>
    new Change(object)
      .to(withAt(object, ['metadata', 'annotations', 'autoscaling.keda.sh/paused'], 'true'), {
        path: 'metadata.annotations',
        reason: 'autoscaling is paused',
      })
      .verdict(),
};
