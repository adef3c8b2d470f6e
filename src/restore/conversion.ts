import type {KubeObject} from '../cluster/object.ts';
import {stringAt, withoutAt} from '../std/json-at.ts';
import type {ObjectIndex} from './index-objects.ts';
import {keyOf} from './index-objects.ts';
import type {RestoreItem} from './item.ts';
import {hasInjectedCa} from './rules/webhook.ts';

const CA_BUNDLE = ['spec', 'conversion', 'webhook', 'clientConfig', 'caBundle'];
const CRD = 'CustomResourceDefinition.apiextensions.k8s.io';

/**
 * The definitions whose conversion webhook was switched off (rules/crd.ts), in their full form: they are written again
 * after the groups, when what converts is up. A CA that a controller injects is left to it.
 */
export function restoreConversions(index: ObjectIndex, items: readonly RestoreItem[]): RestoreItem[] {
  const definitions = items.filter(item => item.object.kind === 'CustomResourceDefinition');
  const restored = new Map(definitions.map(item => [item.key, item]));
  return index.ofKind(CRD).flatMap(({object}) => {
    const first = restored.get(keyOf(object));
    if (!first || stringAt(object, 'spec', 'conversion', 'strategy') !== 'Webhook') return [];
    const conversion = object.spec?.conversion;
    if (conversion === undefined) return [];
    const full: KubeObject = {...first.object, spec: {...first.object.spec, conversion}};
    const whole = hasInjectedCa(object) ? withoutAt(full, CA_BUNDLE) : full;
    // Read again, it would be prepared as the first one was: without its conversion.
    return [first.with(whole, {followUp: true, isRaw: false, isHeld: true})];
  });
}
