import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {type ObjectFilter, readObjects} from '../../src/repository/object-set.ts';
import {type ObjectSetSummary, ObjectSetWriter} from '../../src/repository/object-set-writer.ts';
import type {Repository} from '../../src/repository/repository.ts';
import {newSnapshotId, type SnapshotRoot, writeRoot} from '../../src/repository/snapshot-root.ts';
import type {Json} from '../../src/std/json.ts';

export const configMaps: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  verbs: ['list'],
  shortNames: ['cm'],
};

const secrets: ResourceType = {...configMaps, kind: 'Secret', plural: 'secrets', shortNames: []};

export const configMap = (namespace: string, name: string, data: Json): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {name, namespace},
  data,
});

/** Writes a snapshot as `pra snapshot create` does, of objects that are given. */
export async function saveSnapshot(
  repository: Repository,
  objects: KubeObject[],
  parent?: SnapshotRoot,
): Promise<SnapshotRoot> {
  const writer = new ObjectSetWriter(repository, {parent});
  await writer.open();
  for (const object of objects)
    await writer.addObject(object.kind === 'Secret' ? secrets : configMaps, object);
  return writeTestRoot(repository, await writer.finish(), parent);
}

/** Makes a snapshot of what was written. */
export function writeTestRoot(
  repository: Repository,
  {trees, counts, namespaces, bytes}: ObjectSetSummary,
  parent?: SnapshotRoot,
): Promise<SnapshotRoot> {
  const now = new Date();
  return writeRoot(
    repository,
    {
      apiVersion: 'pra/v1',
      kind: 'Snapshot',
      id: newSnapshotId(now),
      createdAt: now.toISOString(),
      finishedAt: now.toISOString(),
      tool: 'pra test',
      source: {uid: 'u', version: 'v1.34.4', server: 'https://s', context: 'c'},
      namespaces,
      counts,
      trees,
      ...(parent === undefined ? {} : {parent: parent.id}),
      resourceVersions: {},
      volumes: [],
      baselines: [],
      bytes,
    },
    {},
  );
}

export async function loadSnapshot(
  repository: Repository,
  root: SnapshotRoot,
  filter: ObjectFilter = {},
): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  for await (const stored of readObjects(repository, root, filter)) objects.push(stored.object);
  return objects;
}
