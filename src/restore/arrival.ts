import type {KubeObject} from '../cluster/object.ts';
import {toServedVersion} from './api-versions.ts';
import type {SnapshotObject} from './index-objects.ts';
import {keyOf} from './index-objects.ts';
import {copyName, isRenamed, type MappedObject} from './namespace-map.ts';
import type {RuleNote} from './prepare.ts';
import type {RuleContext} from './rules/rule.ts';

/** An object under the name and in the version that it has in the target. */
export interface Arrival extends SnapshotObject {
  notes: RuleNote[];
}

export interface ArrivalContext extends Pick<RuleContext, 'target' | 'find'> {
  map: (object: KubeObject) => MappedObject;
}

/**
 * Makes the function that moves an object of the snapshot into the target's namespaces and to a version that the target
 * serves. It is pure: what it gives for an object is the same each time.
 */
export function compileArrival(context: ArrivalContext): (entry: SnapshotObject) => Arrival {
  return entry => {
    const notes: RuleNote[] = [];
    const {object: moved, paths} = context.map(entry.object);
    if (paths.length > 0)
      notes.push({rule: 'namespaces', reason: 'moved to another namespace', path: paths.join(', ')});
    const object = paths.length > 0 ? ownName(moved, paths, context, notes) : moved;
    const served = toServedVersion({type: entry.type, object}, context);
    if (served) {
      const reason = `the target no longer serves ${object.apiVersion}; ${served.object.apiVersion} has the same shape`;
      notes.push({rule: 'api-version', reason, path: 'apiVersion', severity: 'info'});
    }
    return {type: served?.type ?? entry.type, object: served?.object ?? object, notes};
  };
}

/** A copy's binding beside the original's: with its name it would take the rights of the original away. */
function ownName(
  object: KubeObject,
  paths: readonly string[],
  {target}: ArrivalContext,
  notes: RuleNote[],
): KubeObject {
  if (!isRenamed(object, paths) || !target.taken?.has(keyOf(object))) return object;
  const name = copyName(object);
  notes.push({
    rule: 'namespaces',
    path: 'metadata.name',
    reason: `${object.metadata.name} is in the target already, for other namespaces`,
    severity: 'info',
  });
  return {...object, metadata: {...object.metadata, name}};
}
