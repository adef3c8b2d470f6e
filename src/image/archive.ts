import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {mkdir, mkdtemp, rename, rm, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {runProcess} from '../std/process.ts';

export interface ImageSpec {
  /** Such as `localhost/pra/web:1`: a name that no registry answers to, so that nothing is ever pulled. */
  name: string;
  /** Folder that becomes the image's only layer. */
  root: string;
  config: {
    entrypoint: string[];
    cmd?: string[];
    env?: string[];
    user?: string;
    workdir?: string;
  };
}

/** Same files, same archive: no times, no owners, sorted names. */
const TAR = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--format=posix',
  '--pax-option=delete=atime,delete=ctime',
];

/**
 * Builds a docker-archive of one layer from a folder, without Docker and without a registry; `ctr images import` reads it.
 * Written beside `out` and renamed, so that a broken build leaves nothing that looks like an image.
 */
export async function buildArchive(spec: ImageSpec, out: string, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(out), {recursive: true, mode: 0o700});
  const work = await mkdtemp(`${out}.work-`);
  try {
    await runProcess('tar', [...TAR, '-C', spec.root, '-cf', join(work, 'layer.tar'), '.'], {signal});
    const diffId = await sha256File(join(work, 'layer.tar'));
    const config = {
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {
        Entrypoint: spec.config.entrypoint,
        ...(spec.config.cmd === undefined ? {} : {Cmd: spec.config.cmd}),
        Env: spec.config.env ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        ...(spec.config.user === undefined ? {} : {User: spec.config.user}),
        ...(spec.config.workdir === undefined ? {} : {WorkingDir: spec.config.workdir}),
      },
      rootfs: {type: 'layers', diff_ids: [`sha256:${diffId}`]},
      history: [{created: '1970-01-01T00:00:00Z', created_by: 'pra'}],
      created: '1970-01-01T00:00:00Z',
    };
    const text = JSON.stringify(config);
    const configName = `${createHash('sha256').update(text).digest('hex')}.json`;
    await writeFile(join(work, configName), text);
    await writeFile(
      join(work, 'manifest.json'),
      JSON.stringify([{Config: configName, RepoTags: [spec.name], Layers: ['layer.tar']}]),
    );
    const archive = join(work, 'image.tar');
    await runProcess('tar', [...TAR, '-C', work, '-cf', archive, 'manifest.json', configName, 'layer.tar'], {
      signal,
    });
    await rename(archive, out);
  } finally {
    await rm(work, {recursive: true, force: true});
  }
}

async function sha256File(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}
