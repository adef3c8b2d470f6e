import type {KubeObject} from '../../cluster/object.ts';
import type {Transform} from '../policy.ts';

/** What one transform does to an object: the altered copy and what was altered, for people. */
export interface Alteration {
  object: KubeObject;
  /** In kubectl's dotted form, or as the patch says it. */
  path: string;
  /** `nginx → mirror.local/nginx`; never a value of a Secret. */
  what?: string | undefined;
}

/**
 * One kind of transform. `apply` gives undefined when the object has nothing that it alters; it never changes the object
 * that it is given.
 * @throws PraError RESTORE_FAILED when the transform cannot be carried out on this object
 */
export type Action<K extends ActionName> = (
  object: KubeObject,
  value: NonNullable<Transform[K]>,
) => Alteration | undefined;

export const ACTION_NAMES = [
  'patch',
  'merge',
  'images',
  'storageClasses',
  'hosts',
  'annotations',
  'replicas',
  'drop',
] as const;
export type ActionName = (typeof ACTION_NAMES)[number];

/** Collects `was → is` of several places, each once. */
export class Replacements {
  readonly #made = new Map<string, string>();

  note(before: string, after: string): void {
    this.#made.set(before, after);
  }

  get any(): boolean {
    return this.#made.size > 0;
  }

  toString(): string {
    return [...this.#made].map(([before, after]) => `${before} → ${after}`).join(', ');
  }
}
