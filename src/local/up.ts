import {existsSync} from 'node:fs';
import {chmod, mkdir, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {applyObject} from '../cluster/apply.ts';
import {type Cluster, connectCluster} from '../cluster/client.ts';
import {discoverResources} from '../cluster/discover.ts';
import {readIdentity} from '../cluster/identity.ts';
import {ResourceMap} from '../cluster/resource-map.ts';
import {messageOf, PraError} from '../errors.ts';
import {baseImages} from '../image/busybox.ts';
import {waitFor, withDeadline} from '../std/wait.ts';
import {resolveTool} from '../tool/resolve.ts';
import {
  ADMIN_GROUP,
  addonObjects,
  COREDNS_USER,
  LOCAL_PATH_USER,
  storageObjects,
  writeCorefile,
  writeStorageConfig,
} from './addon.ts';
import {makeCgroup} from './cgroup.ts';
import {
  apiServerArgs,
  auditLog,
  type ControlPlaneOptions,
  controllerManagerArgs,
  etcdArgs,
  schedulerArgs,
  writeApiServerConfig,
} from './control-plane.ts';
import {requireAlive, startDaemon} from './daemon.ts';
import {layoutFor, removeLocalCluster} from './down.ts';
import {type Layout, POD_CIDR, SERVICE_CIDR} from './layout.ts';
import {makeNetwork, nodeIp} from './network.ts';
import {
  containerdSocket,
  importImage,
  kubeletArgs,
  type NodeOptions,
  writeContainerdConfig,
  writeKubeletConfig,
  writeProxyConfig,
} from './node.ts';
import {type KeyPair, makePki, type Pki, writeKubeconfig} from './pki.ts';
import {type LocalState, writeState} from './state.ts';
import {claimSubnet} from './subnet.ts';

const UP_TIMEOUT_MS = 120_000;
const NODE_NAME = 'node-1';

export interface LocalClusterOptions {
  name: string;
  node: LocalState['node'];
  isolated: boolean;
  /** docker-archive files to import before pods can ask for them. */
  images: readonly string[];
  signal: AbortSignal;
  onProgress?: ((message: string) => void) | undefined;
}

export interface LocalCluster {
  kubeconfigPath: string;
  endpoint: string;
  facts: Record<string, string | boolean | number>;
}

/**
 * Brings up one real, hardened, single-node cluster in a network namespace of its own, in about 4 s.
 * @throws PraError LOCAL_CLUSTER_FAILED that names the component that failed, with its last words; what was made is removed.
 */
export async function makeLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const layout = layoutFor(options.name);
  if (existsSync(layout.stateFile)) {
    throw new PraError('LOCAL_CLUSTER_FAILED', `there is already a local cluster ${options.name}`, {
      next: [`node bin/local-cluster.js down --name ${options.name}`],
    });
  }
  const builder = new Builder(layout, {...options, signal: withDeadline(UP_TIMEOUT_MS, options.signal)});
  try {
    return await builder.build();
  } catch (error) {
    await removeLocalCluster({name: options.name}).catch(() => undefined);
    if (error instanceof PraError) throw error;
    throw new PraError('LOCAL_CLUSTER_FAILED', `the local cluster ${options.name} did not come up`, {
      why: messageOf(error),
      cause: error,
    });
  }
}

/** The parts of one cluster in the order in which they need each other; everything that can goes side by side. */
class Builder {
  private readonly layout: Layout;
  private readonly options: LocalClusterOptions;
  private state: LocalState;

  constructor(layout: Layout, options: LocalClusterOptions) {
    this.layout = layout;
    this.options = options;
    this.state = {
      name: options.name,
      node: options.node,
      isolated: options.isolated,
      subnet: 0,
      processes: [],
      ready: false,
    };
  }

  async build(): Promise<LocalCluster> {
    const {layout, options} = this;
    const {signal} = options;
    for (const dir of [layout.dir, layout.pki, layout.logs, layout.etc, layout.run])
      await mkdir(dir, {recursive: true, mode: 0o700});
    await mkdir(join(layout.dir, 'volumes'), {recursive: true});
    await this.makeNetwork();
    const ip = nodeIp(this.state.subnet);
    const [pki] = await Promise.all([
      makePki(layout.pki, NODE_NAME, ip, signal),
      options.node === 'kubelet' ? makeCgroup(layout.cgroup) : undefined,
    ]);
    const plane: ControlPlaneOptions = {layout, pki, nodeIp: ip};
    const node: NodeOptions = {layout, pki, nodeName: NODE_NAME, nodeIp: ip};
    const runtime = options.node === 'kubelet' ? this.startRuntime(node) : undefined;
    runtime?.catch(() => undefined); // awaited below; until then a failure must not count as unhandled
    const admin = await this.startApiServer(plane);
    try {
      await this.startControllers(plane, pki);
      await this.addAddons(admin, ip);
      await runtime;
      await this.startNode(node, pki, admin);
      await untilPodsCanBeMade(admin, signal);
      return await this.describe(pki, admin);
    } finally {
      await admin.close();
    }
  }

