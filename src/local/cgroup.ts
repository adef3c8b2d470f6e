import {existsSync, readdirSync} from 'node:fs';
import {mkdir, readdir, readFile, rmdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {sleep} from '../std/wait.ts';

const ROOT = '/sys/fs/cgroup';

/** The places where a cgroup of this name lies: one with cgroup v2, one in each hierarchy with v1. */
function places(name: string): string[] {
  if (existsSync(join(ROOT, 'cgroup.controllers'))) return [join(ROOT, name)];
  const hierarchies = readdirSync(ROOT, {withFileTypes: true});
  return hierarchies.filter(entry => entry.isDirectory()).map(entry => join(ROOT, entry.name, name));
}

/** Makes the cgroup that all pods of a cluster live in. The kubelet wants it to be there. */
export async function makeCgroup(name: string): Promise<void> {
  for (const place of places(name)) {
    await mkdir(place, {recursive: true});
    // A new cpuset of cgroup v1 is empty, and nothing can run in it.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const parent = await readFile(join(place, '..', file), 'utf8').catch(() => undefined);
      if (parent !== undefined && existsSync(join(place, file)))
        await writeFile(join(place, file), parent.trim()).catch(() => undefined);
    }
  }
  const subtree = join(ROOT, 'cgroup.subtree_control');
  if (existsSync(subtree)) await writeFile(subtree, '+cpu +cpuset +memory +pids').catch(() => undefined);
}

/** All processes in the cgroup and below it. */
export async function cgroupPids(name: string): Promise<number[]> {
  const pids = new Set<number>();
  for (const place of places(name)) {
    for (const dir of await subtree(place)) {
      const text = await readFile(join(dir, 'cgroup.procs'), 'utf8').catch(() => '');
      for (const pid of text.split('\n')) if (pid !== '') pids.add(Number(pid));
    }
  }
  return [...pids];
}

/** Removes the cgroup with all below it; its processes must be gone. */
export async function removeCgroup(name: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    for (const place of places(name)) {
      for (const dir of (await subtree(place)).reverse()) await rmdir(dir).catch(() => undefined);
    }
    if (!hasCgroup(name)) return;
    await sleep(100);
  }
}

/** Whether the cgroup is there, in any hierarchy. */
export const hasCgroup = (name: string) => places(name).some(existsSync);

/** A folder and all below it, parents first. */
async function subtree(dir: string): Promise<string[]> {
  if (!existsSync(dir)) return [];
  const entries = await readdir(dir, {withFileTypes: true}).catch(() => []);
  const below = await Promise.all(
    entries.filter(entry => entry.isDirectory()).map(entry => subtree(join(dir, entry.name))),
  );
  return [dir, ...below.flat()];
}
