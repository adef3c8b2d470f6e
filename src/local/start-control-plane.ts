import {type Cluster, connectCluster} from '../cluster/client.ts';
import type {BringUp} from './bring-up.ts';
import {
  apiServerArgs,
  controllerManagerArgs,
  etcdArgs,
  schedulerArgs,
  writeApiServerConfig,
} from './control-plane.ts';
import type {Pki} from './pki.ts';

/** Starts etcd and the API server. @returns a client that may do everything; close it. */
export async function startApiServer(bringUp: BringUp, pki: Pki): Promise<Cluster> {
  const {layout, nodeIp, signal} = bringUp;
  const plane = {layout, pki, nodeIp};
  bringUp.tell('starting etcd and the API server');
  await writeApiServerConfig(plane);
  await bringUp.start('etcd', etcdArgs(plane));
  await bringUp.start('kube-apiserver', apiServerArgs(plane));
  // system:masters bypasses RBAC; it is used once, to give the real administrators their role, and then thrown away.
  const bootstrap = await bringUp.kubeconfig(pki, 'bootstrap', 'pra:bootstrap', 'system:masters');
  const cluster = await connectCluster({kubeconfig: bootstrap});
  const isReady = async () =>
    (await cluster.requestText('GET', '/readyz', {signal, timeoutMs: 2000}).catch(() => '')) === 'ok';
  await bringUp.until('the API server to be ready', isReady, 50);
  return cluster;
}

/** Starts the controller manager, and the scheduler where there is a node to schedule to. */
export async function startControllers(bringUp: BringUp, pki: Pki): Promise<void> {
  const {layout, nodeIp, options} = bringUp;
  const plane = {layout, pki, nodeIp};
  const manager = await bringUp.kubeconfig(pki, 'kube-controller-manager', 'system:kube-controller-manager');
  await bringUp.start('kube-controller-manager', controllerManagerArgs(plane, manager));
  if (options.node === 'none') return;
  const scheduler = await bringUp.kubeconfig(pki, 'kube-scheduler', 'system:kube-scheduler');
  await bringUp.start('kube-scheduler', schedulerArgs(plane, scheduler));
}

/** Pods are refused until the controller manager has made the service account of their namespace. */
export async function untilPodsCanBeMade(bringUp: BringUp, admin: Cluster): Promise<void> {
  const path = '/api/v1/namespaces/default/serviceaccounts/default';
  const {signal} = bringUp;
  const isThere = () =>
    admin.request('GET', path, {signal, timeoutMs: 5000}).then(
      () => true,
      () => false,
    );
  await bringUp.until('the default service account', isThere, 50);
}
