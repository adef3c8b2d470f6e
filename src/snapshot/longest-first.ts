/** A list that is read page by page, each after the one before. */
interface LongList {
  /** About how much is left of it. */
  readonly remaining: number;
  finish(): Promise<void>;
}

/**
 * Finishes lists, the longest first, and no more at once than helps: pages of one list come after each other, so that all
 * take at least as long as the longest, and lists that are read beside it without need make it slower. An error ends it when
 * those under way have ended.
 */
export async function finishLongestFirst(lists: readonly LongList[], most: number): Promise<void> {
  const waiting = [...lists].sort((a, b) => b.remaining - a.remaining);
  const active = new Map<LongList, Promise<void>>();
  let failure: {error: unknown} | undefined;
  const start = (list: LongList) => {
    const work = list.finish().then(
      () => void active.delete(list),
      (error: unknown) => {
        failure ??= {error};
        active.delete(list);
      },
    );
    active.set(list, work);
  };
  while (waiting.length + active.size > 0) {
    while (!failure && waiting.length > 0 && active.size < atOnce([...active.keys(), ...waiting], most)) {
      const list = waiting.shift();
      if (list) start(list);
    }
    if (active.size === 0) break;
    await Promise.race(active.values());
  }
  if (failure) throw failure.error;
}

/** As many as end together with the longest. */
function atOnce(lists: readonly LongList[], most: number): number {
  const sizes = lists.map(list => list.remaining);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return Math.max(1, Math.min(most, Math.round(total / Math.max(1, ...sizes))));
}
