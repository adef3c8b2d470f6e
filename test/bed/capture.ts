import type {Cluster} from '../../src/cluster/client.ts';
import {MemoryStore} from '../../src/repository/memory.ts';
import {readObjects, type StoredObject} from '../../src/repository/object-set.ts';
import {ObjectSetWriter} from '../../src/repository/object-set-writer.ts';
import {Repository} from '../../src/repository/repository.ts';
import {type Capture, captureObjects} from '../../src/snapshot/capture.ts';
import type {SnapshotSelect} from '../../src/snapshot/select.ts';

/** Captures as a snapshot does, and reads back what was captured. */
export async function captureAll(
  cluster: Cluster,
  select: SnapshotSelect,
  signal: AbortSignal = new AbortController().signal,
): Promise<{objects: StoredObject[]; capture: Capture}> {
  const repository = new Repository('memory', new MemoryStore(), Buffer.alloc(32));
  const writer = new ObjectSetWriter(repository);
  const capture = await captureObjects({
    cluster,
    select,
    opened: Promise.resolve({writer, known: undefined}),
    signal,
  });
  const {trees} = await writer.finish();
  const objects: StoredObject[] = [];
  for await (const object of readObjects(repository, {id: 'memory', trees})) objects.push(object);
  return {objects, capture};
}
