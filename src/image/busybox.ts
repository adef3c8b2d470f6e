import {existsSync} from 'node:fs';
import {chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {cacheDir} from '../std/paths.ts';
import {buildArchive} from './archive.ts';

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'];
const APPLETS = [
  'sh',
  'cat',
  'chmod',
  'chown',
  'cp',
  'echo',
  'env',
  'false',
  'find',
  'grep',
  'head',
  'httpd',
  'id',
  'ls',
  'mkdir',
  'mv',
  'nc',
  'nslookup',
  'ps',
  'rm',
  'sed',
  'sha256sum',
  'sleep',
  'tail',
  'tar',
  'test',
  'touch',
  'true',
  'wc',
  'wget',
];

export const BUSYBOX_IMAGE = 'localhost/busybox:1';
export const PAUSE_IMAGE = 'localhost/pra/pause:1';

/** Copies the statically linked busybox and its applets into a root folder. @throws PraError TOOL_MISSING */
export async function addBusybox(root: string): Promise<void> {
  const busybox = BUSYBOX.find(existsSync);
  if (!busybox)
    throw new PraError('TOOL_MISSING', 'busybox is not installed', {
      next: ['apt-get install busybox-static'],
    });
  await mkdir(join(root, 'bin'), {recursive: true});
  await copyFile(busybox, join(root, 'bin', 'busybox'));
  await chmod(join(root, 'bin', 'busybox'), 0o755);
  for (const applet of APPLETS) await symlink('busybox', join(root, 'bin', applet)).catch(() => undefined);
}

/** The images that every local cluster needs, built once: the sandbox of each pod, and a shell for volume helpers. */
export async function baseImages(signal: AbortSignal): Promise<string[]> {
  const dir = join(cacheDir(), 'images');
  const images = [
    {
      name: PAUSE_IMAGE,
      out: join(dir, 'pause-1.tar'),
      entrypoint: ['/bin/busybox', 'sleep', '2147483647'],
      user: '65535:65535',
    },
    {name: BUSYBOX_IMAGE, out: join(dir, 'busybox-2.tar'), entrypoint: ['/bin/sh'], user: '0'},
  ];
  for (const image of images) {
    if (existsSync(image.out)) continue;
    const root = await mkdtemp(join(tmpdir(), 'pra-image-'));
    try {
      await addBusybox(root);
      for (const folder of ['tmp', 'etc', 'proc', 'sys', 'dev', 'run', 'var'])
        await mkdir(join(root, folder), {recursive: true});
      await chmod(join(root, 'tmp'), 0o1777);
      await chmod(root, 0o755);
      await writeFile(
        join(root, 'etc', 'passwd'),
        'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
      );
      await buildArchive(
        {name: image.name, root, config: {entrypoint: image.entrypoint, user: image.user}},
        image.out,
        signal,
      );
    } finally {
      await rm(root, {recursive: true, force: true});
    }
  }
  return images.map(image => image.out);
}
