import {z} from 'zod';
import {type Cluster, isApiError} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import type {ResourceType} from '../cluster/object.ts';
import {collectionPath} from '../cluster/resource-map.ts';
import type {WatchEvent} from '../cluster/watch.ts';
import {arrayAt, numberAt, stringAt} from '../std/json-at.ts';
import {groupKind} from './exclude.ts';
import {compileSelect, type Selection, type SnapshotSelect} from './select.ts';

/** Kinds that decide which other kinds and namespaces there are. */
export const SHAPE_TYPES: readonly ResourceType[] = [
  CORE_TYPES.Namespace,
  CORE_TYPES.CustomResourceDefinition,
  CORE_TYPES.APIService,
];

const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const listSchema = z.object({
  metadata: z.object({resourceVersion: z.string()}),
  items: z
    .array(z.object({metadata: z.object({name: z.string(), generation: z.number().optional()})}))
    .nullish(),
});

interface Known {
  generation: number;
  /** Of a CustomResourceDefinition that changed since: whether its kind is served. */
  established?: boolean | undefined;
}

/** Which kinds and namespaces there are, to notice when there are others. */
export class Shape {
  private readonly cluster: Cluster;
  private readonly selection: Selection;
  private readonly known = new Map<string, Known>();
  private versions: {type: ResourceType; resourceVersion: string}[] = [];
  private readonly told = new Set<string>();

  constructor(cluster: Cluster, select: SnapshotSelect) {
    this.cluster = cluster;
    this.selection = compileSelect(select);
  }

  /**
   * Reads how it is now; to be called before discovery, so that nothing falls between the two.
   * @returns what cannot be noticed, and why; once
   * @throws PraError CLUSTER_*
   */
  async read(signal: AbortSignal): Promise<string[]> {
    const unseen: string[] = [];
    this.versions = [];
    for (const type of SHAPE_TYPES) {
      try {
        const answer = await this.cluster.request('GET', collectionPath(type), {
          accept: METADATA_ONLY,
          action: `list ${type.plural}`,
          signal,
        });
        const {metadata, items} = listSchema.parse(answer);
        this.versions.push({type, resourceVersion: metadata.resourceVersion});
        for (const {metadata: own} of items ?? []) {
          const key = keyOf(type, own.name);
          this.known.set(key, {...this.known.get(key), generation: own.generation ?? 0});
        }
      } catch (error) {
        if (!isApiError(error, 403) && !isApiError(error, 404)) throw error;
        const text = `new objects of ${groupKind(type)} are noticed with the next whole snapshot only: ${error.message}`;
        if (!this.told.has(text)) unseen.push(text);
        this.told.add(text);
      }
    }
    return unseen;
  }

  /** What is to be watched, and from where. */
  kinds(): readonly {type: ResourceType; resourceVersion: string}[] {
    return this.versions;
  }

  /** Takes a change. @returns what is different now, when a whole snapshot is needed for it */
  take(type: ResourceType, {change, name, json}: WatchEvent): string | undefined {
    if (type === CORE_TYPES.Namespace && !this.selection.namespace(name)) return undefined;
    const key = keyOf(type, name);
    const before = this.known.get(key);
    if (change === 'deleted') {
      this.known.delete(key);
      return before && `${groupKind(type)} ${name} is gone`;
    }
    const object: unknown = JSON.parse(json.toString('utf8'));
    const now: Known = {
      generation: numberAt(object, 'metadata', 'generation') ?? 0,
      established: arrayAt(object, 'status', 'conditions').some(
        condition =>
          stringAt(condition, 'type') === 'Established' && stringAt(condition, 'status') === 'True',
      ),
    };
    this.known.set(key, now);
    if (!before) return `${groupKind(type)} ${name} is new`;
    const served = before.established !== undefined && before.established !== now.established;
    return before.generation !== now.generation || served ? `${groupKind(type)} ${name} changed` : undefined;
  }
}

const keyOf = (type: ResourceType, name: string) => `${groupKind(type)}/${name}`;
