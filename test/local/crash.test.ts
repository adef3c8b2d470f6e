import {spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {connectCluster} from '../../src/cluster/client.ts';
import {readIdentity} from '../../src/cluster/identity.ts';
import {removeLocalCluster} from '../../src/local/down.ts';
import {layoutFor} from '../../src/local/layout.ts';
import {listLocalClusters} from '../../src/local/list.ts';
import {builtInTarget} from '../../src/local/module.ts';
import {makeLocalCluster} from '../../src/local/up.ts';
import {packageRoot} from '../../src/std/paths.ts';
import {sleep, waitFor} from '../../src/std/wait.ts';
import {destroyTarget} from '../../src/terraform/run.ts';
import {prepareWorkspace} from '../../src/terraform/workspace.ts';
import {resolveTerraform} from '../../src/tool/terraform.ts';
import {leftOf, tracesOf} from './footprint.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-crash-'));
  process.env.PRA_STATE_DIR = dir;
});

afterAll(async () => {
  delete process.env.PRA_STATE_DIR;
  await rm(dir, {recursive: true, force: true});
});

const script = join(packageRoot(), 'bin', 'local-cluster.js');
const nameOf = (text: string) => `test-${text}-${process.pid}`;

/** Brings a cluster up in a process that can be killed. */
function upInBackground(name: string, node: string) {
  const child = spawn(process.execPath, [script, 'up', '--name', name, '--node', node], {stdio: 'ignore'});
  const ended = new Promise<NodeJS.Signals | number | null>(resolve => {
    child.once('exit', (code, signal) => resolve(signal ?? code));
  });
  return {child, ended};
}

const make = (name: string, node: 'none' | 'kubelet' | 'kwok') =>
  makeLocalCluster({name, node, isolated: true, images: [], signal: AbortSignal.timeout(60_000)});

describe('a local cluster whose making is killed', () => {
  test.each([250, 900, 2000, 4000])('after %i ms leaves nothing once it is removed', async afterMs => {
    const name = nameOf(`k${afterMs}`);
    const {child, ended} = upInBackground(name, 'kubelet');
    await sleep(afterMs);
    child.kill('SIGKILL');
    await ended;
    await removeLocalCluster({name});
    expect(await leftOf(name)).toEqual([]);
  });

  test('is removed while it is still being made', async () => {
    const name = nameOf('race');
    const {ended} = upInBackground(name, 'none');
    await sleep(1200);
    await removeLocalCluster({name});
    expect(await ended).not.toBe(0);
    expect(await leftOf(name)).toEqual([]);
  });

  test('is removed by terraform destroy, even when terraform itself was killed', async () => {
    const name = nameOf('tf');
    const workspace = await prepareWorkspace({
      binary: (await resolveTerraform()).path,
      moduleDir: builtInTarget(),
      dir: join(dir, 'run'),
      vars: {name, node: 'none', node_binary: process.execPath},
      offered: {},
    });
    const args = [`-chdir=${workspace.moduleDir}`];
    const env = {...process.env, ...workspace.env};
    const files = [
      `-state=${join(workspace.dir, 'terraform.tfstate')}`,
      `-var-file=${workspace.varFiles[0]}`,
    ];
    const init = spawn(workspace.binary, [...args, 'init'], {env, stdio: 'ignore'});
    await new Promise(resolve => init.once('exit', resolve));
    const terraform = spawn(workspace.binary, [...args, 'apply', '-auto-approve', ...files], {
      env,
      stdio: 'ignore',
      detached: true,
    });
    await waitFor(async () => ((await leftOf(name)).some(line => line.includes('etcd')) ? true : undefined), {
      waitingFor: 'etcd',
      timeoutMs: 30_000,
      intervalMs: 50,
    });
    const traces = tracesOf(name);
    // Its whole process group: the program that makes the cluster dies with it.
    if (terraform.pid !== undefined) process.kill(-terraform.pid, 'SIGKILL');
    await destroyTarget(workspace, {timeoutMs: 60_000});
    expect(await leftOf(name, traces)).toEqual([]);
  });
});

describe('local clusters', () => {
  test('live side by side, and one goes without the other', async () => {
    const [one, two] = [nameOf('one'), nameOf('two')];
    try {
      const made = await Promise.all([make(one, 'none'), make(two, 'none')]);
      expect(new Set(made.map(cluster => cluster.endpoint)).size).toBe(2);
      expect(new Set(made.map(cluster => cluster.facts.clusterUid)).size).toBe(2);
      expect((await listLocalClusters()).filter(line => line.includes('\tup,'))).toHaveLength(2);
      await removeLocalCluster({name: one});
      expect(await leftOf(one)).toEqual([]);
      const cluster = await connectCluster({kubeconfig: made[1].kubeconfigPath});
      expect((await readIdentity(cluster, {})).uid).toBe(made[1].facts.clusterUid);
      await cluster.close();
      await expect(make(two, 'none')).rejects.toThrow(/already a local cluster/);
      expect((await leftOf(two)).length).toBeGreaterThan(5);
    } finally {
      await Promise.all([one, two].map(name => removeLocalCluster({name})));
    }
    expect(await leftOf(two)).toEqual([]);
  });

  test('one whose part dies says which, with its last words, and leaves nothing', async () => {
    const name = nameOf('dies');
    process.env.PRA_KUBE_APISERVER = '/bin/ls';
    try {
      await expect(make(name, 'none')).rejects.toMatchObject({
        code: 'LOCAL_CLUSTER_FAILED',
        message: 'kube-apiserver ended while the cluster was coming up',
        why: expect.stringContaining('unrecognized option'),
      });
    } finally {
      delete process.env.PRA_KUBE_APISERVER;
    }
    expect(await leftOf(name)).toEqual([]);
  });

  test('a name that cannot be part of paths is refused', () => {
    for (const name of ['', '../x', 'A', 'x y', '-x', 'x'.repeat(53)])
      expect(() => layoutFor(name)).toThrow(/is not a name/);
  });

  test('a folder too deep for sockets is refused', () => {
    process.env.PRA_STATE_DIR = `/tmp/${'x'.repeat(80)}`;
    try {
      expect(() => layoutFor('shop')).toThrow(/too long/);
    } finally {
      process.env.PRA_STATE_DIR = dir;
    }
  });
});
