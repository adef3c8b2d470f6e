import fc from 'fast-check';
import {expect, test} from 'vitest';
import {NodePool} from '../../src/volume/node-pool.ts';

test('never more than so many at once, nor on one node, and each runs once', async () => {
  const limit = fc.integer({min: 1, max: 4});
  const node = fc.constantFrom('a', 'b', 'c', undefined);
  await fc.assert(
    fc.asyncProperty(
      limit,
      limit,
      fc.array(node, {maxLength: 20}),
      fc.scheduler(),
      async (parallel, perNode, nodes, s) => {
        const pool = new NodePool({parallel, perNode});
        const running: (string | undefined)[] = [];
        const ended: number[] = [];
        const all = Promise.all(
          nodes.map((on, index) =>
            pool.run(on, async () => {
              running.push(on);
              expect(running.length).toBeLessThanOrEqual(parallel);
              if (on !== undefined)
                expect(running.filter(other => other === on).length).toBeLessThanOrEqual(perNode);
              await s.schedule(Promise.resolve());
              running.splice(running.indexOf(on), 1);
              ended.push(index);
            }),
          ),
        );
        await s.waitFor(all);
        expect(ended.toSorted((a, b) => a - b)).toEqual(nodes.map((_, index) => index));
      },
    ),
  );
});

test('a busy node holds nobody up on another, and a failure frees its place', async () => {
  const pool = new NodePool({parallel: 2, perNode: 1});
  const first = Promise.withResolvers<void>();
  const order: string[] = [];
  const failing = pool.run('a', () => first.promise);
  const second = pool.run('a', async () => void order.push('second on a'));
  await pool.run('b', async () => void order.push('b'));
  expect(order).toEqual(['b']);
  first.reject(new Error('broken'));
  await expect(failing).rejects.toThrow('broken');
  await second;
  expect(order).toEqual(['b', 'second on a']);
});
