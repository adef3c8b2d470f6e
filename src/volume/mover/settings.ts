import {MOVER_IMAGE} from '../../image/mover.ts';
import type {Plan} from '../../plan/schema.ts';
import type {StoreCredentialsOptions} from '../store-link.ts';

/** How movers, the pods that read and fill volumes, are run; as the plan says it. */
export interface MoverSettings {
  /** Image with /pra-mover and /restic. */
  image: string;
  /** `direct`: restic in the pod talks to the bucket itself. `stream`: its repository is served over the exec connection. */
  transport: 'auto' | 'stream' | 'direct';
  /** Credentials that pods are given for `direct`, instead of those of pra. */
  credentials?: StoreCredentialsOptions | undefined;
  /** `auto`: the user of the workload where it is known and enough, else root with few capabilities. */
  runAs: 'auto' | 'workload' | 'root';
  /** Movers at the same time. */
  parallel: number;
  /** Movers at the same time on one node. */
  perNode: number;
  /** For one volume. */
  timeoutMs: number;
  requests: {cpu: string; memory: string};
  limits: {memory: string};
}

/** Without a plan. */
export const DEFAULT_MOVER_SETTINGS: MoverSettings = {
  image: MOVER_IMAGE,
  transport: 'auto',
  runAs: 'auto',
  parallel: 8,
  perNode: 2,
  timeoutMs: 12 * 3_600_000,
  requests: {cpu: '100m', memory: '128Mi'},
  limits: {memory: '1Gi'},
};

/** What the plan says of movers. */
export function moverSettings({spec: {mover}}: Plan): MoverSettings {
  const {
    image = MOVER_IMAGE,
    transport,
    credentials,
    runAs,
    parallel,
    perNode,
    timeout,
    requests,
    limits,
  } = mover;
  return {
    image,
    transport,
    ...(credentials ? {credentials: {profile: credentials.profile, credentialsEnv: credentials.env}} : {}),
    runAs,
    parallel,
    perNode,
    timeoutMs: timeout,
    requests,
    limits,
  };
}
