import {existsSync} from 'node:fs';
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import type {Document} from 'yaml';
import {applyObject} from '../../src/cluster/apply.ts';
import {connectCluster} from '../../src/cluster/client.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {parseRecord} from '../../src/evidence/parse.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {type DrillRun, leftOfDrill, makeShopBed, type ShopBed} from './shop.ts';

let shop: ShopBed;

vi.setConfig({testTimeout: 900_000});

beforeAll(async () => {
  shop = await makeShopBed('drill');
});

afterAll(async () => {
  await shop?.stop();
});

const DSN = '/api/v1/namespaces/shop/secrets/db-credentials';
const verdictsOf = ({record}: DrillRun) =>
  Object.fromEntries(record.verification.probes.map(probe => [probe.name, probe.verdict]));

/** What cannot start is not waited for as long as the plan of the quickstart would. */
const hurry = (document: Document) => document.setIn(['spec', 'groups', 1, 'rto'], '12s');

/** Every drill, however it ends, tells what happened and leaves nothing. */
async function expectTruthful(run: DrillRun): Promise<void> {
  const {record} = run;
  expect(record.cleanup).toMatchObject({destroyed: true, leftovers: []});
  expect(await leftOfDrill(record.identity.id)).toEqual([]);
  expect(record.verdict.exitCode).toBe(run.exitCode);
  expect(run.stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
}

describe('a drill of the shop', () => {
  test('passes, proves the data, times every mark, and leaves its evidence and nothing else', async () => {
    const run = await shop.drill(await shop.plan());
    expect(run.record.verdict, run.stderr).toMatchObject({
      result: 'passed',
      objectiveMissed: false,
      exitCode: 0,
    });
    await expectTruthful(run);
    const {record} = run;
    expect(new Set(Object.values(verdictsOf(run)))).toEqual(new Set(['passed']));
    expect(record.timeline.marks.map(mark => mark.mark)).toEqual(['T0', 'T1', 'T2', 'T3', 'T4', 'T5']);
    const elapsed = record.timeline.marks.map(mark => mark.elapsedMs);
    expect(elapsed).toEqual(elapsed.toSorted((a, b) => a - b));
    expect(record.completeness.failures).toEqual([]);
    const evidence = join(shop.dir, 'runs', record.identity.id, 'evidence');
    const onDisk = await readFile(join(evidence, 'drill.json'), 'utf8');
    expect(parseRecord(onDisk, 'drill.json')).toEqual(record);
    expect(await readFile(join(evidence, 'report.html'), 'utf8')).toContain('Recovered and verified');
    expect(existsSync(join(evidence, 'junit.xml'))).toBe(true);
    const copy = join(shop.dir, 'repository/evidence/quickstart', record.identity.id, 'drill.json');
    expect(await readFile(copy, 'utf8')).toBe(onDisk);
  });

  test('fails when a table is not in the dump, and names the table', async () => {
    const plan = await shop.plan(document => {
      const dump = ['spec', 'source', 'volumes', 0, 'dump', 'command'];
      document.addIn(dump, '--exclude-table=order_lines');
    });
    const run = await shop.drill(plan);
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'failed', exitCode: 3});
    expect(run.record.verdict.summary).toContain('relation "order_lines" does not exist');
    expect(verdictsOf(run)).toMatchObject({'order-lines': 'failed', customers: 'passed', orders: 'passed'});
    await expectTruthful(run);
  });

  test('fails when the restore command does, with its words, however much data it leaves unread', async () => {
    const plan = await shop.plan(document => {
      const dump = ['spec', 'source', 'volumes', 0, 'dump'];
      document.setIn([...dump, 'command'], ['sh', '-c', 'head -c 50000000 /dev/urandom']);
      document.setIn(
        [...dump, 'restore'],
        ['sh', '-c', 'head -c 1000 >/dev/null; echo not a dump >&2; exit 7'],
      );
    });
    const run = await shop.drill(plan);
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'failed', exitCode: 3});
    expect(run.record.verdict.summary).toContain('exit code 7: not a dump');
    await expectTruthful(run);
  });

  test('fails when a Secret is not in the snapshot, and names the Secret and who needs it', async () => {
    const plan = await shop.plan(hurry);
    const secret = (await shop.cluster.request('GET', DSN)) as KubeObject & {data: unknown; type: string};
    await shop.cluster.request('DELETE', DSN);
    try {
      const taken = await shop.pra('snapshot', 'create', plan, '--json');
      expect(taken.exitCode, taken.stderr).toBe(0);
    } finally {
      const {name, namespace, labels} = secret.metadata;
      const again = {apiVersion: 'v1', kind: 'Secret', type: secret.type, data: secret.data};
      await shop.cluster.request('POST', '/api/v1/namespaces/shop/secrets', {
        body: {...again, metadata: {name, namespace, labels}},
      });
    }
    const run = await shop.drill(plan, '--snapshot', 'latest');
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'failed', exitCode: 3});
    expect(run.record.verdict.summary).toContain('db-credentials');
    expect(run.record.verdict.summary).toContain('group app');
    await expectTruthful(run);
  });

  test('fails when an older snapshot than the newest is replayed, and says which canary it found', async () => {
    const plan = await shop.plan();
    const old = JSON.parse((await shop.pra('snapshot', 'create', plan, '--json')).stdout);
    const taken = await shop.pra('snapshot', 'create', plan, '--json');
    expect(taken.exitCode, taken.stderr).toBe(0);
    const run = await shop.drill(plan, '--snapshot', old.id);
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'failed', exitCode: 3});
    expect(run.record.verdict.summary).toContain('probe canary');
    expect(verdictsOf(run)).toMatchObject({canary: 'failed', orders: 'passed'});
    await expectTruthful(run);
  });

  test('fails when an image cannot be had in the target, and names the image', async () => {
    const images = JSON.stringify([shop.source.images.postgres]);
    const plan = await shop.plan(hurry);
    const run = await shop.drill(plan, '--var', `images=${images}`);
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'failed', exitCode: 3});
    expect(run.record.verdict.summary, run.stderr).toMatch(/Deployment shop\/web .*image/i);
    await expectTruthful(run);
  });

  test('is 4 when everything came back, but too late', async () => {
    const run = await shop.drill(
      await shop.plan(document => {
        document.setIn(['spec', 'objectives', 'rto'], '1s');
        const hook = {name: 'flush', select: {app: 'db'}, pre: ['sh', '-c', 'exit 5'], onError: 'continue'};
        document.setIn(['spec', 'source', 'hooks'], [hook]);
      }),
    );
    const title = 'pre of hook flush in pod shop-db/db-0 failed: exit code 5';
    expect(run.record.findings).toContainEqual(expect.objectContaining({severity: 'medium', title}));
    expect(run.record.verdict, run.stderr).toMatchObject({
      result: 'passed',
      objectiveMissed: true,
      exitCode: 4,
    });
    expect(run.record.verdict.summary).toMatch(/RTO \d+(\.\d+)?s of 1.0s \(missed\)/);
    await expectTruthful(run);
  });

  test('is refused before anything runs when no probe proves data', async () => {
    const plan = await shop.plan(document => {
      document.setIn(['spec', 'probes'], [{name: 'up', proves: 'processUp', health: {}}]);
    });
    const before = await shop.pra('drill', 'list', '--json');
    const ran = await shop.pra('drill', 'run', plan);
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toMatch(/proves data \[PLAN_NO_DATA_PROOF\]\n {2}at .*plan-\d+\.yaml:\d+:\d+/);
    expect((await shop.pra('drill', 'list', '--json')).stdout).toBe(before.stdout);
  });
});

