import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {z} from 'zod';
import {sleep} from '../../src/std/wait.ts';
import {startPra} from '../bed/cli.ts';
import {leftOfDrill, makeShopBed, type ShopBed} from './shop.ts';

let shop: ShopBed;

vi.setConfig({testTimeout: 900_000});

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

test('a snapshot that is interrupted thaws what its hooks froze, and the next one can be taken', async () => {
  const psql = (statement: string) => ['psql', '-h', '/tmp', '-U', 'postgres', '-d', 'shop', '-c', statement];
  // Creating the table a second time fails: so does the second snapshot when the first did not thaw.
  const hook = {
    name: 'freeze',
    select: {app: 'db'},
    pre: psql('create table frozen ()'),
    post: psql('drop table frozen'),
  };
  const planWith = (dump: string) =>
    shop.plan(document => {
      document.setIn(['spec', 'source', 'hooks'], [hook]);
      document.setIn(['spec', 'source', 'volumes', 0, 'dump', 'command'], ['sh', '-c', dump]);
    });
  const first = startPra(['snapshot', 'create', await planWith('sleep 60')], shop.env);
  await untilLine(first, 'saving its data');
  first.kill('SIGINT');
  const interrupted = await first;
  expect(interrupted.exitCode, interrupted.stderr).toBe(130);
  expect(interrupted.stderr).toContain('hook freeze: post in shop-db/db-0 is done');
  expect(interrupted.stderr).not.toContain('frozen; thaw it by hand');

  const needsFrozen = 'psql -h /tmp -U postgres -d shop -tc "select * from frozen"';
  const taken = await shop.pra('snapshot', 'create', await planWith(needsFrozen), '--json');
  expect(taken.exitCode, taken.stderr).toBe(0);
  const ran = {name: 'freeze', namespace: 'shop-db', pod: 'db-0', container: 'db', ok: true, exitCode: 0};
  const {id, hooks} = JSON.parse(taken.stdout);
  expect(hooks).toMatchObject([
    {...ran, phase: 'pre'},
    {...ran, phase: 'post'},
  ]);
  const shown = await shop.pra('snapshot', 'show', id, '--repository', `file://${shop.dir}/repository`);
  expect(shown.stdout).toMatch(/^hook {7}freeze: pre in shop-db\/db-0 done, /m);
});

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
