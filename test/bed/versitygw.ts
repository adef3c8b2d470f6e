import {type ChildProcess, spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {waitFor} from '../../src/std/wait.ts';
import {resolveTool} from '../../src/tool/resolve.ts';
import {freePorts} from './free-ports.ts';

export const BUCKET = 'backup';

/** A real S3 server on loopback, with one bucket. */
export interface S3Server {
  endpoint: string;
  /** Where the bucket's objects lie as files. */
  folder: string;
  /** Variables by which AWS tools, and pra, find it and may use it. */
  env: Record<string, string>;
  /** Ends the server and keeps the data. */
  halt(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startS3(): Promise<S3Server> {
  const {path} = await resolveTool('versitygw');
  const dir = await mkdtemp(join(tmpdir(), 'pra-s3-'));
  const folder = join(dir, 'data', BUCKET);
  await mkdir(folder, {recursive: true});
  const [port = 0] = await freePorts(1);
  const [accessKey, secretKey] = [randomBytes(8).toString('hex'), randomBytes(16).toString('hex')];
  const endpoint = `http://127.0.0.1:${port}`;
  let server: ChildProcess | undefined;
  const start = async () => {
    const env = {...process.env, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey};
    const args = ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', join(dir, 'data')];
    server = spawn(path, args, {env, stdio: 'ignore'});
    await waitFor(async () => ((await fetch(endpoint).catch(() => undefined)) ? true : undefined), {
      waitingFor: 'the S3 server',
      timeoutMs: 20_000,
      intervalMs: 50,
    });
  };
  const halt = async () => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  };
  await start();
  return {
    endpoint,
    folder,
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
    },
    halt,
    start,
    stop: async () => {
      await halt();
      await rm(dir, {recursive: true, force: true});
    },
  };
}
