import {existsSync} from 'node:fs';
import {readFile, rm} from 'node:fs/promises';
import {PraError} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {isSameProcess} from '../std/pid.ts';
import {runProcess} from '../std/process.ts';
import {sleep} from '../std/wait.ts';
import {cgroupPids, removeCgroup} from './cgroup.ts';
import {type Layout, layoutOf} from './layout.ts';
import {removeNetwork} from './network.ts';
import {type LocalProcess, readState} from './state.ts';

/** Short enough for a link's name, and the same for the same name. */
export const layoutFor = (name: string): Layout => layoutOf(name, sha256(name).slice(0, 8));

/**
 * Removes a local cluster whole: processes, pods, mounts, namespace, link, rules, cgroups, files. It works from what was
 * recorded before each part was made, so also after a crash; a cluster that is not there is no error.
 * @throws PraError LOCAL_CLUSTER_FAILED that names what is left.
 */
export async function removeLocalCluster(options: {name: string; signal?: AbortSignal}): Promise<void> {
  const layout = layoutFor(options.name);
  const state = readState(layout);
  if (!state && !existsSync(layout.dir) && !existsSync(layout.netnsPath)) return;
  // The kubelet first, or it starts anew what is being stopped.
  const order = ['kubelet', 'kwok', 'local-path', 'kube-controller-manager', 'containerd'];
  const rank = (entry: LocalProcess) =>
    order.includes(entry.name) ? order.indexOf(entry.name) : order.length;
  const processes = (state?.processes ?? []).toSorted((a, b) => rank(a) - rank(b));
  await killAll(processes);
  await killPids(() => cgroupPids(layout.cgroup));
  await killPids(() => namespacePids(layout));
  await unmountBelow([layout.dir, layout.run]);
  if (state) await removeNetwork(layout, state.subnet, state.isolated);
  await removeCgroup(layout.cgroup);
  await rm(layout.outputs, {force: true});
  await rm(layout.run, {recursive: true, force: true});
  await rm(layout.dir, {recursive: true, force: true});
  if (existsSync(layout.netnsPath)) {
    throw new PraError(
      'LOCAL_CLUSTER_FAILED',
      `the local cluster ${options.name} could not be removed whole`,
      {
        why: `the network namespace ${layout.netns} is still there`,
        next: [`ip netns del ${layout.netns}`],
      },
    );
  }
}

/** Our own daemons, by pid and start time, so that a pid that was used again is never touched. */
async function killAll(processes: readonly LocalProcess[]): Promise<void> {
  for (const {pid, startedAt} of processes) {
    if (isSameProcess(pid, startedAt)) process.kill(pid, 'SIGKILL');
  }
  for (let i = 0; i < 100 && processes.some(({pid, startedAt}) => isSameProcess(pid, startedAt)); i += 1)
    await sleep(20);
}

async function killPids(find: () => Promise<number[]>): Promise<void> {
  for (let i = 0; i < 100; i += 1) {
    const pids = await find();
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in the meantime.
      }
    }
    await sleep(50);
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

/** Deepest first; a mount that is busy is taken out of sight and ends with its last user. */
async function unmountBelow(dirs: readonly string[]): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map(line => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  const ours = mounts.filter(mount => dirs.some(dir => mount === dir || mount.startsWith(`${dir}/`)));
  for (const mount of ours.sort((a, b) => b.length - a.length))
    await runProcess('umount', ['-l', mount], {okCodes: [32]});
}
