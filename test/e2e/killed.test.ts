import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {z} from 'zod';
import {sleep} from '../../src/std/wait.ts';
import {leftOfDrill, makeShopBed, type ShopBed} from './shop.ts';

let shop: ShopBed;

vi.setConfig({testTimeout: 300_000});

beforeAll(async () => {
  shop = await makeShopBed('killed');
});

afterAll(async () => {
  await shop?.stop();
});

const drillList = z.object({
  items: z.array(z.object({id: z.string(), state: z.string(), dirty: z.boolean()})),
});

const drills = async () =>
  drillList.parse(JSON.parse((await shop.pra('drill', 'list', '--json')).stdout)).items;

type Drill = ReturnType<ShopBed['start']>;

/** Until the progress of a drill has this line. @throws when the drill ends before */
async function untilLine(drill: Drill, line: string): Promise<void> {
  let seen = '';
  const shown = new Promise<void>(resolve => {
    drill.stderr.on('data', chunk => {
      seen += chunk;
      if (seen.includes(line)) resolve();
    });
  });
  const ended = drill.then(() => {
    if (!seen.includes(line)) throw new Error(`the drill ended before "${line}": ${seen}`);
  });
  await Promise.race([shown, ended]);
}

/** Runs a drill until a line of its progress, and ends it there. @returns its id and how it ended */
async function stopAt(line: string, signal: NodeJS.Signals, afterMs = 0) {
  const drill = shop.start(await shop.plan());
  await untilLine(drill, line);
  await sleep(afterMs);
  drill.kill(signal);
  const ended = await drill;
  const id = /drill (\S+) of plan/.exec(ended.stderr)?.[1] ?? '';
  return {id, ended};
}

describe('a drill that is killed', () => {
  test.each([
    ['▶ snapshot: take a recovery point', 1000],
    ['▶ target: terraform apply', 2000],
    ['▶ restore: objects', 500],
    ['▶ group data: restore data', 100],
    ['▶ group app: start and wait', 300],
    ['▶ probe: orders', 100],
    ['▶ cleanup: terraform destroy', 300],
  ])('at "%s" is listed as interrupted, and clean removes what it left', async (line, afterMs) => {
    const {id} = await stopAt(line, 'SIGKILL', afterMs);
    const [listed] = (await drills()).filter(drill => drill.id === id);
    expect(listed).toMatchObject({state: 'interrupted'});
    const cleaned = await shop.pra('drill', 'clean');
    expect(cleaned.exitCode, cleaned.stderr).toBe(0);
    expect(await leftOfDrill(id)).toEqual([]);
    expect((await drills()).find(drill => drill.id === id)).toMatchObject({
      state: 'interrupted',
      dirty: false,
    });
    expect((await shop.pra('drill', 'clean')).stdout.trim()).toBe('nothing is left behind');
  });

  test('does not keep the next one from running', async () => {
    await stopAt('▶ restore: objects', 'SIGKILL');
    const run = await shop.drill(await shop.plan());
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'passed'});
    expect((await shop.pra('drill', 'clean')).exitCode).toBe(0);
  });
});

test('a drill that is asked to stop cleans up by itself, says so in its record, and keeps its exit code', async () => {
  const {id, ended} = await stopAt('▶ group data: start', 'SIGTERM');
  expect(ended.exitCode, ended.stderr).toBe(143);
  expect(await leftOfDrill(id)).toEqual([]);
  const record = JSON.parse((await shop.pra('drill', 'show', id, '--json')).stdout);
  expect(record.verdict.result).toBe('aborted');
  expect(record.cleanup).toMatchObject({destroyed: true, leftovers: []});
});

test('two drills of one plan do not run at once', async () => {
  const first = shop.start(await shop.plan());
  await untilLine(first, '▶ target: terraform apply');
  const second = await shop.pra('drill', 'run', await shop.plan());
  expect(second.exitCode).toBe(11);
  expect(second.stderr).toContain('is running since');
  first.kill('SIGINT');
  expect((await first).exitCode).toBe(130);
});
