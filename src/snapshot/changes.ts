import type {ResourceType} from '../cluster/object.ts';

/** What became of one object since the last snapshot. */
export interface Change {
  type: ResourceType;
  namespace: string;
  name: string;
  /** As the API server sent it; undefined when it was deleted. */
  json: Buffer | undefined;
}

export interface ChangeBatch {
  changes: Change[];
  /** When the first of them came, in milliseconds of the epoch. */
  since: number;
}

const keyOf = ({type, namespace, name}: Pick<Change, 'type' | 'namespace' | 'name'>) =>
  `${type.group}/${type.kind}/${namespace}/${name}`;

/** Changes that are in no snapshot yet: of each object the last. */
export class Changes {
  private changes = new Map<string, Change>();
  private since = 0;

  get size(): number {
    return this.changes.size;
  }

  add(change: Change): void {
    if (this.changes.size === 0) this.since = Date.now();
    this.changes.set(keyOf(change), change);
  }

  /** Takes back a batch that could not be saved. */
  restore({changes, since}: ChangeBatch): void {
    const newer = this.changes;
    this.changes = new Map(changes.map(change => [keyOf(change), change]));
    this.since = since;
    for (const [key, change] of newer) this.changes.set(key, change);
  }

  /** Takes them all; what comes from now on is for the next snapshot. */
  take(): ChangeBatch {
    const batch = {changes: [...this.changes.values()], since: this.since};
    this.changes = new Map();
    return batch;
  }
}

/** Tells whether an object is among these. */
export function isAmong(
  changes: readonly Change[],
): (type: ResourceType, namespace: string, name: string) => boolean {
  const keys = new Set(changes.map(keyOf));
  return (type, namespace, name) => keys.has(keyOf({type, namespace, name}));
}
