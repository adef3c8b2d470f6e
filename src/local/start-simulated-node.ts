import {join} from 'node:path';
import type {Cluster} from '../cluster/client.ts';
import {packageRoot} from '../std/paths.ts';
import {ADMIN_GROUP} from './addon.ts';
import type {BringUp} from './bring-up.ts';
import {NODE_NAME} from './node.ts';
import type {Pki} from './pki.ts';

/** Large enough that no test is ever short of room. */
const CAPACITY = {cpu: '1000', memory: '4Ti', pods: '100000'};

/** Starts kwok, which plays the kubelet: its pods become Running and Ready without a container. */
export async function startSimulatedNode(bringUp: BringUp, pki: Pki, admin: Cluster): Promise<void> {
  bringUp.tell('starting the simulated node');
  const kubeconfig = await bringUp.kubeconfig(pki, 'kwok', 'pra:kwok', ADMIN_GROUP);
  await bringUp.start('kwok', [
    `--kubeconfig=${kubeconfig}`,
    `--config=${join(packageRoot(), 'terraform', 'local', 'simulated-node.yaml')}`,
    '--manage-all-nodes=true',
    '--node-lease-duration-seconds=40',
    '--enable-crds=',
  ]);
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {name: NODE_NAME, labels: {'kubernetes.io/hostname': NODE_NAME, type: 'kwok'}},
    status: {capacity: CAPACITY, allocatable: CAPACITY},
  };
  await admin.request('POST', '/api/v1/nodes', {body: node, signal: bringUp.signal});
}