  private async makeNetwork(): Promise<void> {
    const {signal, isolated} = this.options;
    await claimSubnet(signal, async subnet => {
      this.state = {...this.state, subnet};
      writeState(this.layout, this.state);
      await makeNetwork(this.layout, subnet, isolated, signal);
    });
  }

  private tell(message: string): void {
    this.options.onProgress?.(message);
  }

  private async daemon(
    name: string,
    file: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<void> {
    startDaemon({
      layout: this.layout,
      name,
      file,
      args,
      env,
      onStart: started => {
        this.state = {...this.state, processes: [...this.state.processes, started]};
        writeState(this.layout, this.state);
      },
    });
  }

  private async tool(name: string): Promise<string> {
    const {path} = await resolveTool(name, {
      signal: this.options.signal,
      onProgress: message => this.tell(message),
    });
    return path;
  }

  private server(): string {
    return `https://${nodeIp(this.state.subnet)}:6443`;
  }

  private async kubeconfig(pki: Pki, name: string, user: string, organization?: string): Promise<string> {
    const file = join(this.layout.etc, `${name}.kubeconfig`);
    const client: KeyPair = await pki.client(name, user, organization);
    await writeKubeconfig(file, {
      server: this.server(),
      ca: pki.ca.cert,
      client,
      user,
      cluster: this.options.name,
    });
    return file;
  }

  private async startApiServer(plane: ControlPlaneOptions): Promise<Cluster> {
    this.tell('starting etcd and the API server');
    const [etcd, apiServer] = await Promise.all([
      this.tool('etcd'),
      this.tool('kube-apiserver'),
      writeApiServerConfig(plane),
    ]);
    await this.daemon('etcd', etcd, etcdArgs(plane));
    await this.daemon('kube-apiserver', apiServer, apiServerArgs(plane));
    // system:masters bypasses RBAC; it is used once, to give the real administrators their role, and then thrown away.
    const bootstrap = await this.kubeconfig(plane.pki, 'bootstrap', 'pra:bootstrap', 'system:masters');
    const cluster = await connectCluster({kubeconfig: bootstrap});
    await waitFor(
      async () => {
        requireAlive(this.layout, this.state.processes);
        const ready = await cluster
          .requestText('GET', '/readyz', {signal: this.options.signal, timeoutMs: 2000})
          .catch(() => undefined);
        return ready === 'ok' ? true : undefined;
      },
      {
        waitingFor: 'the API server to be ready',
        timeoutMs: 60_000,
        intervalMs: 50,
        signal: this.options.signal,
      },
    );
    return cluster;
  }

  private async startControllers(plane: ControlPlaneOptions, pki: Pki): Promise<void> {
    const [manager, scheduler, managerConfig, schedulerConfig] = await Promise.all([
      this.tool('kube-controller-manager'),
      this.tool('kube-scheduler'),
      this.kubeconfig(pki, 'kube-controller-manager', 'system:kube-controller-manager'),
      this.kubeconfig(pki, 'kube-scheduler', 'system:kube-scheduler'),
    ]);
    await this.daemon('kube-controller-manager', manager, controllerManagerArgs(plane, managerConfig));
    if (this.options.node !== 'none')
      await this.daemon('kube-scheduler', scheduler, schedulerArgs(plane, schedulerConfig));
  }

  private async addAddons(admin: Cluster, ip: string): Promise<void> {
    const {signal} = this.options;
    const types = new ResourceMap(await discoverResources(admin, {signal}));
    const objects = [
      ...addonObjects(ip),
      ...(this.options.node === 'kubelet' ? storageObjects(this.layout) : []),
    ];
    for (const object of objects) await applyObject(admin, types.of(object), object, {signal});
  }

  private async startRuntime(node: NodeOptions): Promise<void> {
    const {signal, images} = this.options;
    const snapshotter = 'overlayfs';
    const config = await writeContainerdConfig(node, snapshotter);
    await this.daemon('containerd', await this.tool('containerd'), ['--config', config]);
    await waitFor(
      async () => {
        requireAlive(this.layout, this.state.processes);
        return existsSync(containerdSocket(this.layout)) ? true : undefined;
      },
      {waitingFor: 'containerd', timeoutMs: 30_000, intervalMs: 50, signal},
    );
    for (const archive of [...(await baseImages(signal)), ...images]) {
      this.tell(`importing ${archive.slice(archive.lastIndexOf('/') + 1)}`);
      await importImage(this.layout, archive, snapshotter, signal);
    }
  }

  private async startNode(node: NodeOptions, pki: Pki, admin: Cluster): Promise<void> {
    const {options} = this;
    if (options.node === 'none') return;
    this.tell('starting the node');
    const dns = await this.kubeconfig(pki, 'coredns', COREDNS_USER);
    const corefile = await writeCorefile(this.layout, node.nodeIp, dns);
    if (options.node === 'kubelet') {
      const kubelet = await this.kubeconfig(pki, 'kubelet', `system:node:${NODE_NAME}`, 'system:nodes');
      const proxy = await this.kubeconfig(pki, 'kube-proxy', 'system:kube-proxy');
      const storage = await this.kubeconfig(pki, 'local-path', LOCAL_PATH_USER);
      await this.daemon(
        'kubelet',
        await this.tool('kubelet'),
        kubeletArgs(node, await writeKubeletConfig(node), kubelet),
      );
      await this.daemon('kube-proxy', await this.tool('kube-proxy'), [
        `--config=${await writeProxyConfig(node, proxy)}`,
      ]);
      await this.daemon(
        'local-path',
        await this.tool('local-path-provisioner'),
        localPathArgs(await writeStorageConfig(this.layout), storage),
      );
      await this.daemon('coredns', await this.tool('coredns'), ['-conf', corefile]);
    } else {
      const kwok = await this.kubeconfig(pki, 'kwok', 'pra:kwok', ADMIN_GROUP);
      await this.daemon('kwok', await this.tool('kwok'), kwokArgs(kwok));
      await makeSimulatedNode(admin, options.signal);
    }
    await waitFor(
      async () => {
        requireAlive(this.layout, this.state.processes);
        return (await nodeIsReady(admin, options.signal)) ? true : undefined;
      },
      {waitingFor: 'the node to be Ready', timeoutMs: 60_000, intervalMs: 100, signal: options.signal},
    );
  }

  private async describe(pki: Pki, admin: Cluster): Promise<LocalCluster> {
    const {layout, options} = this;
    const identity = await readIdentity(admin, {signal: options.signal});
    const client = await pki.client('admin', 'pra:admin', ADMIN_GROUP);
    await writeKubeconfig(layout.kubeconfig, {
      server: this.server(),
      ca: pki.ca.cert,
      client,
      user: 'pra:admin',
      cluster: options.name,
    });
    await chmod(layout.kubeconfig, 0o600);
    for (const leftover of ['client-bootstrap.crt', 'client-bootstrap.key'])
      await rm(join(layout.pki, leftover), {force: true});
    await rm(join(layout.etc, 'bootstrap.kubeconfig'), {force: true});
    this.state = {...this.state, ready: true};
    writeState(layout, this.state);
    const cluster: LocalCluster = {
      kubeconfigPath: layout.kubeconfig,
      endpoint: this.server(),
      facts: {
        provider: 'local',
        isolated: options.isolated,
        node: options.node,
        kubernetes: identity.version,
        clusterUid: identity.uid,
        anonymousAuth: false,
        authorization: 'Node,RBAC',
        auditLog: auditLog(layout),
        encryptionAtRest: 'secretbox',
        podSecurityDefault: 'baseline',
        podCidr: POD_CIDR,
        serviceCidr: SERVICE_CIDR,
      },
    };
    await writeFile(layout.outputs, JSON.stringify(cluster), {mode: 0o600});
    return cluster;
  }
}

const localPathArgs = (config: string, kubeconfig: string) => [
  'start',
  '--config',
  config,
  '--kubeconfig',
  kubeconfig,
  '--namespace',
  'local-path-storage',
  '--helper-image',
  'localhost/busybox:1',
  '--service-account-name',
  'local-path-provisioner-service-account',
  '--configmap-name',
  'local-path-config',
];

const kwokArgs = (kubeconfig: string) => [
  `--kubeconfig=${kubeconfig}`,
  '--manage-all-nodes=true',
  '--node-lease-duration-seconds=40',
  '--enable-crds=',
];

/** Pods are refused until the controller manager has made the service account of their namespace. */
async function untilPodsCanBeMade(admin: Cluster, signal: AbortSignal): Promise<void> {
  const path = '/api/v1/namespaces/default/serviceaccounts/default';
  await waitFor(async () => admin.request('GET', path, {signal, timeoutMs: 5000}).catch(() => undefined), {
    waitingFor: 'the default service account',
    timeoutMs: 30_000,
    intervalMs: 50,
    signal,
  });
}

async function makeSimulatedNode(admin: Cluster, signal: AbortSignal): Promise<void> {
  const capacity = {cpu: '64', memory: '256Gi', pods: '20000'};
  const object = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {name: NODE_NAME, labels: {'kubernetes.io/hostname': NODE_NAME}},
    status: {capacity, allocatable: capacity},
  };
  await admin.request('POST', '/api/v1/nodes', {body: object, signal});
}

async function nodeIsReady(admin: Cluster, signal: AbortSignal): Promise<boolean> {
  const node = await admin
    .request<unknown>('GET', `/api/v1/nodes/${NODE_NAME}`, {signal, timeoutMs: 5000})
    .catch(() => undefined);
  return /"type":"Ready","status":"True"|"status":"True"[^}]*"type":"Ready"/.test(
    JSON.stringify(node ?? {}).replaceAll(' ', ''),
  );
}
