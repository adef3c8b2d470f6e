import {type KubeObject, objectRef, type ResourceType} from '../cluster/object.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {keyOf} from './index-objects.ts';

/** Where an object lies in the snapshot, when that is not under the name that it gets in the target. */
export interface ObjectOrigin {
  type: ResourceType;
  namespace: string;
  name: string;
}

export interface ItemOptions {
  origin?: ObjectOrigin | undefined;
  isRaw?: boolean;
  isHeld?: boolean;
  followUp?: boolean;
}

/**
 * One object to create. There are as many as the snapshot has objects, so that an item holds little: names are worked
 * out when they are asked for, and of most objects only an outline is kept.
 */
export class RestoreItem {
  /** As the target serves it. */
  readonly type: ResourceType;
  /** Whole when `isHeld`, else what planning needs of it (outline.ts); the rest is read again when its turn comes. */
  readonly object: KubeObject;
  readonly origin: ObjectOrigin | undefined;
  /** Nothing changes it: what the snapshot holds is sent as it is. */
  readonly isRaw: boolean;
  readonly isHeld: boolean;
  /** Written again later in another form, so that it is counted once only. */
  readonly followUp: boolean;

  constructor(type: ResourceType, object: KubeObject, options: ItemOptions = {}) {
    this.type = type;
    this.object = object;
    this.origin = options.origin;
    this.isRaw = options.isRaw ?? false;
    this.isHeld = options.isHeld ?? true;
    this.followUp = options.followUp ?? false;
  }

  get ref(): string {
    return objectRef(this.object);
  }

  get key(): string {
    return keyOf(this.object);
  }

  get namespace(): string {
    return this.object.metadata.namespace ?? '';
  }

  get name(): string {
    return this.object.metadata.name;
  }

  /** The same with another object. */
  with(object: KubeObject, options: Pick<ItemOptions, 'isRaw' | 'isHeld' | 'followUp'> = {}): RestoreItem {
    const {type, origin, isRaw, isHeld, followUp} = this;
    return new RestoreItem(type, object, {origin, isRaw, isHeld, followUp, ...options});
  }
}

/** Makes an item of a whole object. */
export const restoreItem = (type: ResourceType, object: KubeObject): RestoreItem =>
  new RestoreItem(type, object);

/** The order of keys, without making them. */
export function compareItems(a: RestoreItem, b: RestoreItem): number {
  if (a.type !== b.type) {
    const kinds = compare(groupKindOf(a.object), groupKindOf(b.object));
    if (kinds !== 0) return kinds;
  }
  return compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
