import {sleep} from '../std/wait.ts';
import type {Cluster} from './client.ts';
import {type Health, type HealthState, judgeHealth} from './health.ts';
import {interruption} from './interruption.ts';
import type {ResourceType} from './object.ts';
import {Observation} from './observation.ts';
import {nameRef} from './resource-map.ts';

/** An object that is to become healthy. */
export interface HealthTarget {
  type: ResourceType;
  name: string;
  namespace?: string | undefined;
}

export interface ObjectHealth extends HealthTarget {
  ref: string;
  state: HealthState;
  reason: string;
  /** From the start of the wait until it became healthy for good. */
  healthyAfterMs?: number;
}

export interface WaitHealthyOptions {
  timeoutMs: number;
  /** How long all must stay healthy without a break before they count as healthy. Default 0. */
  stabilityMs?: number;
  /** Default 500. */
  pollMs?: number;
  signal?: AbortSignal | undefined;
  /** States that are good enough. Default `healthy` alone. */
  accept?: readonly HealthState[];
  /** Ends the wait at once when a reason contains one of these, such as `ErrImageNeverPull`. */
  finalReasons?: readonly string[];
  /** Called for each object whose state or reason changed. */
  onChange?: (health: ObjectHealth) => void;
}

export interface WaitOutcome {
  healthy: boolean;
  /** In the order of the targets. */
  objects: ObjectHealth[];
  /** The unhealthy object that says most about the cause. */
  worst: ObjectHealth | undefined;
  elapsedMs: number;
}

const POLL_MS = 500;
const BADNESS: readonly HealthState[] = [
  'degraded',
  'missing',
  'progressing',
  'unknown',
  'suspended',
  'inert',
  'healthy',
];

/**
 * Waits until all objects are healthy and stay so for the stability window. It looks by one LIST per kind and
 * namespace, and at the pods and warnings of workloads that are not healthy, so that reasons name the cause: an image
 * that cannot be pulled, a Secret that is not there.
 * @returns the outcome for each object; an object that did not get healthy in time is a result, not an error
 * @throws PraError when the API server fails, INTERRUPTED by the signal
 */
export async function waitHealthy(
  cluster: Cluster,
  targets: readonly HealthTarget[],
  options: WaitHealthyOptions,
): Promise<WaitOutcome> {
  const start = performance.now();
  const watch = new Watch(targets, options);
  for (;;) {
    if (options.signal?.aborted) throw interruption(options.signal, 'wait for workloads to be healthy');
    const observation = await Observation.of(cluster, targets, options.signal);
    const now = performance.now() - start;
    await watch.look(observation, now);
    if (watch.isStable(now) || watch.isFinal() || now >= options.timeoutMs) return watch.outcome(now);
    await pause(options);
  }
}

async function pause({signal, pollMs}: WaitHealthyOptions): Promise<void> {
  try {
    await sleep(pollMs ?? POLL_MS, signal);
  } catch (error) {
    throw signal?.aborted ? interruption(signal, 'wait for workloads to be healthy') : error;
  }
}

/** What was seen of all targets so far. */
class Watch {
  readonly #targets: readonly HealthTarget[];
  readonly #options: WaitHealthyOptions;
  readonly #seen: ObjectHealth[];

  constructor(targets: readonly HealthTarget[], options: WaitHealthyOptions) {
    this.#targets = targets;
    this.#options = options;
    this.#seen = targets.map(target => ({
      ...target,
      ref: nameRef(target.type, target),
      state: 'missing',
      reason: 'not looked at',
    }));
  }

  async look(observation: Observation, now: number): Promise<void> {
    const found = this.#targets.map(target => judgeTarget(observation, target));
    const unwell = this.#targets.filter((_, index) => !this.#isAccepted(found[index]?.state));
    const causes = await observation.withCauses(unwell);
    for (const [index, target] of this.#targets.entries()) {
      const health = unwell.includes(target) ? judgeTarget(causes, target) : found[index];
      if (health) this.#note(index, health, now);
    }
  }

  #note(index: number, health: Health, now: number): void {
    const before = this.#seen[index];
    if (!before) return;
    const {healthyAfterMs, ...rest} = before;
    const since = this.#isAccepted(health.state) ? {healthyAfterMs: healthyAfterMs ?? now} : {};
    const after: ObjectHealth = {...rest, ...health, ...since};
    this.#seen[index] = after;
    if (before.state !== after.state || before.reason !== after.reason) this.#options.onChange?.(after);
  }

  isStable(now: number): boolean {
    const window = this.#options.stabilityMs ?? 0;
    return this.#seen.every(
      ({healthyAfterMs}) => healthyAfterMs !== undefined && now - healthyAfterMs >= window,
    );
  }

  isFinal(): boolean {
    const final = this.#options.finalReasons ?? [];
    return this.#unwell().some(({reason}) => final.some(text => reason.includes(text)));
  }

  outcome(elapsedMs: number): WaitOutcome {
    const unwell = this.#unwell();
    const [worst] = [...unwell].sort((a, b) => BADNESS.indexOf(a.state) - BADNESS.indexOf(b.state));
    return {healthy: this.isStable(elapsedMs), objects: [...this.#seen], worst, elapsedMs};
  }

  #unwell(): ObjectHealth[] {
    return this.#seen.filter(({state}) => !this.#isAccepted(state));
  }

  #isAccepted(state: HealthState | undefined): boolean {
    return state !== undefined && (this.#options.accept ?? ['healthy']).includes(state);
  }
}

function judgeTarget(observation: Observation, target: HealthTarget): Health {
  const object = observation.find(target);
  if (!object) return {state: 'missing', reason: 'it is not in the cluster'};
  return judgeHealth(object, observation.contextOf(object));
}
