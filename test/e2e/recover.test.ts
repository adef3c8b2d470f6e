import {existsSync} from 'node:fs';
import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test, vi} from 'vitest';
import type {Document} from 'yaml';
import {z} from 'zod';
import {connectCluster} from '../../src/cluster/client.ts';
import type {DrillRecord} from '../../src/evidence/record.ts';
import {waitFor} from '../../src/std/wait.ts';
import {leftOfDrill, makeShopBed, type ShopBed} from './shop.ts';

let shop: ShopBed;
let plan: string;

vi.setConfig({testTimeout: 900_000});

/** A person switches DNS when the shop is up; a drill leaves that out. */
const withManualStep = (document: Document) =>
  document.setIn(
    ['spec', 'groups', 1, 'steps'],
    [
      {
        name: 'switch-dns',
        manual: {text: 'Point shop.example.org at the new cluster', approvers: ['duty-manager', 'cto']},
        modes: ['recover'],
      },
    ],
  );

beforeAll(async () => {
  shop = await makeShopBed('recover');
  plan = await shop.plan(withManualStep);
  const taken = await shop.pra('snapshot', 'create', plan, '--json');
  expect(taken.exitCode, taken.stderr).toBe(0);
});

afterAll(async () => {
  await shop?.stop();
});

const images = () => [
  '--var',
  `images=${JSON.stringify([shop.source.images.postgres, shop.source.images.web])}`,
];

const approvals = z.object({items: z.array(z.object({run: z.string(), name: z.string()}))});

async function untilAsked() {
  return waitFor(
    async () => {
      const {stdout} = await shop.pra('approve', '--json');
      return approvals.parse(JSON.parse(stdout)).items[0];
    },
    {waitingFor: 'a manual step', timeoutMs: 300_000},
  );
}

const recordOf = (stdout: string): DrillRecord => JSON.parse(stdout);
const resultsOf = (record: DrillRecord) =>
  Object.fromEntries(record.verification.probes.map(({name, verdict}) => [name, verdict]));

test('a recovery is not begun unless it is confirmed, never takes a fresh snapshot, and says what it would do', async () => {
  const unconfirmed = await shop.pra('recover', plan, ...images());
  expect(unconfirmed.exitCode).toBe(2);
  expect(unconfirmed.stderr).toContain('REAL RECOVERY of plan quickstart');
  expect(unconfirmed.stderr).toContain('--confirm quickstart');
  const wrong = await shop.pra('recover', plan, ...images(), '--confirm', 'quickstarr');
  expect(wrong.exitCode).toBe(2);
  const fresh = await shop.pra('recover', plan, '--snapshot', 'fresh', '--confirm', 'quickstart');
  expect(fresh.exitCode).toBe(2);
  expect(fresh.stderr).toContain('takes no fresh snapshot');
  const future = await shop.pra('recover', plan, '--declared-at', '2099-01-01T00:00:00Z');
  expect(future.exitCode).toBe(2);
  const dry = await shop.pra('recover', plan, '--dry-run');
  expect(dry.exitCode, dry.stderr).toBe(0);
  expect(dry.stdout).toContain('have duty-manager or cto do switch-dns');
  expect(dry.stdout).toContain('The target stays');
  expect(dry.stdout).not.toContain('no-mail');
  const drill = await shop.pra('drill', 'run', plan, '--dry-run');
  expect(drill.stdout).not.toContain('switch-dns');
  expect((await shop.pra('drill', 'list')).stdout).toContain('no drills yet');
});

