import type {ErrorCode} from '../errors.ts';
import type {DrillPhase} from '../evidence/record.ts';

/** The clock marks of a run (drill.md, "Run"). */
export const MARKS = {
  T0: 'declared',
  T1: 'target ready',
  T2: 'objects restored',
  T3: 'data restored',
  T4: 'workloads healthy',
  T5: 'probes green',
} as const;
export type Mark = keyof typeof MARKS;

/** A rehearsal, or a real recovery by the same steps. */
export type RunMode = 'drill' | 'recover';

export type StepResult = 'passed' | 'failed' | 'skipped' | 'error';

export interface StepIdentity {
  id: string;
  /** What people read: "terraform apply", "restore objects", "probe orders". */
  name: string;
  phase: DrillPhase;
  group?: string | undefined;
  /** Ids of the steps that must end before this one can start; the critical path follows them. */
  dependsOn: readonly string[];
  /** Waits for a person. */
  manual?: true;
}

/** Everything that a run tells while it goes on: views, the journal and the record all live from this. */
export type DrillEvent =
  | {
      type: 'run-started';
      drillId: string;
      mode: RunMode;
      plan: string;
      runDir: string;
      steps: StepIdentity[];
      at: string;
    }
  | {type: 'step-started'; id: string; at: string}
  | {type: 'step-progress'; id: string; message: string}
  | {
      type: 'step-ended';
      id: string;
      result: StepResult;
      durationMs: number;
      message?: string | undefined;
      code?: ErrorCode | undefined;
      at: string;
    }
  | {type: 'mark'; mark: Mark; name: string; at: string; elapsedMs: number}
  | {type: 'run-ended'; drillId: string; mode: RunMode; verdict: string; at: string};

export type DrillListener = (event: DrillEvent) => void;
