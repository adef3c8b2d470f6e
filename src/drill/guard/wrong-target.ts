import {PraError} from '../../errors.ts';
import type {DrillGuard} from '../../evidence/record.ts';

export interface ClusterIdentity {
  /** UID of the kube-system namespace: the one thing that tells clusters apart whatever they are called. */
  uid: string;
  /** URL of the API server. */
  server: string;
}

export interface WrongTargetInput {
  target: ClusterIdentity;
  source: ClusterIdentity;
  /** `source.clusterUID` of the plan, which holds even when a snapshot lies about where it comes from. */
  protectedUid: string | undefined;
  /** Namespaces of the target, to see that it is fresh. */
  namespaces: readonly string[];
  /** Namespaces that the drill is about to fill. */
  wanted: readonly string[];
}

/**
 * Guard 1: never restore into the source, nor into a cluster that is in use. Prevents the worst accident of a drill:
 * overwriting production with a copy of itself.
 * @throws PraError TARGET_REFUSED that says by what the source was recognised.
 */
export function refuseWrongTarget(input: WrongTargetInput): DrillGuard {
  const refuse = (why: string): never => {
    throw new PraError('TARGET_REFUSED', `this target must not be restored into: ${why}`, {
      next: ['check spec.target.terraform: it must make a new cluster for each drill'],
    });
  };
  if (input.target.uid === input.source.uid)
    refuse(`its kube-system namespace has the UID of the source, ${input.source.uid}`);
  if (input.target.uid === input.protectedUid)
    refuse(`its kube-system namespace has the UID in spec.source.clusterUID, ${input.target.uid}`);
  if (hostOf(input.target.server) === hostOf(input.source.server) && !isLoopback(input.target.server)) {
    refuse(`its API server has the address of the source, ${hostOf(input.source.server)}`);
  }
  const present = input.wanted.filter(name => input.namespaces.includes(name) && name !== 'default');
  if (present.length > 0) refuse(`it is not empty: it already has the namespaces ${present.join(', ')}`);
  return {
    number: 1,
    name: 'refuse the wrong target',
    state: 'applied',
    detail: `the target (kube-system ${input.target.uid}) is neither the source (${input.source.uid}) nor in use`,
  };
}

function hostOf(server: string): string {
  return URL.canParse(server) ? new URL(server).host : server;
}

/** Two clusters behind tunnels may share a loopback address; their UIDs still tell them apart. */
function isLoopback(server: string): boolean {
  return URL.canParse(server) && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(server).hostname);
}
