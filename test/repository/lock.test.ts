import {utimes} from 'node:fs/promises';
import {afterEach, describe, expect, it, vi} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {LOCK_TTL_MS, Lock, listLocks, removeLocks} from '../../src/repository/lock.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {errorOf} from '../bed/error-of.ts';
import {bothStores, keysIn, type Place} from './both-stores.ts';

const MINUTE = 60_000;

afterEach(() => vi.useRealTimers());

describe.each(bothStores())('a lock in %s', (_name, make) => {
  async function repositoryAt(): Promise<{repository: Repository; place: Place}> {
    const place = await make();
    return {place, repository: await initRepository(place.store, {passphrase: 'p'})};
  }
  /** What a run that was killed leaves: a lock that nobody refreshes or removes. */
  async function abandon({repository, place}: {repository: Repository; place: Place}, ageMs: number) {
    const before = await keysIn(place.store, 'locks/');
    await Lock.take(repository, 'prune', {run: 'killed'});
    const [key = ''] = (await keysIn(place.store, 'locks/')).filter(own => !before.includes(own));
    const then = new Date(Date.now() - ageMs);
    await utimes(place.file(key), then, then);
  }

  it('is held by many writers, and by one that prunes', async () => {
    const {repository} = await repositoryAt();
    const [a, b] = [
      await Lock.take(repository, 'append', {run: 'a'}),
      await Lock.take(repository, 'append', {run: 'b'}),
    ];
    const pruner = await Lock.take(repository, 'prune', {run: 'prune'});
    const refused = await errorOf(Lock.take(repository, 'prune', {run: 'other'}), {limitMs: 20_000});
    expect(refused).toMatchObject({
      code: 'REPOSITORY_LOCKED',
      why: expect.stringContaining(`${process.pid}`),
    });
    expect((await listLocks(repository)).map(({owner}) => owner?.run).sort()).toEqual(['a', 'b', 'prune']);
    for (const lock of [a, b, pruner]) await lock.release();
    expect(await listLocks(repository)).toEqual([]);
    await (await Lock.take(repository, 'prune', {run: 'again'})).release();
  });

  it('is held by at most one of many that want to prune at once', async () => {
    const {repository} = await repositoryAt();
    const taken = await Promise.allSettled([1, 2, 3].map(i => Lock.take(repository, 'prune', {run: `${i}`})));
    const held = taken.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    expect(held.length).toBeLessThanOrEqual(1);
    for (const result of taken)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({code: 'REPOSITORY_LOCKED'});
    for (const lock of held) await lock.release();
    expect(await listLocks(repository)).toEqual([]);
  });

  it('of a killed run holds up nobody once it is stale, by the clock of the store', async () => {
    const bed = await repositoryAt();
    await abandon(bed, LOCK_TTL_MS + MINUTE);
    const pruner = await Lock.take(bed.repository, 'prune', {run: 'prune'});
    await pruner.release();
    await abandon(bed, LOCK_TTL_MS - MINUTE);
    expect((await errorOf(Lock.take(bed.repository, 'prune', {run: 'x'}), {limitMs: 20_000})).code).toBe(
      'REPOSITORY_LOCKED',
    );
  });

  it.each([
    ['a year ahead', 365 * 24 * 60 * MINUTE],
    ['a year behind', -365 * 24 * 60 * MINUTE],
  ])('is neither stale nor fresh because the clock of a machine is %s', async (_what, offMs) => {
    const bed = await repositoryAt();
    const alive = await Lock.take(bed.repository, 'append', {run: 'alive'});
    await abandon(bed, LOCK_TTL_MS + MINUTE);
    vi.useFakeTimers({toFake: ['Date'], now: Date.now() + offMs});
    const own = await Lock.take(bed.repository, 'append', {run: 'own'});
    const locks = await listLocks(bed.repository);
    expect(locks.map(({owner, stale}) => [owner?.run, stale]).sort()).toEqual([
      ['alive', false],
      ['killed', true],
      ['own', false],
    ]);
    for (const lock of [alive, own]) await lock.release();
  });

  it('is no longer good for who was held up for too long', async () => {
    const {repository} = await repositoryAt();
    const lock = await Lock.take(repository, 'append', {run: 'sleeps'});
    await lock.confirm();
    vi.useFakeTimers({toFake: ['Date'], now: Date.now() + LOCK_TTL_MS + MINUTE});
    expect((await errorOf(lock.confirm())).code).toBe('REPOSITORY_LOCK_LOST');
    vi.useRealTimers();
    await lock.release();
  });

  it('is not good again when it is refreshed after it was not', async () => {
    const {repository} = await repositoryAt();
    vi.useFakeTimers({toFake: ['Date', 'setInterval', 'clearInterval']});
    const lock = await Lock.take(repository, 'append', {run: 'sleeps'});
    // The machine sleeps, and its timer goes off as soon as it wakes.
    vi.setSystemTime(Date.now() + LOCK_TTL_MS + MINUTE);
    vi.advanceTimersToNextTimer();
    expect((await errorOf(lock.confirm())).code).toBe('REPOSITORY_LOCK_LOST');
    vi.useRealTimers();
    await lock.release();
    expect(await listLocks(repository)).toEqual([]);
  });

  it('is refreshed in time, also after a refresh whose answer was lost', async () => {
    const {repository, place} = await repositoryAt();
    vi.useFakeTimers({toFake: ['Date', 'setInterval', 'clearInterval']});
    const lock = await Lock.take(repository, 'append', {run: 'long'});
    const put = vi.spyOn(place.store, 'put');
    const {put: real} = Object.getPrototypeOf(place.store);
    put.mockImplementationOnce(async (...args) => {
      await real.apply(place.store, args);
      throw new PraError('STORE_UNREACHABLE', 'the answer was lost');
    });
    for (let i = 0; i < 10; i += 1) {
      vi.advanceTimersToNextTimer();
      await lock.confirm();
    }
    expect(put.mock.calls.length).toBeGreaterThanOrEqual(10);
    expect(await listLocks(repository)).toHaveLength(1);
    await lock.release();
    expect(await keysIn(place.store, 'locks/')).toEqual([]);
  });

  it('that somebody removed is noticed before anything counts', async () => {
    const {repository} = await repositoryAt();
    const lock = await Lock.take(repository, 'append', {run: 'sleeps'});
    await removeLocks(repository, {all: true});
    expect((await errorOf(lock.confirm())).code).toBe('REPOSITORY_LOCK_LOST');
    vi.useRealTimers();
    await lock.release();
  });

  it('that is stale is removed by unlock, and one that is not only on demand', async () => {
    const bed = await repositoryAt();
    const alive = await Lock.take(bed.repository, 'append', {run: 'alive'});
    await abandon(bed, LOCK_TTL_MS + MINUTE);
    const removed = await removeLocks(bed.repository, {all: false});
    expect(removed.map(({owner}) => owner?.run)).toEqual(['killed']);
    expect((await listLocks(bed.repository)).map(({owner}) => owner?.run)).toEqual(['alive']);
    expect(await removeLocks(bed.repository, {all: true})).toHaveLength(1);
    expect(await keysIn(bed.place.store, 'locks/')).toEqual([]);
    await alive.release();
  });

  it('that cannot be read counts as a writer, and can be removed', async () => {
    const {repository, place} = await repositoryAt();
    await place.store.put('locks/nonsense.json', Buffer.from('{]'));
    expect(await listLocks(repository)).toMatchObject([{id: 'nonsense', kind: 'append', stale: false}]);
    await (await Lock.take(repository, 'prune', {run: 'prune'})).release();
    expect(await removeLocks(repository, {all: true})).toHaveLength(1);
    expect(await listLocks(repository)).toEqual([]);
  });
});
