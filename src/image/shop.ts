import {existsSync} from 'node:fs';
import {chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {cacheDir} from '../std/paths.ts';
import {withFileLock} from '../tool/lock.ts';
import {buildArchive, type ImageSpec} from './archive.ts';
import {addBusybox} from './busybox.ts';
import {addExecutable, makeDebianRoot} from './debian-root.ts';
import {POSTGRES_ENTRYPOINT, WEB_ANSWER} from './shop-scripts.ts';

const BUILD_TIMEOUT_MS = 20 * 60_000;
/** Part of the file names: an image whose recipe changed is built anew. */
const RECIPE = '3';

/** What Debian's PostgreSQL packages need on a full system and never in a container. */
const LEAVE_OUT = [
  ...[
    'libllvm',
    'libz3',
    'perl',
    'libperl',
    'python',
    'systemd',
    'libsystemd-shared',
    'dpkg',
    'debconf',
    'adduser',
    'passwd',
    'login',
  ],
  ...[
    'ucf',
    'sensible',
    'locales',
    'postgresql-common',
    'postgresql-client-common',
    'ssl-cert',
    'netbase',
    'procps',
    'init',
    'sysvinit',
  ],
  ...[
    'lsb',
    'coreutils',
    'util-linux',
    'mawk',
    'sed_',
    'bash_',
    'dash_',
    'tar_',
    'gcc-',
    'cdebconf',
    'iproute',
    'logsave',
    'e2fsprogs',
  ],
];

export interface ShopImages {
  postgres: string;
  web: string;
}

interface BuildOptions {
  signal: AbortSignal;
  onProgress?: ((message: string) => void) | undefined;
}

/** The images of the sample shop, as docker-archive files in the cache; built once, from Debian packages. */
export async function shopImages(options: BuildOptions): Promise<ShopImages> {
  const dir = join(cacheDir(), 'images');
  const images = {postgres: join(dir, `postgres-${RECIPE}.tar`), web: join(dir, `web-${RECIPE}.tar`)};
  const wait = {
    waitingFor: 'another process that builds the images of the shop',
    timeoutMs: BUILD_TIMEOUT_MS,
    signal: options.signal,
  };
  await withFileLock(join(dir, 'shop.lock'), wait, async () => {
    if (!existsSync(images.postgres))
      await build(images.postgres, ['postgresql', 'postgresql-client'], POSTGRES, fillPostgres, options);
    if (!existsSync(images.web)) await build(images.web, ['postgresql-client'], WEB, fillWeb, options);
  });
  return images;
}

const PATH = 'PATH=/usr/lib/postgresql/current/bin:/usr/local/bin:/usr/bin:/bin';

const POSTGRES: Omit<ImageSpec, 'root'> = {
  name: 'localhost/pra/postgres:1',
  config: {
    entrypoint: ['/usr/local/bin/entrypoint.sh'],
    env: [PATH, 'PGDATA=/var/lib/postgresql/data/pgdata', 'LC_ALL=C.UTF-8', 'TZ=UTC'],
    user: '999:999',
  },
};

const WEB: Omit<ImageSpec, 'root'> = {
  name: 'localhost/pra/web:1',
  config: {
    entrypoint: ['/bin/busybox', 'nc', '-ll', '-p', '8080', '-e', '/usr/local/bin/answer.sh'],
    env: [PATH, 'LC_ALL=C.UTF-8'],
    user: '65532:65532',
  },
};

async function build(
  out: string,
  packages: string[],
  spec: Omit<ImageSpec, 'root'>,
  fill: (root: string) => Promise<void>,
  options: BuildOptions,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'pra-image-'));
  try {
    await makeDebianRoot({packages, leaveOut: LEAVE_OUT, root, ...options});
    await addBusybox(root);
    await fill(root);
    for (const folder of ['tmp', 'run', 'proc', 'sys', 'dev', 'etc', 'var/lib/postgresql/data'])
      await mkdir(join(root, folder), {recursive: true});
    await chmod(join(root, 'tmp'), 0o1777);
    await chmod(root, 0o755);
    await writeFile(
      join(root, 'etc', 'passwd'),
      'root:x:0:0:root:/:/bin/sh\npostgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh\nweb:x:65532:65532:web:/:/bin/sh\n',
    );
    await writeFile(join(root, 'etc', 'group'), 'root:x:0:\npostgres:x:999:\nweb:x:65532:\n');
    options.onProgress?.(`packing ${spec.name}`);
    await buildArchive({...spec, root}, out, options.signal);
  } finally {
    await rm(root, {recursive: true, force: true});
  }
}

async function fillPostgres(root: string): Promise<void> {
  const version = await linkVersion(root);
  // Only for just-in-time compilation, whose compiler is three times as large as everything else.
  await rm(join(root, 'usr', 'lib', 'postgresql', version, 'lib', 'bitcode'), {recursive: true, force: true});
  await dropGconv(root);
  await addExecutable(root, 'usr/local/bin/entrypoint.sh', POSTGRES_ENTRYPOINT);
}

async function fillWeb(root: string): Promise<void> {
  await linkVersion(root);
  await dropGconv(root);
  await addExecutable(root, 'usr/local/bin/answer.sh', WEB_ANSWER);
}

async function linkVersion(root: string): Promise<string> {
  const folder = join(root, 'usr', 'lib', 'postgresql');
  const [version] = await readdir(folder);
  if (version === undefined) throw new PraError('TOOL_MISSING', 'the PostgreSQL packages hold no programs');
  await symlink(version, join(folder, 'current'));
  return version;
}

/** Tables for character sets that nobody uses any more. */
async function dropGconv(root: string): Promise<void> {
  for (const name of await readdir(join(root, 'usr', 'lib')))
    await rm(join(root, 'usr', 'lib', name, 'gconv'), {recursive: true, force: true});
}
