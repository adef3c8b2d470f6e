import {describe, expect, test} from 'vitest';
import {MemoryStore} from '../../src/repository/memory.ts';
import type {Store} from '../../src/repository/store.ts';
import {sleep} from '../../src/std/wait.ts';
import {initOnce} from '../../src/volume/init-once.ts';
import {CONFIG} from '../../src/volume/stall.ts';
import {errorOf} from '../bed/error-of.ts';

const {signal} = new AbortController();

/** Makes a repository as restic does: it looks, takes its time, and writes whatever has come meanwhile. */
function initOf(store: Store) {
  const made: number[] = [];
  const init = async () => {
    await sleep(50, signal);
    made.push(performance.now());
    await store.put(CONFIG, Buffer.from(`${made.length}`));
  };
  return {made, init};
}

describe('the repository of the volumes', () => {
  test('is made once, however many want to make it', async () => {
    const store = new MemoryStore();
    const {made, init} = initOf(store);
    await Promise.all(Array.from({length: 5}, () => initOnce({store, init, signal})));
    expect(made).toHaveLength(1);
    expect(await store.has('volumes/init')).toBe(false);
  });

  test('may be made by the next one when that failed', async () => {
    const store = new MemoryStore();
    const failing = () => Promise.reject(new Error('denied'));
    await expect(initOnce({store, init: failing, signal})).rejects.toThrow('denied');
    const {made, init} = initOf(store);
    await initOnce({store, init, signal});
    expect(made).toHaveLength(1);
  });

  test('that somebody has begun and not ended is an error that says what to do', async () => {
    const store = new MemoryStore();
    await store.put('volumes/init', Buffer.from('{}'));
    const {made, init} = initOf(store);
    const error = await errorOf(initOnce({store, init, signal, patienceMs: 10}));
    expect(error).toMatchObject({
      code: 'RESTIC_FAILED',
      next: [expect.stringContaining('delete volumes/init')],
    });
    expect(made).toEqual([]);
  });
});
