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
  /** For one volume, from the moment that its turn comes. */
  timeoutMs: number;
  requests: {cpu: string; memory: string};
  limits: {memory: string};
  times?: Partial<MoverTimes> | undefined;
}

/** How long movers are waited for, and wait themselves. */
export interface MoverTimes {
  /** For a pod to run. */
  startMs: number;
  /** For a pod to be gone, so that another one can mount the volume. */
  goneMs: number;
  /** A pod stays that nobody uses, because who started it was killed. */
  idleMs: number;
  /**
   * A Job that has ended stays; then it goes with all that it owns, also when nobody is there any more to delete it. Longer than
   * `goneMs`, for which a pod on a dead node may be waited for before another Job takes over what this one owns.
   */
  endedMs: number;
  /** Nothing moves, until it is found out whether the store still answers. */
  stallMs: number;
  /** Between two looks at whether a pod that is at work is still there. */
  lookMs: number;
}

export const MOVER_TIMES: MoverTimes = {
  startMs: 5 * 60_000,
  goneMs: 90_000,
  idleMs: 10 * 60_000,
  endedMs: 3 * 60_000,
  stallMs: 2 * 60_000,
  lookMs: 10_000,
};

/** As `settings`, for a pod that may need longer to run, since what it mounts is copied first. */
export const startingWithin = (settings: MoverSettings, startMs: number): MoverSettings => ({
  ...settings,
  times: {...settings.times, startMs: Math.max(moverTimes(settings).startMs, startMs)},
});

export const moverTimes = ({times}: Pick<MoverSettings, 'times'>): MoverTimes => ({...MOVER_TIMES, ...times});

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
