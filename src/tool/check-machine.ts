import {existsSync} from 'node:fs';
import {readdir, readFile, statfs} from 'node:fs/promises';
import {dirname} from 'node:path';
import {formatBytes} from '../std/bytes.ts';
import {cacheDir, stateDir} from '../std/paths.ts';
import {runProcess} from '../std/process.ts';
import type {Check} from './check.ts';
import {ELSEWHERE, isLinuxRoot} from './platform.ts';

const GIB = 1024 ** 3;
/** What images, etcd and volumes of one local cluster may take. */
const CLUSTER_BYTES = 2 * GIB;
/** What Go's caches and all programs take when everything is built. */
const BUILD_BYTES = 12 * GIB;

const V1_HIERARCHIES = ['cpu', 'cpuset', 'memory', 'pids'];

/** Whether this machine can run the local target: Linux, root, namespaces, overlayfs, cgroups, iptables, disk. */
export async function checkMachine(options: {mustBuild: boolean; signal?: AbortSignal}): Promise<Check[]> {
  const {signal} = options;
  const linux = process.platform === 'linux';
  const checks = [
    machine('Linux', linux, process.platform, ELSEWHERE),
    machine('root', process.getuid?.() === 0, `user id ${process.getuid?.() ?? 'unknown'}`, ELSEWHERE),
    await checkDisk('disk for the cache', cacheDir(), options.mustBuild ? BUILD_BYTES : GIB / 4),
    await checkDisk('disk for clusters', stateDir(), CLUSTER_BYTES),
  ];
  if (!linux) return checks;
  return [...checks, await checkOverlay(), await checkCgroup(), ...(await checkPrivileges(signal))];
}

/** What only root can try. */
async function checkPrivileges(signal: AbortSignal | undefined): Promise<Check[]> {
  if (!isLinuxRoot()) return [];
  const works = async (file: string, args: string[]) =>
    runProcess(file, args, {timeoutMs: 10_000, signal}).then(
      () => true,
      () => false,
    );
  const [namespaces, firewall] = await Promise.all([
    works('unshare', ['--net', '--mount', 'true']),
    works('iptables', ['-w', '-S', 'FORWARD']),
  ]);
  signal?.throwIfAborted();
  return [
    machine(
      'network namespaces',
      namespaces,
      namespaces ? 'can be made' : 'cannot be made',
      'run in a machine, or a container with CAP_SYS_ADMIN, that may make them',
    ),
    machine(
      'packet filter',
      firewall,
      firewall ? 'answers' : 'does not work',
      'modprobe ip_tables iptable_filter iptable_nat',
    ),
  ];
}

async function checkOverlay(): Promise<Check> {
  const known = (await readFile('/proc/filesystems', 'utf8').catch(() => '')).includes('\toverlay');
  return machine('overlayfs', known, known ? 'in the kernel' : 'not in the kernel', 'modprobe overlay');
}

async function checkCgroup(): Promise<Check> {
  const root = '/sys/fs/cgroup';
  if (existsSync(`${root}/cgroup.controllers`)) return machine('cgroups', true, 'version 2', '');
  const found = await readdir(root).catch((): string[] => []);
  const absent = V1_HIERARCHIES.filter(name => !found.includes(name));
  const text = absent.length === 0 ? 'version 1' : `version 1 without ${absent.join(', ')}`;
  return machine(
    'cgroups',
    absent.length === 0,
    text,
    'mount the cgroup hierarchies, or boot with cgroup v2',
  );
}

async function checkDisk(name: string, dir: string, neededBytes: number): Promise<Check> {
  let place = dir;
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place);
  const {bavail, bsize} = await statfs(place);
  const freeBytes = bavail * bsize;
  const check = {name, group: 'machine', needed: 'local target', path: dir} as const;
  const found = `${formatBytes(freeBytes)} free`;
  if (freeBytes >= neededBytes) return {...check, state: 'ok', found};
  const variable = name === 'disk for the cache' ? 'PRA_CACHE_DIR' : 'PRA_STATE_DIR';
  const fix = `free ${formatBytes(neededBytes - freeBytes)}, or set ${variable} to a larger disk`;
  return {...check, state: 'warning', found: `${found}, ${formatBytes(neededBytes)} wanted`, fix};
}

function machine(name: string, ok: boolean, found: string, fix: string): Check {
  const check = {name, group: 'machine', needed: 'local target', found} as const;
  return ok ? {...check, state: 'ok'} : {...check, state: 'missing', fix};
}