test('a snapshot needs no more than what plan rbac prints', async () => {
  const plan = await shop.plan(document =>
    // In a namespace without dumps: the right to run commands there is for the hook alone.
    document.setIn(['spec', 'source', 'hooks'], [{name: 'flush', select: {app: 'web'}, pre: ['true']}]),
  );
  const printed = JSON.parse(
    (await shop.pra('plan', 'rbac', plan, '--service-account', 'default/snapshotter', '--json')).stdout,
  );
  const types = new ResourceMap(await discoverResources(shop.cluster, {}));
  for (const object of printed.items) await applyObject(shop.cluster, types.of(object), object, {});
  const kubeconfig = await shop.kubeconfigOf('snapshotter');
  const repository = `file://${join(shop.dir, 'least')}`;
  const taken = await shop.pra(
    'snapshot',
    'create',
    plan,
    '--kubeconfig',
    kubeconfig,
    '--repository',
    repository,
  );
  expect(taken.exitCode, taken.stderr).toBe(0);
  const snapshotter = await connectCluster({kubeconfig});
  try {
    for (const forbidden of [
      () => snapshotter.request('GET', '/api/v1/namespaces/kube-system/secrets'),
      () => snapshotter.request('GET', '/api/v1/secrets'),
      () => snapshotter.request('DELETE', DSN),
      () => snapshotter.request('PATCH', '/api/v1/namespaces/shop/configmaps/web', {body: {data: {}}}),
    ])
      await expect(forbidden()).rejects.toMatchObject({status: 403});
  } finally {
    await snapshotter.close();
  }
});

describe('a drill from S3', () => {
  let s3: TestS3;

  beforeAll(async () => {
    s3 = await startVersitygw();
    Object.assign(shop.env, s3.env, {
      AWS_PROFILE: s3.profiles.right,
      AWS_ENDPOINT_URL: s3.endpoint,
      AWS_REGION: s3.region,
    });
  });

  afterAll(async () => {
    for (const name of Object.keys(shop.env)) if (name.startsWith('AWS_')) delete shop.env[name];
    await s3?.stop();
  });

  test('passes, and nothing that is secret is in the bucket in plain', async () => {
    const plan = await shop.plan();
    const run = await shop.drill(plan, '--repository', `s3://${s3.bucket}/shop`);
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'passed', exitCode: 0});
    await expectTruthful(run);
    const listed = await shop.pra('snapshot', 'list', '--repository', `s3://${s3.bucket}/shop`, '--json');
    expect(JSON.parse(listed.stdout).items).toHaveLength(1);
    const stored = await filesBelow(s3.files);
    expect(stored.length).toBeGreaterThan(10);
    const password = 'quickstart-only-5f2b';
    for (const needle of [
      password,
      Buffer.from(password).toString('base64'),
      'customer499@example.com',
      s3.credentials.secretAccessKey,
    ]) {
      for (const {path, content} of stored)
        expect(content.includes(needle), `${needle} in ${path}`).toBe(false);
    }
  });

  test('whose store goes away is an error that names the store, and leaves no target', async () => {
    await s3.kill();
    const ran = await shop.pra('drill', 'run', await shop.plan(), '--repository', `s3://${s3.bucket}/shop`);
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain('STORE_UNREACHABLE');
    expect(ran.stderr).not.toContain('terraform apply');
  });
});

async function filesBelow(folder: string): Promise<{path: string; content: Buffer}[]> {
  const entries = await readdir(folder, {recursive: true, withFileTypes: true});
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async path => ({path, content: await readFile(path)})));
}
