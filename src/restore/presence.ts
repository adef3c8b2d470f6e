import {groupKindOf} from '../snapshot/exclude.ts';
import type {RestoreItem} from './item.ts';

/** Tells whether objects are among those to restore, in little memory for many of them. */
export class Presence {
  readonly #names = new Map<string, Map<string, Set<string>>>();

  constructor(items: Iterable<RestoreItem>) {
    for (const item of items) this.#setOf(groupKindOf(item.object), item.namespace).add(item.name);
  }

  has(groupKind: string, namespace: string | undefined, name: string): boolean {
    return (
      this.#names
        .get(groupKind)
        ?.get(namespace ?? '')
        ?.has(name) ?? false
    );
  }

  #setOf(kind: string, namespace: string): Set<string> {
    const ofKind = this.#names.get(kind) ?? new Map<string, Set<string>>();
    this.#names.set(kind, ofKind);
    const names = ofKind.get(namespace) ?? new Set<string>();
    ofKind.set(namespace, names);
    return names;
  }
}
