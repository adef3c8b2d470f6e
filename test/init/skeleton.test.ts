import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {parseDocument} from 'yaml';
import type {ClusterFacts} from '../../src/init/facts.ts';
import {planName} from '../../src/init/names.ts';
import {writeSkeleton} from '../../src/init/skeleton.ts';
import {writePlan} from '../../src/init/write-plan.ts';
import {loadPlan} from '../../src/plan/load.ts';
import {claim, cluster, container, workload} from './facts.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-init-'));
});
afterAll(() => rm(dir, {recursive: true, force: true}));

const postgres = container('postgres', {env: new Map([['POSTGRES_DB', 'shop']])});
const db = workload('db', [postgres], {claims: ['data-db-0']});
const web = workload('web', [container('web', {mountsClaim: false})], {kind: 'Deployment', replicas: 2});
const skeleton = (facts: Partial<ClusterFacts>) =>
  writeSkeleton(cluster(facts), {name: 'shop', context: 'prod'});

async function load(text: string) {
  const file = join(dir, 'plan.yaml');
  await writeFile(file, text);
  return (await loadPlan(file)).plan.spec;
}

describe('writeSkeleton', () => {
  test('a recognised database gives a valid plan, databases first', async () => {
    const {text, questions, databases} = skeleton({workloads: [db, web], claims: [claim('data-db-0')]});
    const spec = await load(text);
    expect(questions).toEqual([]);
    expect(databases).toEqual([{workload: 'shop/StatefulSet/db', database: 'PostgreSQL'}]);
    expect(spec.source).toMatchObject({
      kubeconfig: {context: 'prod'},
      volumes: [{select: {app: 'db'}, namespaces: ['shop'], method: 'dump', dump: {preset: 'postgresql'}}],
    });
    expect(spec.groups).toMatchObject([
      {name: 'shop-db', select: {namespaces: ['shop'], selector: 'app=db'}},
      {name: 'shop', dependsOn: ['shop-db'], select: {namespaces: ['shop']}},
    ]);
    expect(spec.probes.map(({name}) => name)).toEqual(['workloads', 'data-shop-db']);
  });

  test.each(['postgres', 'mariadb', 'mysql', 'mongo', 'redis'])(
    'the plan for %s is a preset and no more',
    async image => {
      const env = new Map([['MYSQL_ROOT_PASSWORD', undefined]]);
      const store = workload(
        'store',
        [container(image, {env}), container('exporter', {mountsClaim: false})],
        {
          claims: ['data'],
        },
      );
      const {text, questions} = skeleton({workloads: [store], claims: [claim('data')]});
      expect(questions).toEqual([]);
      const [volume] = (await load(text)).source.volumes;
      expect(Object.keys(volume?.dump ?? {})).toEqual(['container', 'preset']);
    },
  );

  test('asks by SQL, and writes the canary there, where a DSN is known', async () => {
    const dsn = {
      secretRef: 'shop/dsn#url',
      namespace: 'shop',
      service: 'shop/db',
      database: 'shop',
      workload: 'shop/StatefulSet/db',
    };
    const spec = await load(skeleton({workloads: [db], claims: [claim('data-db-0')], dsns: [dsn]}).text);
    expect(spec.source.canary?.sql?.secretRef).toBe('shop/dsn#url');
    expect(spec.probes.map(({name}) => name)).toEqual(['workloads', 'rows-shop', 'canary']);
  });

  test('a stateless cluster is proved by the canary alone', async () => {
    expect((await load(skeleton({workloads: [web]}).text)).source.canary).toMatchObject({namespace: 'shop'});
  });

  test.each([
    ['an unknown volume', [workload('files', [container('nginx')], {claims: ['uploads']})], 'uploads'],
    ['MySQL without a password', [workload('sql', [container('mysql')], {claims: ['uploads']})], 'uploads'],
    [
      'a database of an operator',
      [workload('pg', [postgres], {kind: 'Cluster', claims: ['uploads']})],
      'uploads',
    ],
    ['a database without replicas', [{...db, replicas: 0, claims: ['uploads']}], 'uploads'],
    [
      'a database that labels do not tell',
      [
        {...db, claims: ['uploads']},
        {...web, podLabels: db.podLabels},
      ],
      'uploads',
    ],
    ['a volume that nothing mounts', [web], 'uploads'],
  ])('%s is a question, and the plan is not valid until it is answered', async (_, workloads, name) => {
    const {text, questions} = skeleton({workloads, claims: [claim(name)]});
    expect(questions[0]).toContain(`volume shop/${name} (1Gi)`);
    expect(text).toMatch(/# volume shop\/uploads \(1Gi\).* has no rule yet/);
    await expect(load(text)).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      findings: expect.arrayContaining([
        expect.objectContaining({
          message: expect.stringContaining('`method` is missing in spec.source.volumes[0]'),
        }),
      ]),
    });
  });

  test('what the cluster calls things stays a value or a comment', () => {
    const evil = 'x\n    method: none\r\n# {"a": [\u2028&b *c !!t \u0007';
    const facts: Partial<ClusterFacts> = {
      workloads: [
        workload(evil, [{...postgres, name: evil}, container(evil)], {namespace: evil, claims: [evil]}),
      ],
      claims: [claim(evil, {[evil]: evil}, evil), claim('lost', {[evil]: evil})],
      scope: {include: [evil], exclude: [evil], names: [evil], leftOut: [evil]},
      webServices: [{namespace: evil, name: evil, port: 80, scheme: 'http', path: `/${evil}`, reason: evil}],
      customResources: [{kind: evil, plural: evil, namespace: evil, count: 1}],
      unread: [evil],
    };
    const {text} = skeleton(facts);
    const document = parseDocument(text);
    expect(text).toMatch(
      /^ +# Left out as parts of the cluster: x {5}method: none {2}# \{"a": \[ &b \*c !!t/m,
    );
    expect(document.errors).toEqual([]);
    expect(Object.keys(document.toJS())).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
    expect(document.toJS().spec.source.include.namespaces).toEqual([evil]);
    expect(document.toJS().spec.source.volumes[1]).toEqual({select: {[evil]: evil}, namespaces: ['shop']});
  });

  test('names are names of plans, each once', () => {
    expect(planName('arn:aws:eks:eu-west-3:1:cluster/Prod_1')).toBe('arn-aws-eks-eu-west-3-1-cluster-prod-1');
    expect(planName('…')).toBe('plan');
  });
});

describe('writePlan', () => {
  test('overwrites nothing without force', async () => {
    const file = join(dir, 'mine.yaml');
    await writePlan(file, 'a', {force: false});
    await expect(writePlan(file, 'b', {force: false})).rejects.toMatchObject({code: 'PLAN_EXISTS'});
    await writePlan(file, 'b', {force: true});
    await expect(writePlan(join(dir, 'no/plan.yaml'), 'a', {force: true})).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});
