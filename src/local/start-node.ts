import {Resolver} from 'node:dns/promises';
import {existsSync} from 'node:fs';
import type {Cluster} from '../cluster/client.ts';
import {baseImages} from '../image/busybox.ts';
import {at} from '../std/json-at.ts';
import {COREDNS_USER, LOCAL_PATH_USER, localPathArgs, writeCorefile, writeStorageConfig} from './addon.ts';
import type {BringUp} from './bring-up.ts';
import {makeCgroup} from './cgroup.ts';
import {CLUSTER_DOMAIN, SERVICE_IP} from './layout.ts';
import {makeMounts} from './mounts.ts';
import {
  containerdSocket,
  importImage,
  kubeletArgs,
  NODE_NAME,
  writeContainerdConfig,
  writeKubeletConfig,
  writeProxyConfig,
} from './node.ts';
import type {Pki} from './pki.ts';
import type {LocalProcess} from './state.ts';

/** Starts containerd in mounts of its own and imports the images. @returns the process that holds the mounts. */
export async function startRuntime(bringUp: BringUp): Promise<LocalProcess> {
  const {layout, options, signal} = bringUp;
  await makeCgroup(layout.cgroup);
  const holder = await makeMounts(layout, {signal, record: started => bringUp.recordProcess(started)});
  await bringUp.start('containerd', ['--config', await writeContainerdConfig(layout)], holder);
  await bringUp.until('containerd', () => existsSync(containerdSocket(layout)), 20);
  for (const archive of [...(await baseImages(signal)), ...options.images]) {
    bringUp.tell(`importing ${archive.slice(archive.lastIndexOf('/') + 1)}`);
    await importImage(layout, archive, signal);
  }
  return holder;
}

/** Starts the kubelet and kube-proxy; the API server must be ready. */
export async function startKubelet(bringUp: BringUp, pki: Pki, mounts: LocalProcess): Promise<void> {
  bringUp.tell('starting the node');
  const node = {layout: bringUp.layout, pki, nodeIp: bringUp.nodeIp};
  const [kubelet, proxy] = await Promise.all([
    bringUp.kubeconfig(pki, 'kubelet', `system:node:${NODE_NAME}`, 'system:nodes'),
    bringUp.kubeconfig(pki, 'kube-proxy', 'system:kube-proxy'),
  ]);
  await bringUp.start('kubelet', kubeletArgs(node, await writeKubeletConfig(node), kubelet), mounts);
  await bringUp.start('kube-proxy', [`--config=${await writeProxyConfig(node, proxy)}`]);
}

/** Starts DNS and the storage provisioner beside the cluster; their objects must be there. */
export async function startNodeAddons(bringUp: BringUp, pki: Pki): Promise<void> {
  const {layout, nodeIp, options} = bringUp;
  const [dns, storage] = await Promise.all([
    bringUp.kubeconfig(pki, 'coredns', COREDNS_USER),
    bringUp.kubeconfig(pki, 'local-path', LOCAL_PATH_USER),
  ]);
  const corefile = await writeCorefile(layout, {nodeIp, kubeconfig: dns, isolated: options.isolated});
  await bringUp.start('coredns', ['-conf', corefile]);
  await bringUp.start('local-path-provisioner', localPathArgs(await writeStorageConfig(layout), storage));
}

/** Until the node takes pods: Ready, and no longer marked as not. */
export async function untilNodeIsReady(bringUp: BringUp, admin: Cluster): Promise<void> {
  const {signal} = bringUp;
  const isReady = async () => {
    const node = await admin
      .request('GET', `/api/v1/nodes/${NODE_NAME}`, {signal, timeoutMs: 5000})
      .catch(() => undefined);
    const conditions = at(node, 'status', 'conditions');
    const taints = at(node, 'spec', 'taints');
    return (
      Array.isArray(conditions) &&
      conditions.some(entry => at(entry, 'type') === 'Ready' && at(entry, 'status') === 'True') &&
      (!Array.isArray(taints) || taints.length === 0)
    );
  };
  await bringUp.until('the node to be Ready', isReady, 50);
}

/** Until DNS answers with what it read from the API server. */
export async function untilDnsAnswers(bringUp: BringUp): Promise<void> {
  const answers = async () => {
    const resolver = new Resolver({timeout: 500, tries: 1});
    resolver.setServers([bringUp.nodeIp]);
    const found = await resolver
      .resolve4(`kubernetes.default.svc.${CLUSTER_DOMAIN}`)
      .catch((): string[] => []);
    return found.includes(SERVICE_IP);
  };
  await bringUp.until('DNS to answer', answers, 50);
}
