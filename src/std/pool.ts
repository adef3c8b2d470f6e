/**
 * Works through items with at most `concurrency` at once; the results are in the order of the items. The first error
 * ends it: no further item is begun, those under way are waited for, and the error is thrown.
 */
export async function mapPool<T, R>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  let broken = false;
  const worker = async () => {
    for (const [index, item] of entries) {
      if (broken) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        broken = true;
        throw error;
      }
    }
  };
  const workers = Array.from({length: Math.min(concurrency, items.length)}, worker);
  const ended = await Promise.allSettled(workers);
  for (const result of ended) if (result.status === 'rejected') throw result.reason;
  return results;
}
