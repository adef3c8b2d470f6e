import {execFile} from 'node:child_process';
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {afterAll, beforeAll, expect, test, vi} from 'vitest';
import {z} from 'zod';
import {applyObject, patchObject, readObject} from '../../src/cluster/apply.ts';
import {connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {sleep} from '../../src/std/wait.ts';
import {type CliResult, runPra, startPra} from '../bed/cli.ts';
import {claimObject, idlePod, namespaceObject, startVolumeBed, type VolumeBed} from '../bed/volume-bed.ts';

const run = promisify(execFile);
vi.setConfig({testTimeout: 900_000});
let bed: VolumeBed;
let dir: string;
let source: string;
let plan: string;

const PLAN = `apiVersion: pra/v1
kind: Plan
metadata: {name: files}
spec:
  objectives: {rto: 10m, rpo: 1h}
  source:
    include: {namespaces: [shop], clusterScoped: none}
    volumes:
      - {select: app=uploads, method: filesystem}
  repository: {url: "file://REPOSITORY"}
  target: {terraform: {dir: terraform/local}}
  groups: [{name: all, select: {}}]
  probes: [{name: up, proves: processUp, health: {}}, {name: data, proves: dataPresent, checksum: {namespace: shop, selector: app=uploads, path: /data}}]
`;

/** A Deployment whose pods mount the claim `uploads`. */
function deployment(namespace: string): KubeObject {
  const pod = idlePod(namespace, 'uploads', 'uploads');
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {name: 'uploads', namespace},
    spec: {
      replicas: 1,
      selector: {matchLabels: {app: 'uploads'}},
      template: {metadata: {labels: {app: 'uploads'}}, spec: pod.spec ?? {}},
    },
  };
}

const env = () => ({
  PRA_PASSPHRASE: 'correct horse',
  PRA_STATE_DIR: join(dir, 'state'),
  PRA_KUBECONFIG: bed.kubeconfig,
});
const pra = (...args: string[]) => runPra(args, env());
const into = (namespace: string) => [
  ...['restore', 'run', 'latest', '-f', plan, '--to-kubeconfig', bed.kubeconfig],
  ...['--map-namespace', `shop=${namespace}`, '--confirm', bed.name],
];
const resultSchema = z.object({
  id: z.string(),
  result: z.string(),
  volumes: z.array(z.object({ref: z.string(), files: z.number(), proof: z.string()})).optional(),
  warnings: z.array(z.object({ref: z.string(), message: z.string()})),
});

async function restored(...args: string[]) {
  const {exitCode, stdout, stderr} = await pra(...args, '--json', '--mode', 'recover');
  return {exitCode, stderr, document: resultSchema.safeParse(JSON.parse(stdout || 'null')).data};
}

async function differences(namespace: string): Promise<string> {
  const copy = await bed.folderOf(namespace, 'uploads');
  const {stdout} = await run('rsync', [
    '-aHAXn',
    '--checksum',
    '--itemize-changes',
    '--delete',
    `${source}/`,
    `${copy}/`,
  ]);
  return stdout;
}

beforeAll(async () => {
  bed = await startVolumeBed();
  dir = await mkdtemp(join(tmpdir(), 'pra-restore-volumes-'));
  plan = join(dir, 'plan.yaml');
  await writeFile(plan, PLAN.replace('REPOSITORY', join(dir, 'repository')));
  await bed.create(namespaceObject('shop'), claimObject('shop', 'uploads'), deployment('shop'));
  source = await bed.folderOf('shop', 'uploads');
  for (let i = 0; i < 20; i += 1) {
    await mkdir(join(source, `d${i}`));
    for (let j = 0; j < 25; j += 1)
      await writeFile(join(source, `d${i}`, `f${j}`), `${i} ${j} `.repeat(2000));
  }
});
afterAll(async () => {
  await bed.stop();
  await rm(dir, {recursive: true, force: true});
});

/** Gives a user the rights that a command prints. @returns a kubeconfig of that user */
async function userWith(printed: CliResult, as: string): Promise<string> {
  expect(printed.exitCode, printed.stderr).toBe(0);
  expect(printed.stdout).not.toContain('"*"');
  const types = new ResourceMap(await discoverResources(bed.cluster, {}));
  for (const object of JSON.parse(printed.stdout).items)
    await applyObject(bed.cluster, types.of(object), object);
  const admin = JSON.parse(await readFile(bed.kubeconfig, 'utf8'));
  const [{name, user}] = admin.users;
  const file = join(dir, `${as}.kubeconfig`);
  await writeFile(file, JSON.stringify({...admin, users: [{name, user: {...user, as}}]}), {mode: 0o600});
  return file;
}

