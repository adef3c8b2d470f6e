import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import {checkRepository} from '../../src/repository/check.ts';
import {forgetSnapshot} from '../../src/repository/forget.ts';
import {MemoryStore} from '../../src/repository/memory.ts';
import {ObjectSetWriter} from '../../src/repository/object-set-writer.ts';
import {pruneRepository} from '../../src/repository/prune.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {rootKey, type SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import type {Store} from '../../src/repository/store.ts';
import {bothStores, keysIn} from './both-stores.ts';
import {configMap, configMaps, loadSnapshot, saveSnapshot} from './snapshots.ts';

const {signal} = new AbortController();
const place = fc.record({namespace: fc.integer({min: 0, max: 5}), name: fc.integer({min: 0, max: 2})});
const change = fc.record({place, text: fc.option(fc.string({maxLength: 30}))});

/** What may happen to a repository, in any order. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({do: fc.constant('save' as const), changes: fc.array(change, {maxLength: 6})}),
  },
  {
    weight: 1,
    arbitrary: fc.record({do: fc.constant('begin' as const), changes: fc.array(change, {maxLength: 6})}),
  },
  {
    weight: 1,
    arbitrary: fc.record({do: fc.constant('full' as const), changes: fc.array(change, {maxLength: 6})}),
  },
  {weight: 2, arbitrary: fc.record({do: fc.constant('forget' as const), which: fc.nat()})},
  {weight: 1, arbitrary: fc.record({do: fc.constant('prune' as const)})},
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const STABLE = 150;

/** Does the steps, and after each compares every snapshot with what was in it. */
class Chain {
  private readonly repository: Repository;
  /** Most never change, so that what changes is written as changes, and not all anew. */
  private readonly state = new Map<string, KubeObject>(
    Array.from({length: STABLE}, (_, i) => {
      const name = `s-${String(i).padStart(3, '0')}`;
      return [`stable/${name}`, configMap('stable', name, {i})];
    }),
  );
  private saved: {root: SnapshotRoot; objects: KubeObject[]}[] = [];
  private runs = 0;

  constructor(repository: Repository) {
    this.repository = repository;
  }

  async take(step: Step): Promise<void> {
    if ('changes' in step) this.change(step.changes);
    const parent = this.saved.at(-1)?.root;
    if (step.do === 'save') await this.save(parent);
    else if (step.do === 'full') await this.save(undefined);
    else if (step.do === 'begin') {
      // Written by a run that is then killed.
      const writer = new ObjectSetWriter(this.repository, {parent, run: `run-${this.runs++}`});
      await writer.open();
      for (const object of this.objects()) await writer.addObject(configMaps, object);
      await writer.finish();
    } else if (step.do === 'forget' && this.saved.length > 0) {
      const [gone] = this.saved.splice(step.which % this.saved.length, 1);
      if (gone) await forgetSnapshot(this.repository, gone.root.id);
    } else if (step.do === 'prune') {
      await pruneRepository(this.repository, {waitMs: 0, signal});
      expect((await checkRepository(this.repository, {readData: false})).unneeded.files).toBe(0);
    }
  }

  async expectWhole(): Promise<void> {
    for (const {root, objects} of this.saved) {
      expect(await this.repository.store.has(rootKey(root.id))).toBe(true);
      expect(await loadSnapshot(this.repository, root)).toEqual(objects);
      expect(root.counts.objects).toBe(objects.length);
    }
    const {findings, snapshots} = await checkRepository(this.repository, {readData: true});
    expect(findings).toEqual([]);
    expect(snapshots).toBe(this.saved.length);
  }

  private change(changes: readonly {place: {namespace: number; name: number}; text: string | null}[]): void {
    for (const {place, text} of changes) {
      const [namespace, name] = [`ns-${place.namespace}`, `m-${String(place.name).padStart(2, '0')}`];
      if (text === null) this.state.delete(`${namespace}/${name}`);
      else this.state.set(`${namespace}/${name}`, configMap(namespace, name, {text}));
    }
  }

  private objects(): KubeObject[] {
    return [...this.state.keys()].sort().flatMap(key => this.state.get(key) ?? []);
  }

  private async save(parent: SnapshotRoot | undefined): Promise<void> {
    const objects = this.objects();
    this.saved.push({objects, root: await saveSnapshot(this.repository, objects, parent)});
  }
}

async function survive(
  store: Store,
  steps: readonly Step[],
  looks: 'each time' | 'at the end',
): Promise<void> {
  const chain = new Chain(await initRepository(store, {passphrase: 'p'}));
  for (const one of steps) {
    await chain.take(one);
    if (looks === 'each time') await chain.expectWhole();
  }
  await chain.expectWhole();
  expect((await keysIn(store, 'locks/')).length).toBe(0);
}

const steps = fc.array(step, {minLength: 5, maxLength: 30});

it('snapshots that go on from each other come back whole, whatever is forgotten and pruned between', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(steps, all => survive(new MemoryStore(), all, 'each time')),
    {numRuns: 40},
  );
});

describe.each(bothStores())('so they do in %s', (_name, make) => {
  it('from a first to a fifth', {timeout: 60_000}, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async all => survive((await make()).store, all, 'at the end')),
      {numRuns: 5},
    );
  });
});

it('what was deleted with all of its kind does not come back with the next of it', async () => {
  const repository = await initRepository(new MemoryStore(), {passphrase: 'p'});
  const stable = Array.from({length: 100}, (_, i) => configMap('b', `m-${String(i).padStart(3, '0')}`, {i}));
  const first = await saveSnapshot(repository, [
    configMap('a', 'old-1', {}),
    configMap('a', 'old-2', {}),
    ...stable,
  ]);
  const second = await saveSnapshot(repository, stable, first);
  const third = await saveSnapshot(repository, [configMap('a', 'new', {}), ...stable], second);
  const fourth = await saveSnapshot(repository, [configMap('a', 'new', {}), ...stable], third);
  expect(await loadSnapshot(repository, second)).toEqual(stable);
  for (const root of [third, fourth])
    expect(await loadSnapshot(repository, root, {namespaces: ['a']})).toEqual([configMap('a', 'new', {})]);
  expect((await checkRepository(repository, {readData: true})).findings).toEqual([]);
});
