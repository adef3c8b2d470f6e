import {chmod, open, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {z} from 'zod';
import {openStore} from '../../src/repository/open.ts';
import {openRepository} from '../../src/repository/repository.ts';
import {runProcess} from '../../src/std/process.ts';
import {resolveTool} from '../../src/tool/resolve.ts';

const uses = z.array(z.object({path: z.string()}));

/**
 * Changes one bit in the largest pack of restic that holds files of one volume, and of that alone.
 * @param path where the volume lies in restic's snapshots
 * @returns the pack, as it is called in the repository
 */
export async function damageVolume(dir: string, passphrase: string, path: string): Promise<string> {
  const {signal} = new AbortController();
  const repository = await openRepository(await openStore(`file://${dir}`), {passphrase, signal});
  const restic = (await resolveTool('restic', {signal})).path;
  const folder = join(dir, 'volumes');
  for (const file of await largestFirst(join(folder, 'data'))) {
    const [pack = ''] = file.split('/').slice(-1);
    const args = ['-r', folder, '--no-lock', '--no-cache', 'find', '--json', '--pack', pack];
    const {stdout} = await runProcess(restic, args, {env: {RESTIC_PASSWORD: repository.volumePassword()}});
    const found = uses.parse(JSON.parse(stdout));
    if (found.length === 0 || !found.every(use => use.path.startsWith(`${path}/`))) continue;
    await flip(file);
    return `volumes/data/${pack.slice(0, 2)}/${pack}`;
  }
  throw new Error(`no pack holds files of ${path} alone`);
}

async function largestFirst(folder: string): Promise<string[]> {
  const entries = await readdir(folder, {recursive: true, withFileTypes: true});
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  const sized = await Promise.all(files.map(async file => ({file, size: (await stat(file)).size})));
  return sized.toSorted((a, b) => b.size - a.size).map(({file}) => file);
}

async function flip(file: string): Promise<void> {
  await chmod(file, 0o600);
  const handle = await open(file, 'r+');
  try {
    const at = Math.floor((await handle.stat()).size / 2);
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await handle.write(byte, 0, 1, at);
  } finally {
    await handle.close();
  }
}
