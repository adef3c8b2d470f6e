import {stringAt} from '../std/json-at.ts';
import type {ObjectIndex} from './index-objects.ts';
import {type RestoreItem, restoreItem} from './order.ts';

const CRD = 'CustomResourceDefinition.apiextensions.k8s.io';

/**
 * The definitions whose conversion webhook was switched off (rules/crd.ts), in their full form: they are written again
 * after the groups, when what converts is up.
 */
export function restoreConversions(index: ObjectIndex, items: readonly RestoreItem[]): RestoreItem[] {
  const restored = new Map(items.map(item => [item.key, item]));
  return index.ofKind(CRD).flatMap(({type, object}) => {
    const item = restoreItem(type, object);
    const first = restored.get(item.key);
    if (!first || stringAt(object, 'spec', 'conversion', 'strategy') !== 'Webhook') return [];
    const conversion = object.spec?.conversion;
    if (conversion === undefined) return [];
    return [{...first, object: {...first.object, spec: {...first.object.spec, conversion}}, followUp: true}];
  });
}
