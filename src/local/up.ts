import {existsSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import type {Cluster} from '../cluster/client.ts';
import {messageOf, PraError} from '../errors.ts';
import {pidStartedAt} from '../std/pid.ts';
import {withDeadline} from '../std/wait.ts';
import {requireLinuxRoot} from '../tool/platform.ts';
import {resolveTool} from '../tool/resolve.ts';
import {createAddons} from './addon.ts';
import {BringUp, type LocalClusterOptions} from './bring-up.ts';
import {describeCluster, type LocalCluster} from './describe.ts';
import {removeLocalCluster} from './down.ts';
import {withHostLock} from './host.ts';
import {type Layout, layoutFor, RUN_DIR} from './layout.ts';
import {findFreeSubnet, makeNetwork} from './network.ts';
import {NODE_NAME} from './node.ts';
import {makePki, type Pki} from './pki.ts';
import {startApiServer, startControllers, untilPodsCanBeMade} from './start-control-plane.ts';
import {
  startKubelet,
  startNodeAddons,
  startRuntime,
  untilDnsAnswers,
  untilNodeIsReady,
} from './start-node.ts';
import {startSimulatedNode} from './start-simulated-node.ts';
import {bootId, type LocalProcess, type LocalState} from './state.ts';

const UP_TIMEOUT_MS = 120_000;

export type {LocalClusterOptions};

/** What each kind of cluster runs. */
const CONTROL_PLANE = ['etcd', 'kube-apiserver', 'kube-controller-manager'];
const PROGRAMS: Record<LocalState['node'], readonly string[]> = {
  none: CONTROL_PLANE,
  kwok: [...CONTROL_PLANE, 'kube-scheduler', 'kwok'],
  kubelet: [
    ...CONTROL_PLANE,
    'kube-scheduler',
    'kubelet',
    'kube-proxy',
    'coredns',
    'local-path-provisioner',
    'containerd',
  ],
};

/**
 * Brings up one real, hardened, single-node cluster in a network namespace of its own, in about 5 s.
 * @throws PraError LOCAL_CLUSTER_FAILED that names the component that failed, with its last words; what was made is
 * removed. PLATFORM_UNSUPPORTED, TOOL_MISSING.
 */
export async function makeLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  requireLinuxRoot();
  const layout = layoutFor(options.name);
  // Before anything is started: obtaining one may take minutes.
  for (const program of PROGRAMS[options.node])
    await resolveTool(program, {signal: options.signal, onProgress: options.onProgress});
  await claimName(layout);
  try {
    const bringUp = await prepare(layout, {...options, signal: withDeadline(UP_TIMEOUT_MS, options.signal)});
    return await build(bringUp);
  } catch (error) {
    await removeLocalCluster({name: options.name}).catch(() => undefined);
    options.signal.throwIfAborted();
    if (error instanceof PraError) throw error;
    throw new PraError('LOCAL_CLUSTER_FAILED', `the local cluster ${options.name} did not come up`, {
      why: messageOf(error),
      cause: error,
    });
  }
}

/** Takes the name, which all parts of the cluster are found by, so that no other can use it. @throws PraError LOCAL_CLUSTER_FAILED */
async function claimName(layout: Layout): Promise<void> {
  await mkdir(RUN_DIR, {recursive: true, mode: 0o700});
  const claimed = await mkdir(layout.run, {mode: 0o700}).then(
    () => true,
    () => false,
  );
  if (claimed && !existsSync(layout.stateFile)) return;
  throw new PraError('LOCAL_CLUSTER_FAILED', `there is already a local cluster ${layout.name}`, {
    next: [`node bin/local-cluster.js down --name ${layout.name}`],
  });
}

async function prepare(layout: Layout, options: LocalClusterOptions): Promise<BringUp> {
  for (const dir of [layout.dir, layout.pki, layout.logs, layout.etc, join(layout.dir, 'tmp')])
    await mkdir(dir, {recursive: true, mode: 0o700});
  await mkdir(join(layout.dir, 'volumes'), {recursive: true, mode: 0o755});
  const owner: LocalProcess = {name: 'up', pid: process.pid, startedAt: pidStartedAt(process.pid) ?? 'gone'};
  const {name, node, isolated, signal} = options;
  const state = {name, node, isolated, bootId: bootId(), owner, subnet: 0, processes: [], ready: false};
  const bringUp = new BringUp(layout, options, state);
  await withHostLock(async () => {
    const subnet = await findFreeSubnet(signal);
    bringUp.record({subnet});
    await makeNetwork(layout, {subnet, isolated, signal});
  }, signal);
  return bringUp;
}

/** The parts of one cluster in the order in which they need each other; everything that can goes side by side. */
async function build(bringUp: BringUp): Promise<LocalCluster> {
  const {layout, nodeIp, options, signal} = bringUp;
  const runtime = options.node === 'kubelet' ? startRuntime(bringUp) : undefined;
  runtime?.catch(() => undefined); // awaited below; until then a failure must not count as unhandled
  const pki = await makePki(layout.pki, NODE_NAME, nodeIp, signal);
  const admin = await startApiServer(bringUp, pki);
  try {
    await Promise.all([
      startControllers(bringUp, pki),
      createAddons(admin, {layout, nodeIp, node: options.node, signal}),
      startNode(bringUp, {pki, admin, runtime}),
    ]);
    if (options.node === 'kubelet') await startNodeAddons(bringUp, pki);
    await untilPodsCanBeMade(bringUp, admin);
    if (options.node !== 'none') await untilNodeIsReady(bringUp, admin);
    if (options.node === 'kubelet') await untilDnsAnswers(bringUp);
    return await describeCluster(bringUp, pki, admin);
  } finally {
    await admin.close();
  }
}

async function startNode(
  bringUp: BringUp,
  parts: {pki: Pki; admin: Cluster; runtime: Promise<LocalProcess> | undefined},
): Promise<void> {
  if (parts.runtime) await startKubelet(bringUp, parts.pki, await parts.runtime);
  else if (bringUp.options.node === 'kwok') await startSimulatedNode(bringUp, parts.pki, parts.admin);
}
