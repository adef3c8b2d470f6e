/**
 * Runs work with at most so many at once in all, and so many on each node: several nodes read their disks side by side, and
 * none is overrun. What has no node yet counts only in all.
 */
export class NodePool {
  readonly #parallel: number;
  readonly #perNode: number;
  readonly #busy = new Map<string, number>();
  readonly #waiting: {node: string | undefined; start: () => void}[] = [];
  #running = 0;

  constructor({parallel, perNode}: {parallel: number; perNode: number}) {
    this.#parallel = parallel;
    this.#perNode = perNode;
  }

  async run<T>(node: string | undefined, work: () => Promise<T>): Promise<T> {
    await new Promise<void>(resolve => {
      this.#waiting.push({node, start: resolve});
      this.#next();
    });
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (node !== undefined) this.#busy.set(node, (this.#busy.get(node) ?? 1) - 1);
      this.#next();
    }
  }

  #next(): void {
    for (let i = 0; i < this.#waiting.length && this.#running < this.#parallel; ) {
      const entry = this.#waiting[i];
      const busy = entry?.node === undefined ? 0 : (this.#busy.get(entry.node) ?? 0);
      if (!entry || busy >= this.#perNode) {
        i += 1;
        continue;
      }
      this.#waiting.splice(i, 1);
      this.#running += 1;
      if (entry.node !== undefined) this.#busy.set(entry.node, busy + 1);
      entry.start();
    }
  }
}
