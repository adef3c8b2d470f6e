import type {VolumeProgress} from '../volume/progress.ts';

/** What taking a snapshot tells while it goes on. */
export type SnapshotEvent =
  | {type: 'phase'; phase: 'canary' | 'baselines' | 'volumes' | 'objects' | 'root'}
  /** A kind has been listed to its end. */
  | {type: 'kind'; kind: string; objects: number}
  /** Objects captured until now. */
  | {type: 'progress'; objects: number}
  | {type: 'volume'; workload: string; state: 'started' | 'saved'; bytes?: number; addedBytes?: number}
  /** How far the data of volumes is. */
  | {type: 'volume-progress'; progress: VolumeProgress}
  /** What happens to a volume besides. */
  | {type: 'volume-note'; message: string}
  | {type: 'hook'; hook: string; pod: string; phase: 'pre' | 'post'; state: 'started' | 'done'}
  /** Something went wrong that the plan lets pass. */
  | {type: 'warning'; message: string; why?: string | undefined; next: readonly string[]}
  | {type: 'done'; id: string; excluded: Readonly<Record<string, number>>};

export type SnapshotListener = (event: SnapshotEvent) => void;
