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

/**
 * Works on items as they come, on at most `ahead` at once; the results are in the order of the items. The first error ends
 * it.
 */
export async function* mapAhead<T, R>(
  items: AsyncIterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    result.catch(() => undefined); // rejects again when its turn comes
    running.push(result);
    if (running.length < ahead) continue;
    const first = running.shift();
    if (first) yield await first;
  }
  for (const result of running) yield await result;
}