test('a snapshot needs no more than what plan rbac prints', async () => {
  const file = await userWith(
    await pra('plan', 'rbac', plan, '--user', 'snapshotter', '--json'),
    'snapshotter',
  );
  const taken = await runPra(['snapshot', 'create', plan, '--json'], {...env(), PRA_KUBECONFIG: file});
  expect(taken.exitCode, taken.stderr).toBe(0);
  const {volumes} = JSON.parse(taken.stdout);
  expect(volumes).toHaveLength(1);
  expect(volumes[0]).toMatchObject({
    method: 'filesystem',
    workload: 'Deployment/uploads',
    files: 500,
    runAs: 'user 1000',
  });
  const stranger = await connectCluster({kubeconfig: file});
  await expect(stranger.request('GET', '/api/v1/namespaces/kube-system/secrets')).rejects.toMatchObject({
    status: 403,
  });
  await stranger.close();
  expect(await bed.leftovers()).toEqual([]);
});

test('a claim gets its data before the workload mounts it, each file proved', async () => {
  const {exitCode, document, stderr} = await restored(...into('copy'), '--wait');
  expect(exitCode, stderr).toBe(0);
  expect(document?.result).toBe('complete');
  expect(document?.volumes).toMatchObject([{ref: 'PersistentVolumeClaim copy/uploads', files: 500}]);
  expect(await differences('copy')).toBe('');
  expect(await bed.leftovers()).toEqual([]);
});

test('a restore needs no more than what restore rbac prints', async () => {
  const map = ['--map-namespace', 'shop=least'];
  const printed = await pra('restore', 'rbac', 'latest', '-f', plan, ...map, '--user', 'restorer', '--json');
  const file = await userWith(printed, 'restorer');
  const args = [
    'restore',
    'run',
    'latest',
    '-f',
    plan,
    ...map,
    '--to-kubeconfig',
    file,
    '--confirm',
    bed.name,
  ];
  const {exitCode, document, stderr} = await restored(...args, '--wait');
  expect(exitCode, stderr).toBe(0);
  expect(document?.volumes).toHaveLength(1);
  expect(await differences('least')).toBe('');
});

test('a claim that is there keeps what it holds, and that is said', async () => {
  const copy = await bed.folderOf('copy', 'uploads');
  await writeFile(join(copy, 'of today'), 'not to be lost');
  const {exitCode, document, stderr} = await restored(...into('copy'));
  expect(exitCode, stderr).toBe(0);
  expect(document?.volumes).toEqual([]);
  expect(document?.warnings.map(({message}) => message)).toContainEqual(
    expect.stringContaining('keeps what it holds'),
  );
  expect(await readFile(join(copy, 'of today'), 'utf8')).toBe('not to be lost');
});

test('--no-volumes leaves claims empty', async () => {
  const {exitCode, document, stderr} = await restored(...into('bare'), '--no-volumes', '--wait');
  expect(exitCode, stderr).toBe(0);
  expect(document?.volumes).toBeUndefined();
  expect(await readdir(await bed.folderOf('bare', 'uploads'))).toEqual([]);
});

test('a restore that is killed while it fills a claim goes on with it, and nothing started on half of it', async () => {
  const killed = startPra([...into('killed'), '--json', '--mode', 'recover'], env());
  const ended = killed.then(({stderr}) => {
    throw new Error(`the restore ended before it could be killed: ${stderr}`);
  });
  const marked = async () => {
    const folder = await bed.folderOf('killed', 'uploads');
    while (!(await readdir(folder).catch((): string[] => [])).includes('.pra-restoring')) await sleep(5);
  };
  await Promise.race([marked(), ended]);
  killed.kill('SIGKILL');
  await killed.catch(() => undefined);
  const pods = await bed.cluster.request<{items: KubeObject[]}>('GET', '/api/v1/namespaces/killed/pods', {
    query: {labelSelector: 'app=uploads'},
  });
  expect(pods.items).toEqual([]);
  const resumed = await restored('restore', 'run', '--resume', 'latest', '--wait');
  expect(resumed.exitCode, resumed.stderr).toBe(0);
  expect(resumed.document?.volumes).toHaveLength(1);
  expect(await differences('killed')).toBe('');
});

test('files come out of the snapshot, and nothing that is there is overwritten', async () => {
  const volumes = await pra('snapshot', 'files', 'latest', '-f', plan, '--json');
  expect(JSON.parse(volumes.stdout).items).toMatchObject([{namespace: 'shop', pvcs: ['uploads']}]);
  const listed = await pra('snapshot', 'files', 'latest', 'uploads', '/d3', '-f', plan, '--json');
  expect(JSON.parse(listed.stdout).items).toHaveLength(25);
  const to = join(dir, 'found');
  const file = await pra('restore', 'files', 'latest', 'shop/uploads', '/d3/f7', '--to', to, '-f', plan);
  expect(file.exitCode, file.stderr).toBe(0);
  expect(await readFile(join(to, 'f7'), 'utf8')).toBe(await readFile(join(source, 'd3', 'f7'), 'utf8'));
  expect((await pra('restore', 'files', 'latest', 'uploads', '/d4', '--to', to, '-f', plan)).exitCode).toBe(
    0,
  );
  expect(await readdir(to)).toEqual(['d4', 'f7']);
  const again = await pra('restore', 'files', 'latest', 'uploads', 'd3/f7', '--to', to, '-f', plan);
  expect(again.exitCode).toBe(2);
  expect(again.stderr).toContain('is there already');
  const missing = await pra('restore', 'files', 'latest', 'uploads', '/nowhere', '--to', to, '-f', plan);
  expect(missing.exitCode).toBe(2);
  expect(missing.stderr).toContain('has no /nowhere');
  const outside = await pra('restore', 'files', 'latest', 'uploads', '/../x', '--to', to, '-f', plan);
  expect(outside.exitCode).toBe(2);
  expect(await readdir(to)).toEqual(['d4', 'f7']);
});

