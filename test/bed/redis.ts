import {existsSync} from 'node:fs';
import {chmod, mkdir, symlink} from 'node:fs/promises';
import {join} from 'node:path';
import {runProcess} from '../../src/std/process.ts';
import {type Daemon, ordinaryFolder, startDaemon} from './daemon.ts';
import {freePorts} from './free-ports.ts';

export interface TestRedis extends Daemon {
  port: number;
  dir: string;
  /** Folder that has redis-server: the package without the service has the program under another name only. */
  bin: string;
  command(...words: string[]): Promise<string>;
}

/** An empty server on loopback with a password. */
export async function startRedis(password: string, settings: readonly string[] = []): Promise<TestRedis> {
  const dir = await ordinaryFolder('redis');
  const bin = join(dir, 'bin');
  await mkdir(bin);
  await chmod(bin, 0o755);
  const program = existsSync('/usr/bin/redis-server') ? 'redis-server' : 'redis-check-rdb';
  await symlink(`/usr/bin/${program}`, join(bin, 'redis-server'));
  const [port = 0] = await freePorts(1);
  const command = async (...words: string[]) => {
    const env = {REDISCLI_AUTH: password};
    return (await runProcess('redis-cli', ['-e', '-p', String(port), ...words], {env})).stdout.trim();
  };
  const daemon = await startDaemon({
    dir,
    command: [
      ...[join(bin, 'redis-server'), '--bind', '127.0.0.1', '--port', String(port), '--dir', dir],
      ...[
        '--requirepass',
        password,
        '--rdbcompression',
        'no',
        '--save',
        '',
        '--repl-diskless-sync-delay',
        '0',
        ...settings,
      ],
    ],
    answers: () =>
      command('PING').then(
        answer => answer === 'PONG',
        () => false,
      ),
  });
  return {...daemon, port, dir, bin, command};
}
