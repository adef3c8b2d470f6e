import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, it, vi} from 'vitest';
import {checkRepository} from '../../src/repository/check.ts';
import {listLocks} from '../../src/repository/lock.ts';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {listRoots} from '../../src/repository/snapshot-root.ts';
import {killChild, pauseChild} from '../bed/child.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {seeded} from '../bench/mixed-objects.ts';
import {PASSPHRASE, stateOf} from './churn-state.ts';
import {loadSnapshot} from './snapshots.ts';

const KILLS = 25;
const seed = Number(process.env.PRA_KILLS_SEED ?? Date.now() % 100_000);
const script = join(import.meta.dirname, 'churn.ts');

let dir: string;
let s3: TestS3;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-kills-'));
  s3 = await startVersitygw();
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3.stop();
  await rm(dir, {recursive: true});
});

interface Churn {
  what: 'write' | 'prune';
  seed: string;
  child?: ChildProcess;
}

async function start(churn: Churn, url: string, options: OpenStoreOptions): Promise<void> {
  const args = [script, churn.what, url, JSON.stringify(options), churn.seed];
  const child = spawn(process.execPath, args, {stdio: ['ignore', 'pipe', 'inherit'], env: process.env});
  churn.child = child;
  await once(child.stdout, 'data');
}

/** Everything that is listed is whole and is what its writer wrote. */
async function expectWhole(repository: Repository, when: string): Promise<number> {
  const {findings} = await checkRepository(repository, {readData: true});
  expect(findings, when).toEqual([]);
  const roots = await listRoots(repository);
  for (const root of roots) {
    const [writer = '', step = ''] = root.plan?.name.split('-') ?? [];
    const text = (objects: object[]) => objects.map(object => JSON.stringify(object)).sort();
    expect(text(await loadSnapshot(repository, root)), when).toEqual(text(stateOf(writer, Number(step))));
  }
  return roots.length;
}

async function survive(url: string, options: OpenStoreOptions): Promise<void> {
  const random = seeded(seed);
  const repository = await initRepository(await openStore(url, options), {passphrase: PASSPHRASE});
  const churns: Churn[] = [
    {what: 'write', seed: 'a'},
    {what: 'write', seed: 'b'},
    {what: 'prune', seed: 'p'},
  ];
  let seen = 0;
  try {
    await Promise.all(churns.map(churn => start(churn, url, options)));
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await new Promise(resolve => setTimeout(resolve, 20 + random() * 400));
      const victim = churns[Math.floor(random() * churns.length)];
      if (!victim?.child) throw new Error('there is nobody to kill');
      const when = `kill ${kill} (${victim.what} ${victim.seed}), PRA_KILLS_SEED=${seed}`;
      const others = churns.filter(churn => churn !== victim);
      const {pid} = victim.child;
      await killChild(victim.child);
      // The others hold still while it is looked at, wherever they are.
      for (const other of others) {
        expect(other.child?.exitCode, when).toBeNull();
        await pauseChild(other.child);
      }
      seen = Math.max(seen, await expectWhole(repository, when));
      // Its lock would hold up pruning for half an hour; whoever knows that it is dead removes it.
      for (const lock of await listLocks(repository))
        if (lock.owner?.pid === pid) for (const key of lock.keys) await repository.store.delete(key);
      for (const other of others) other.child?.kill('SIGCONT');
      await start(victim, url, options);
    }
  } finally {
    for (const {child} of churns) {
      child?.kill('SIGCONT');
      if (child) await killChild(child);
    }
  }
  expect(seen).toBeGreaterThan(3);
}

it('two writers and one who prunes may be killed at any moment: in a folder', {timeout: 900_000}, () =>
  survive(`file://${dir}/repository`, {}),
);

it('and in a bucket', {timeout: 900_000}, () =>
  survive(`s3://${s3.bucket}/kills`, {endpoint: s3.endpoint, region: s3.region, profile: s3.profiles.right}),
);
