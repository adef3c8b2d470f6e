import type {KubeObject} from '../../cluster/object.ts';
import type {Json} from '../../std/json.ts';
import {arrayAt, isJsonObject, objectAt, stringAt, withAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from './rule.ts';

/** Set by the scheduler and by admission from other fields; the target sets them anew. */
const ASSIGNED = ['nodeName', 'priority', 'preemptionPolicy', 'ephemeralContainers'];

/** A pod without an owner comes back free to be scheduled, without the token volume that admission put into it. */
export const pod: Rule = {
  name: 'pod',
  kinds: ['Pod'],
  apply: object => {
    const change = new Change(object);
    for (const field of ASSIGNED) {
      change.to(withoutAt(change.object, ['spec', field]), {
        path: `spec.${field}`,
        reason: 'assigned by the target',
      });
    }
    change.to(withoutTokenVolume(change.object), {
      path: 'spec.volumes',
      reason: 'admission of the target adds its own token volume',
    });
    return change.verdict();
  },
};

const isTokenVolume = (entry: Json) => stringAt(entry, 'name')?.startsWith('kube-api-access-') ?? false;

function withoutTokenVolume(object: KubeObject): KubeObject {
  const volumes = arrayAt(object, 'spec', 'volumes');
  if (!volumes.some(isTokenVolume)) return object;
  let result = withAt(
    object,
    ['spec', 'volumes'],
    volumes.filter(volume => !isTokenVolume(volume)),
  );
  for (const list of ['initContainers', 'containers']) {
    if (objectAt(object, 'spec')?.[list] === undefined) continue;
    const containers = arrayAt(object, 'spec', list).map(container =>
      isJsonObject(container)
        ? withAt(
            container,
            ['volumeMounts'],
            arrayAt(container, 'volumeMounts').filter(mount => !isTokenVolume(mount)),
          )
        : container,
    );
    result = withAt(result, ['spec', list], containers);
  }
  return result;
}
