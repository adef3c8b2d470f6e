import type {SnapshotRoot} from './snapshot-root.ts';

/** How many snapshots of each kind stay; what no rule keeps is forgotten. */
export interface Retention {
  last?: number | undefined;
  hourly?: number | undefined;
  daily?: number | undefined;
  weekly?: number | undefined;
  monthly?: number | undefined;
  yearly?: number | undefined;
  /**
   * All that are at most so much older than the newest, in milliseconds. Not than now: a machine whose clock is years
   * ahead would forget nearly everything. A newest that is of the future, by such a clock, does not count as that either.
   */
  withinMs?: number | undefined;
}

export interface RetentionDecision<T> {
  root: T;
  /** Why it stays; nothing when it is to be forgotten. */
  reasons: string[];
}

/** A snapshot with one of these tags stays until it is taken off. */
export const KEEP_TAG = 'keep';

type Kept = Pick<SnapshotRoot, 'id' | 'createdAt' | 'plan' | 'source'>;

/**
 * Says which snapshots stay. Rules count for each plan and cluster by themselves: the newest snapshot of every hour, day,
 * week (ISO 8601) and so on, in UTC, for as many of them as there are snapshots in. The newest of each plan and cluster
 * always stays, whatever the rules say, and so does the newest that is not of the future.
 */
export function decideRetention<T extends Kept>(
  roots: readonly T[],
  retention: Retention,
  options: {now: Date; tagsOf?: (root: T) => readonly string[]},
): RetentionDecision<T>[] {
  const groups = Map.groupBy(roots, root => `${root.plan?.name ?? ''} ${root.source.uid}`);
  const decisions = [...groups.values()].flatMap(group => decideGroup(group, retention, options));
  return decisions.sort((a, b) => b.root.id.localeCompare(a.root.id));
}

function decideGroup<T extends Kept>(
  roots: readonly T[],
  retention: Retention,
  {now, tagsOf}: {now: Date; tagsOf?: (root: T) => readonly string[]},
): RetentionDecision<T>[] {
  const newest = [...roots].sort((a, b) => b.id.localeCompare(a.id));
  const isPast = (root: T) => Date.parse(root.createdAt) <= now.getTime();
  const last = newest.find(isPast);
  const until = last ? Date.parse(last.createdAt) : now.getTime();
  const reasons = new Map<T, string[]>(newest.map(root => [root, []]));
  const keep = (root: T, reason: string) => reasons.get(root)?.push(reason);
  for (const [i, root] of newest.entries()) {
    if (i === 0 || root === last) keep(root, 'newest');
    if (i < (retention.last ?? 0)) keep(root, 'last');
    if (tagsOf?.(root).includes(KEEP_TAG)) keep(root, `tag ${KEEP_TAG}`);
    const age = until - Date.parse(root.createdAt);
    if (retention.withinMs !== undefined && age <= retention.withinMs) keep(root, 'within');
  }
  for (const [name, period] of PERIODS) {
    const seen = new Set<string>();
    for (const root of newest) {
      const key = period(new Date(root.createdAt));
      if (seen.has(key) || seen.size >= (retention[name] ?? 0)) continue;
      seen.add(key);
      keep(root, name);
    }
  }
  return newest.map(root => ({root, reasons: reasons.get(root) ?? []}));
}

const PERIODS = [
  ['hourly', (time: Date) => time.toISOString().slice(0, 13)],
  ['daily', (time: Date) => time.toISOString().slice(0, 10)],
  ['weekly', weekOf],
  ['monthly', (time: Date) => time.toISOString().slice(0, 7)],
  ['yearly', (time: Date) => time.toISOString().slice(0, 4)],
] as const;

const DAY_MS = 86_400_000;

/** Week of ISO 8601, by its Thursday, which lies in the year that the week belongs to. */
function weekOf(time: Date): string {
  const midnight = Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate());
  const weekday = (time.getUTCDay() + 6) % 7;
  return new Date(midnight + (3 - weekday) * DAY_MS).toISOString().slice(0, 10);
}
