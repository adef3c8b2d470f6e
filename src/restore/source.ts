import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {ObjectReader, readObjects, type StoredObject} from '../repository/object-set.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {storedObjectSchema} from '../repository/stored-object.ts';
import {parseExactJson} from '../std/exact-json.ts';
import type {SnapshotObject} from './index-objects.ts';
import type {ObjectOrigin} from './item.ts';

/** Where a restore takes its objects from. */
export interface ObjectSource {
  /** The objects of the kinds that fit, in any order. */
  objects(fits: (type: ResourceType) => boolean): AsyncIterable<SnapshotObject>;
  /** One of them again; `bytes` is its JSON as the API server gave it. */
  read(origin: ObjectOrigin): Promise<StoredJson>;
}

/** An object as it is stored, which is parsed, every digit whole, only when somebody asks for it. */
export interface StoredJson {
  readonly object: KubeObject;
  readonly bytes?: Buffer | undefined;
}

export interface SnapshotSourceOptions {
  /** Which objects are restored; all without it. */
  fits?: ((entry: SnapshotObject) => boolean) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The objects of a snapshot, read as they are needed.
 * @throws PraError REPOSITORY_CORRUPT that names what is damaged.
 */
export async function snapshotSource(
  repository: Repository,
  root: Pick<SnapshotRoot, 'id' | 'trees'>,
  {fits, signal}: SnapshotSourceOptions,
): Promise<ObjectSource> {
  const reader = await ObjectReader.open(repository, root, signal);
  return {
    async *objects(ofKind) {
      const types = [
        ...new Map(reader.shards().map(({type}) => [`${type.group}/${type.kind}`, type])).values(),
      ];
      const wanted = types.filter(ofKind);
      if (wanted.length === 0) return;
      for await (const entry of readObjects(repository, root, {types: wanted, signal}))
        if (fits?.(entry) ?? true) yield entry;
    },
    async read(origin) {
      const bytes = await reader.bytes(origin);
      return {
        bytes,
        get object() {
          return storedObjectSchema.parse(parseExactJson(bytes.toString('utf8')));
        },
      };
    },
  };
}

/** Objects that are in memory anyway. */
export function memorySource(entries: Iterable<SnapshotObject | StoredObject>): ObjectSource {
  const all = [...entries];
  return {
    async *objects(ofKind) {
      for (const entry of all) if (ofKind(entry.type)) yield entry;
    },
    async read({type, namespace, name}) {
      const found = all.find(
        ({type: {group, kind}, object: {metadata}}) =>
          group === type.group &&
          kind === type.kind &&
          metadata.name === name &&
          (metadata.namespace ?? '') === namespace,
      );
      if (!found) throw new Error(`${type.kind} ${namespace}/${name} is not among the objects`);
      return 'bytes' in found ? found : {object: found.object};
    },
  };
}