test('volumes are copied into another repository, with a key of its own, and forgotten there', async () => {
  const to = `file://${join(dir, 'copy of it')}`.replaceAll(' ', '-');
  const copied = await runPra(['repository', 'copy', '--to', to, '-f', plan, '--json'], env());
  expect(copied.exitCode, copied.stderr).toBe(0);
  const there = ['--repository', to];
  const found = join(dir, 'found in the copy');
  const file = await pra('restore', 'files', 'latest', 'uploads', '/d9', '--to', found, ...there);
  expect(file.exitCode, file.stderr).toBe(0);
  expect(await readFile(join(found, 'd9', 'f3'), 'utf8')).toBe(
    await readFile(join(source, 'd9', 'f3'), 'utf8'),
  );
  const {exitCode, document, stderr} = await restored(
    ...['restore', 'run', 'latest', ...there, '--to-kubeconfig', bed.kubeconfig],
    ...['--map-namespace', 'shop=from-copy', '--confirm', bed.name],
  );
  expect(exitCode, stderr).toBe(0);
  expect(document?.volumes).toHaveLength(1);
  expect(await differences('from-copy')).toBe('');
  // A copy can be copied on, and from there back to where it came from.
  const third = `file://${join(dir, 'third')}`;
  for (const [a, b] of [
    [to, third],
    [third, `file://${join(dir, 'repository')}`],
  ]) {
    const again = await runPra(
      ['repository', 'copy', '--repository', a ?? '', '--to', b ?? '', '--json'],
      env(),
    );
    expect(again.exitCode, again.stderr).toBe(0);
  }
  const snapshots = () => readdir(join(to.slice('file://'.length), 'volumes', 'snapshots'));
  expect(await snapshots()).toHaveLength(2);
  const pruned = await pra('repository', 'prune', ...there);
  expect(pruned.exitCode, pruned.stderr).toBe(0);
  expect(await snapshots()).toHaveLength(2);
  const [id] = z.object({copied: z.array(z.string())}).parse(JSON.parse(copied.stdout)).copied;
  const forgotten = await pra('snapshot', 'forget', id ?? '', ...there);
  expect(forgotten.exitCode, forgotten.stderr).toBe(0);
  await pra('repository', 'prune', ...there);
  expect(await snapshots()).toEqual([]);
});

test('a recovery into a cluster that has the claims leaves what they hold, and says so', async () => {
  await writeFile(join(source, 'since'), 'the snapshot');
  const recovered = await runPra(
    [
      'recover',
      plan,
      '--to-kubeconfig',
      bed.kubeconfig,
      '--confirm',
      bed.name,
      '--existing',
      'skip',
      '--json',
    ],
    env(),
  );
  const record = JSON.parse(recovered.stdout);
  expect(record.findings.map(({title}: {title: string}) => title)).toContain(
    'PersistentVolumeClaim shop/uploads was there and keeps what it holds',
  );
  expect(await readFile(join(source, 'since'), 'utf8')).toBe('the snapshot');
  // The probe compares with the snapshot, and there is one file more.
  expect(record.verdict.result).toBe('failed');
  expect(record.verification.probes.find(({name}: {name: string}) => name === 'data').message).toContain(
    '501 files',
  );
  await rm(join(source, 'since'));
});

test('a claim that is being resized is saved, and comes back in the size that was asked for', async () => {
  const storageClass = {name: 'local-path'};
  await patchObject(bed.cluster, CORE_TYPES.StorageClass, storageClass, {allowVolumeExpansion: true});
  const requests = {storage: '2Gi'};
  const larger = claimObject('shop', 'uploads', {resources: {requests}});
  const grown = await applyObject(bed.cluster, CORE_TYPES.PersistentVolumeClaim, larger);
  // Its provisioner never does it, so that it stays under way.
  expect(grown).toMatchObject({spec: {resources: {requests}}, status: {capacity: {storage: '1Gi'}}});
  const taken = await pra('snapshot', 'create', plan, '--json');
  expect(taken.exitCode, taken.stderr).toBe(0);
  const {exitCode, document, stderr} = await restored(...into('grown'));
  expect(exitCode, stderr).toBe(0);
  expect(document?.volumes).toHaveLength(1);
  expect(await differences('grown')).toBe('');
  const claim = {name: 'uploads', namespace: 'grown'};
  expect(await readObject(bed.cluster, CORE_TYPES.PersistentVolumeClaim, claim)).toMatchObject({
    spec: {resources: {requests}},
    status: {capacity: {storage: '2Gi'}},
  });
});
