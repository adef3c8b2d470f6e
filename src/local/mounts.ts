import {readlinkSync} from 'node:fs';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {waitFor} from '../std/wait.ts';
import {startDaemon} from './daemon.ts';
import {makeFolder, withHostLock} from './host.ts';
import type {Layout} from './layout.ts';
import type {LocalProcess} from './state.ts';

/** Folders at fixed places that containerd, its shims, CNI and the kubelet write into and that no option moves. */
const FOLDERS = ['/run/containerd', '/var/lib/cni', '/var/log/containers'];

/** Settings of the whole machine that the kubelet would change, and the values that it wants to read. */
const SETTINGS: Readonly<Record<string, string>> = {
  '/proc/sys/vm/overcommit_memory': '1',
  '/proc/sys/vm/panic_on_oom': '0',
  '/proc/sys/kernel/panic': '10',
  '/proc/sys/kernel/panic_on_oops': '1',
  '/proc/sys/kernel/keys/root_maxkeys': '1000000',
  '/proc/sys/kernel/keys/root_maxbytes': '25000000',
};

/**
 * Gives containerd and the kubelet mounts of their own, by a process that holds the namespace. All that pods mount
 * ends with the last of their processes, the host never sees it, and what they write at fixed places of the system
 * goes into the cluster's folder instead.
 * @param record told of the process at once.
 */
export async function makeMounts(
  layout: Layout,
  options: {signal: AbortSignal; record: (holder: LocalProcess) => void},
): Promise<LocalProcess> {
  const {signal} = options;
  await withHostLock(async () => FOLDERS.forEach(makeFolder), signal);
  const holder = startDaemon({
    layout,
    name: 'mounts',
    file: 'unshare',
    // The host's mounts and unmounts come in, nothing goes out.
    args: ['--mount', '--propagation', 'slave', 'sleep', 'infinity'],
  });
  options.record(holder);
  await untilSeparate(layout, holder, signal);
  const mount = (...args: string[]) =>
    runProcess('nsenter', [`--mount=/proc/${holder.pid}/ns/mnt`, 'mount', ...args], {signal});
  await mount('--make-rshared', '/');
  for (const folder of FOLDERS) {
    const own = join(layout.dir, 'host', folder);
    await mkdir(own, {recursive: true, mode: 0o755});
    await mount('--bind', own, folder);
  }
  for (const [setting, value] of Object.entries(SETTINGS)) {
    const own = join(layout.dir, 'host', setting.replaceAll('/', '_'));
    await writeFile(own, `${value}\n`, {mode: 0o644});
    await mount('--bind', own, setting);
  }
  return holder;
}

/** Until the holder has left the host's mounts: what is mounted before that would be mounted on the host. */
async function untilSeparate(layout: Layout, holder: LocalProcess, signal: AbortSignal): Promise<void> {
  const host = readlinkSync('/proc/self/ns/mnt');
  await waitFor(
    async () => {
      const name = await readFile(`/proc/${holder.pid}/comm`, 'utf8').catch(() => undefined);
      if (name === undefined) {
        const why = await readFile(join(layout.logs, 'mounts.log'), 'utf8').catch(() => undefined);
        throw new PraError('LOCAL_CLUSTER_FAILED', 'no mount namespace could be made', {why: why?.trim()});
      }
      return name.trim() === 'sleep' && readlinkSync(`/proc/${holder.pid}/ns/mnt`) !== host
        ? true
        : undefined;
    },
    {waitingFor: 'a mount namespace', timeoutMs: 10_000, intervalMs: 5, signal},
  );
}
