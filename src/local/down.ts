import {existsSync} from 'node:fs';
import {readFile, rm} from 'node:fs/promises';
import {PraError} from '../errors.ts';
import {isSameProcess} from '../std/pid.ts';
import {runProcess} from '../std/process.ts';
import {sleep} from '../std/wait.ts';
import {cgroupPids, hasCgroup, removeCgroup} from './cgroup.ts';
import {hasRules} from './firewall.ts';
import {restoreHost, withHostLock} from './host.ts';
import {type Layout, layoutFor} from './layout.ts';
import {removeNetwork} from './network.ts';
import {bootId, type LocalProcess, readState} from './state.ts';

const OWNER_STOPS_MS = 20_000;

/**
 * Removes a local cluster whole: processes, pods, mounts, namespace, link, rules, cgroups, files. It works from what was
 * recorded before each part was made and from the cluster's name, so also after a crash; a cluster that is not there is
 * no error.
 * @returns whether there was anything to remove
 * @throws PraError LOCAL_CLUSTER_FAILED that names what is left.
 */
export async function removeLocalCluster(options: {name: string; signal?: AbortSignal}): Promise<boolean> {
  const layout = layoutFor(options.name);
  if (![layout.dir, layout.run, layout.netnsPath, layout.outputs].some(existsSync)) return false;
  const state = readState(layout.stateFile);
  const processes = state?.bootId === bootId() ? state.processes : [];
  if (state?.bootId === bootId()) await stopOwner(state.owner);
  // The kubelet first, or it starts anew what is being stopped.
  const order = ['kubelet', 'kwok', 'local-path-provisioner', 'kube-controller-manager', 'containerd'];
  const rank = (entry: LocalProcess) =>
    order.includes(entry.name) ? order.indexOf(entry.name) : order.length;
  await killAll(processes.toSorted((a, b) => rank(a) - rank(b)));
  await killPids(() => cgroupPids(layout.cgroup));
  await killPids(() => namespacePids(layout));
  await unmountBelow([layout.dir, layout.run]);
  await removeCgroup(layout.cgroup);
  await withHostLock(async () => {
    await removeNetwork(layout);
    const left = await leftovers(layout);
    if (left.length > 0) {
      throw new PraError(
        'LOCAL_CLUSTER_FAILED',
        `the local cluster ${layout.name} could not be removed whole`,
        {
          why: `still there: ${left.join(', ')}`,
          next: [`node bin/local-cluster.js down --name ${layout.name}`],
        },
      );
    }
    // The folders last: as long as they are there, the cluster is listed and can be removed again.
    await rm(layout.outputs, {force: true});
    await rm(layout.dir, {recursive: true, force: true});
    await rm(layout.run, {recursive: true, force: true});
    restoreHost();
  }, options.signal);
  return true;
}

/** Whoever brings the cluster up must end first, or it would start anew what is being removed. */
async function stopOwner(owner: LocalProcess): Promise<void> {
  if (owner.pid === process.pid) return;
  const runs = () => isSameProcess(owner.pid, owner.startedAt);
  if (!runs()) return;
  kill(owner.pid, 'SIGTERM');
  for (let waitedMs = 0; runs() && waitedMs < OWNER_STOPS_MS; waitedMs += 50) await sleep(50);
  if (runs()) kill(owner.pid, 'SIGKILL');
}

/** Our own daemons, by pid and start time, so that a pid that was used again is never touched. */
async function killAll(processes: readonly LocalProcess[]): Promise<void> {
  for (const {pid, startedAt} of processes) {
    if (isSameProcess(pid, startedAt)) kill(pid, 'SIGKILL');
  }
  for (let i = 0; i < 250 && processes.some(({pid, startedAt}) => isSameProcess(pid, startedAt)); i += 1)
    await sleep(20);
}

async function killPids(find: () => Promise<number[]>): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    const pids = await find();
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid, 'SIGKILL');
    await sleep(25);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}

/** Whatever still runs inside the cluster's network namespace, containerd's shims among it. */
async function namespacePids(layout: Layout): Promise<number[]> {
  if (!existsSync(layout.netnsPath)) return [];
  const {stdout} = await runProcess('ip', ['netns', 'pids', layout.netns], {okCodes: [1, 255]});
  return stdout
    .split('\n')
    .filter(line => line !== '')
    .map(Number);
}

/** Mounts of the host below these folders. There should be none: pods mount in a namespace of their own. */
async function mountsBelow(dirs: readonly string[]): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(line => {
    const place = line.split(' ')[4] ?? '';
    return place.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)));
  });
  return mounts.filter(mount => dirs.some(dir => mount === dir || mount.startsWith(`${dir}/`)));
}

/** Deepest first; a mount that is busy is taken out of sight and ends with its last user. */
async function unmountBelow(dirs: readonly string[]): Promise<void> {
  for (const mount of (await mountsBelow(dirs)).sort((a, b) => b.length - a.length))
    await runProcess('umount', ['-l', mount], {okCodes: [1, 32]});
}

/** What could not be removed. Nothing is deleted below a mount: it may be a folder of the host. */
async function leftovers(layout: Layout): Promise<string[]> {
  const [mounts, rules, pods, processes] = await Promise.all([
    mountsBelow([layout.dir, layout.run]),
    hasRules(layout),
    cgroupPids(layout.cgroup),
    namespacePids(layout),
  ]);
  return [
    ...mounts.map(mount => `mount ${mount}`),
    ...[...new Set([...pods, ...processes])].map(pid => `process ${pid}`),
    ...(rules ? ['firewall rules'] : []),
    ...(hasCgroup(layout.cgroup) ? [`cgroup ${layout.cgroup}`] : []),
    ...(existsSync(layout.netnsPath) ? [`network namespace ${layout.netns}`] : []),
    ...(existsSync(`/sys/class/net/${layout.hostLink}`) ? [`link ${layout.hostLink}`] : []),
  ];
}
