import type {ExistingChoice} from '../restore/existing-policy.ts';

/** Where a recovery goes: into a new cluster by the plan's Terraform module, or into one that is there. */
export type Destination =
  | {kind: 'terraform'}
  | {
      kind: 'cluster';
      context?: string | undefined;
      kubeconfig?: string | undefined;
      /** UID of its kube-system namespace as it was confirmed: no other cluster is written into. */
      uid: string;
    };

/** In the folder of a recovery into a cluster that is there, while it runs: a kubeconfig that knows this cluster only. */
export const TARGET_KUBECONFIG = 'target.kubeconfig';

/** What makes a run a real recovery and not a drill. */
export interface Recovery {
  destination: Destination;
  /** When the disaster was declared: T0. The beginning of the run when it is not given. */
  declaredAt?: Date | undefined;
  /** What becomes of objects that the target already has. */
  existing: ExistingChoice;
}
