import {randomBytes} from 'node:crypto';
import {copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, it} from 'vitest';
import {createObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {type CliResult, runPra} from '../bed/cli.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';

/** Values that must be seen nowhere, in every form in which they could be. */
const planted = Array.from({length: 3}, () => `planted-${randomBytes(12).toString('hex')}`);
const passphrase = `passphrase-${randomBytes(12).toString('hex')}`;
const forms = [...planted, passphrase].flatMap(value => [
  value,
  Buffer.from(value).toString('base64').replace(/=+$/, ''),
  Buffer.from(value).toString('hex'),
]);

let plane: ControlPlane;
let cluster: Cluster;
let dir: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-secrets-'));
  plane = await startControlPlane();
  cluster = await connectCluster({kubeconfig: plane.kubeconfig});
  const {Namespace, Secret} = CORE_TYPES;
  await createObject(cluster, Namespace, {apiVersion: 'v1', kind: 'Namespace', metadata: {name: 'shop'}});
  const [one = '', two = '', three = ''] = planted;
  await createObject(cluster, Secret, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'db',
      namespace: 'shop',
      annotations: {'kubectl.kubernetes.io/last-applied-configuration': `{"stringData":{"a":"${three}"}}`},
    },
    stringData: {one},
    data: {two: Buffer.from(two).toString('base64')},
  });
  await copyFile(plane.kubeconfig, join(dir, 'kubeconfig'));
  for (const folder of ['tmp', 'state', 'module']) await mkdir(join(dir, folder));
  await writeFile(
    join(dir, 'plan.yaml'),
    `apiVersion: pra/v1
kind: Plan
metadata: {name: secrets}
spec:
  scenario: none of it
  objectives: {rto: 5m, rpo: 1h}
  source: {include: {namespaces: [shop]}}
  repository: {url: "file://${dir}/repository"}
  recoveryPoint: {policy: fresh}
  target: {terraform: {dir: ./module}}
  groups: [{name: all, select: {namespaces: [shop]}}]
  probes: [{name: some, proves: processUp, k8s: {kind: Deployment, expect: {count: {min: 1}}}}]
  isolation: {waive: [{guard: dataProof, name: "*", reason: only snapshots are taken}]}
`,
  );
  env = {
    PRA_PASSPHRASE: passphrase,
    PRA_DEBUG: '1',
    TMPDIR: join(dir, 'tmp'),
    XDG_STATE_HOME: join(dir, 'state'),
    PRA_KUBECONFIG: join(dir, 'kubeconfig'),
  };
});
afterAll(async () => {
  await cluster?.close();
  await plane?.stop();
  await rm(dir, {recursive: true, force: true});
});

function expectNone(text: string, where: string): void {
  for (const [i, form] of forms.entries()) expect(text.includes(form), `form ${i} in ${where}`).toBe(false);
}

async function run(args: string[], exitCode = 0): Promise<CliResult> {
  const result = await runPra(args, env);
  expect(result.exitCode, result.stderr).toBe(exitCode);
  expectNone(result.stdout + result.stderr, args.join(' '));
  return result;
}

it('no value of a Secret and no passphrase is anywhere in plain', async () => {
  const plan = join(dir, 'plan.yaml');
  await run(['snapshot', 'create', plan]);
  await run(['snapshot', 'create', plan, '--full', '--json']);
  await run(['snapshot', 'show', '-f', plan, '--json']);
  await run(['snapshot', 'get', 'secrets', '-o', 'json', '-f', plan]);
  await run(['snapshot', 'diff', 'latest', '--live', '-f', plan, '--json']);
  await run(['snapshot', 'export', '--to', join(dir, 'out'), '-f', plan]);
  await run(['repository', 'check', '--read-data', '--json', '-f', plan]);
  await run(['repository', 'key', 'list', '--json', '-f', plan]);
  // And where something fails: a pack that is damaged, a server that is away.
  const packs = await readdir(join(dir, 'repository', 'packs'), {recursive: true, withFileTypes: true});
  for (const file of packs.filter(entry => entry.isFile()))
    await writeFile(join(file.parentPath, file.name), 'damage');
  await run(['snapshot', 'get', 'secret/db', '-f', plan], 1);
  await run(['repository', 'check', '--read-data', '-f', plan], 3);
  await plane.stop();
  await run(['snapshot', 'create', plan], 1);

  const files = (await readdir(dir, {recursive: true, withFileTypes: true})).filter(entry => entry.isFile());
  expect(files.length).toBeGreaterThan(8);
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    expectNone(await readFile(path, 'latin1'), path);
  }
});

it('the test would see them', async () => {
  expect(() => expectNone(`x${planted[0]}x`, 'here')).toThrow();
  expect(forms).toHaveLength(12);
});
