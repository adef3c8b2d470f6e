/** Time as the domain code sees it, so that tests can hold it still. */
export interface Clock {
  /** Wall-clock time, for timestamps in records. */
  now(): Date;
  /** Milliseconds from an arbitrary origin that never goes back, for durations. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
};
