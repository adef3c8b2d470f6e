import {readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';
import {basename, join} from 'node:path';
import {type Layout, layoutFor} from '../../src/local/layout.ts';
import {runProcess} from '../../src/std/process.ts';

/** Places of the machine that containers leave files in unless somebody takes care. */
const SHARED = [
  '/run/containerd/s',
  '/run/containerd/runc/k8s.io',
  '/var/lib/cni/results',
  '/var/log/containers',
];
const SETTINGS = ['kernel/panic', 'kernel/panic_on_oops', 'vm/overcommit_memory', 'vm/panic_on_oom'];

const list = (dir: string) => {
  try {
    return readdirSync(dir).sort();
  } catch {
    return [];
  }
};

/** Settings of the machine that a kubelet likes to change. */
export const settings = () => SETTINGS.map(name => readFileSync(`/proc/sys/${name}`, 'utf8').trim());

/** What can be seen only while a cluster is up, and by which its rests are found when it is gone. */
export interface Traces {
  /** Number of its network namespace, by which processes are found even when nothing else names them. */
  netns: number;
  /** Ids of its containers and names of the sockets of their shims. */
  containers: string[];
}

export function tracesOf(name: string): Traces {
  const layout = layoutFor(name);
  const tasks = join(layout.run, 'containerd/io.containerd.runtime.v2.task/k8s.io');
  const ids = list(tasks);
  const sockets = ids.map(id => basename(readFileSync(join(tasks, id, 'address'), 'utf8').trim()));
  return {netns: statSync(layout.netnsPath).ino, containers: [...ids, ...sockets]};
}

/** Everything on this machine that belongs to a cluster, one line each; empty when it is gone. */
export async function leftOf(name: string, traces?: Traces): Promise<string[]> {
  const layout = layoutFor(name);
  const {stdout: rules} = await runProcess('iptables-save', []);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [
    ...processesOf(layout, traces?.netns),
    ...SHARED.flatMap(list).filter(file => traces?.containers.some(id => file.includes(id))),
    ...mounts.filter(line => [layout.dir, layout.run, layout.netns].some(part => line.includes(part))),
    ...list('/run/netns').filter(entry => entry === layout.netns),
    ...list('/sys/class/net').filter(entry => entry === layout.hostLink),
    ...rules.split('\n').filter(line => line.includes(layout.netns)),
    ...cgroupsOf(layout),
    ...loopsOf(layout),
    ...[layout.dir, layout.run, layout.outputs].filter(path => statSync(path, {throwIfNoEntry: false})),
  ];
}

function processesOf(layout: Layout, netns: number | undefined): string[] {
  return list('/proc')
    .filter(pid => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap(pid => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const ours =
          [`${layout.dir}/`, `${layout.run}/`].some(path => command.includes(path)) ||
          readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(layout.cgroup) ||
          (netns !== undefined && readlinkSync(`/proc/${pid}/ns/net`) === `net:[${netns}]`);
        return ours ? [`process ${pid} ${command}`] : [];
      } catch {
        return []; // It ended while it was looked at.
      }
    });
}

function cgroupsOf({cgroup}: Layout): string[] {
  const root = '/sys/fs/cgroup';
  return [cgroup, ...list(root).map(entry => join(entry, cgroup))].filter(path =>
    statSync(join(root, path), {throwIfNoEntry: false}),
  );
}

function loopsOf({dir}: Layout): string[] {
  return list('/sys/block').flatMap(device => {
    try {
      const file = readFileSync(`/sys/block/${device}/loop/backing_file`, 'utf8').trim();
      return file.startsWith(`${dir}/`) ? [`loop device ${device} ${file}`] : [];
    } catch {
      return []; // It is of another kind, or has no file.
    }
  });
}
