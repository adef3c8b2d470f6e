import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {connectCluster} from '../../src/cluster/client.ts';
import {removeLocalCluster} from '../../src/local/down.ts';
import {makeLocalCluster} from '../../src/local/up.ts';
import {at} from '../../src/std/json-at.ts';
import {waitFor} from '../../src/std/wait.ts';
import {leftOf} from './footprint.ts';

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {name: 'web'},
  spec: {
    replicas: 50,
    selector: {matchLabels: {app: 'web'}},
    template: {
      metadata: {labels: {app: 'web'}},
      spec: {containers: [{name: 'web', image: 'localhost/none:1'}]},
    },
  },
};

test('a simulated node has fifty pods ready in seconds, without a container', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'pra-kwok-'));
  process.env.PRA_STATE_DIR = dir;
  const name = `test-kwok-${process.pid}`;
  try {
    const signal = AbortSignal.timeout(60_000);
    const made = await makeLocalCluster({name, node: 'kwok', isolated: true, images: [], signal});
    const cluster = await connectCluster({kubeconfig: made.kubeconfigPath});
    const path = '/apis/apps/v1/namespaces/default/deployments';
    await cluster.request('POST', path, {body: DEPLOYMENT});
    const ready = () => cluster.request('GET', `${path}/web`).then(web => at(web, 'status', 'readyReplicas'));
    await waitFor(async () => ((await ready()) === 50 ? true : undefined), {
      waitingFor: 'fifty simulated pods',
      timeoutMs: 20_000,
    });
    expect((await leftOf(name)).some(line => line.includes('containerd'))).toBe(false);
    await cluster.close();
  } finally {
    await removeLocalCluster({name});
    delete process.env.PRA_STATE_DIR;
    await rm(dir, {recursive: true, force: true});
  }
  expect(await leftOf(name)).toEqual([]);
});