test('recovers into a new cluster that stays, waits for its approver, and is not cleaned by accident', async () => {
  const recovery = shop.recover(
    plan,
    ...images(),
    '--confirm',
    'quickstart',
    '--declared-at',
    '20m',
    '--reason',
    'the region is gone',
  );
  const asked = await untilAsked();
  expect(asked.name).toBe('switch-dns');
  const stranger = await shop.pra('approve', asked.run, '--as', 'intern');
  expect(stranger.exitCode).toBe(2);
  expect(stranger.stderr).toContain('the plan names duty-manager, cto');
  const nobody = await shop.pra('approve', asked.run);
  expect(nobody.exitCode).toBe(2);
  const other = await shop.pra('approve', asked.run, 'switch-mail', '--as', 'cto');
  expect(other.exitCode).toBe(2);
  const approved = await shop.pra('approve', asked.run, '--as', 'cto', '--note', 'CNAME changed');
  expect(approved.exitCode, approved.stderr).toBe(0);
  const again = await shop.pra('approve', asked.run, '--as', 'duty-manager', '--reject');
  expect(again.exitCode).toBe(2);
  const {exitCode, stdout, stderr} = await recovery;
  const record = recordOf(stdout);
  expect(record.verdict, stderr).toMatchObject({result: 'passed'});
  // The disaster was declared 20 minutes ago, and the plan's RTO is 5.
  expect(record.verdict.objectiveMissed).toBe(true);
  expect(exitCode).toBe(4);
  expect(record.objectives.rto.actualMs).toBeGreaterThan(20 * 60_000);
  expect(record.identity).toMatchObject({mode: 'recover', reason: 'the region is gone'});
  expect(record.cleanup).toBeUndefined();
  expect(resultsOf(record)).not.toHaveProperty('no-mail');
  expect(new Set(Object.values(resultsOf(record)))).toEqual(new Set(['passed']));
  const step = record.timeline.steps.find(({manual}) => manual);
  expect(step).toMatchObject({result: 'passed', name: 'group app: switch-dns (by a person)'});
  expect(step?.message).toContain('approved by cto');
  expect(step?.message).toContain('CNAME changed');
  expect(record.timeline.humanWaitMs).toBeGreaterThan(0);
  expect(stderr).toContain('✋ Point shop.example.org at the new cluster');

  const kubeconfig = /its kubeconfig is (\S+)/.exec(stderr)?.[1] ?? '';
  expect((await stat(kubeconfig)).mode & 0o077).toBe(0);
  const recovered = await connectCluster({kubeconfig});
  try {
    const cronJob = await recovered.request('GET', '/apis/batch/v1/namespaces/shop/cronjobs/mail-customers');
    expect(cronJob).toMatchObject({spec: {suspend: false}});
    const service = await recovered.request('GET', '/api/v1/namespaces/shop/services/web-public');
    expect(service).toMatchObject({spec: {type: 'LoadBalancer'}});
    expect(record.findings.map(({title}) => title).join('\n')).toContain(
      'Service shop/web-public has no address yet',
    );

    const {id} = record.identity;
    expect((await shop.pra('drill', 'list')).stdout).toMatch(/recover +quickstart.*stays/);
    await shop.pra('drill', 'clean');
    expect(existsSync(kubeconfig)).toBe(true);
    const refused = await shop.pra('drill', 'clean', id);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('its target is in service');

    await intoTheClusterThatIsThere(kubeconfig);

    const cleaned = await shop.pra('drill', 'clean', id, '--confirm', 'quickstart');
    expect(cleaned.exitCode, cleaned.stderr).toBe(0);
    expect(await leftOfDrill(id)).toEqual([]);
  } finally {
    await recovered.close();
  }
});

/** The shop is lost again, and recovered into the same cluster. */
async function intoTheClusterThatIsThere(kubeconfig: string): Promise<void> {
  const cluster = await connectCluster({kubeconfig});
  try {
    await cluster.request('DELETE', '/api/v1/namespaces/shop-db');
    await waitFor(
      async () => {
        const {items} = z
          .object({items: z.array(z.object({metadata: z.object({name: z.string()})}))})
          .parse(await cluster.request('GET', '/api/v1/namespaces'));
        return items.some(({metadata}) => metadata.name === 'shop-db') ? undefined : true;
      },
      {waitingFor: 'the namespace to be gone', timeoutMs: 300_000},
    );
    const to = ['--to-kubeconfig', kubeconfig];
    const byPlan = await shop.pra('recover', plan, ...to, '--confirm', 'quickstart');
    expect(byPlan.exitCode).toBe(2);
    expect(byPlan.stderr).toContain('the target is not empty');
    expect(byPlan.stderr).toContain(`the name of the target, ${cluster.context}`);
    const recovery = shop.recover(plan, ...to, '--confirm', cluster.context);
    const asked = await untilAsked();
    await shop.pra('approve', asked.run, '--as', 'duty-manager', '--reject', '--note', 'registrar is down');
    const {exitCode, stdout, stderr} = await recovery;
    const record = recordOf(stdout);
    expect(record.verdict, stderr).toMatchObject({result: 'failed', exitCode: 3});
    expect(exitCode).toBe(3);
    expect(record.verdict.summary).toContain('duty-manager');
    expect(record.verdict.summary).toContain('registrar is down');
    expect(record.target).toMatchObject({provider: 'existing'});
    expect(record.completeness.failures).toEqual([]);
    const results = record.timeline.steps.map(({id, result}) => `${id}: ${result}`);
    expect(results).toContain('group/data/data: passed');
    expect(results).toContain('group/app/start: passed');
    const run = join(shop.dir, 'runs', record.identity.id);
    expect(existsSync(join(run, 'target.kubeconfig'))).toBe(false);
    expect(await readFile(join(run, 'evidence', 'report.html'), 'utf8')).toContain('Recovery of plan');
  } finally {
    await cluster.close();
  }
}
