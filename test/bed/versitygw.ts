import type {ChildProcess} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {Agent} from 'node:https';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {CreateBucketCommand, S3Client} from '@aws-sdk/client-s3';
import {runProcess} from '../../src/std/process.ts';
import {waitFor} from '../../src/std/wait.ts';
import {resolveTool} from '../../src/tool/resolve.ts';
import type {CertificateFiles} from './certificates.ts';
import {killChild, pauseChild, startChild} from './child.ts';
import {freePorts} from './free-ports.ts';

/** A real S3 server on this machine, with a bucket. Objects are files, so that a test can damage them. */
export interface TestS3 extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  endpoint: string;
  region: string;
  bucket: string;
  /** Profiles of the credentials file: one that may do everything, one that the server does not know. */
  profiles: {right: string; wrong: string};
  credentials: {accessKeyId: string; secretAccessKey: string};
  /** The secret keys of both profiles, which must be seen nowhere. */
  secrets: readonly string[];
  /** What a process needs so that the SDK and restic find the profiles, and nothing of the user's own. */
  env: Record<string, string | undefined>;
  /** Where the objects of the bucket lie as files. */
  files: string;
  /** Ends the server; what it keeps stays for `start`. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** The server accepts connections and answers none. */
  pause(): Promise<void>;
  resume(): void;
  /** Makes a user that may do everything, or nothing until a policy of the bucket says so. Needs `users`. */
  addUser(name: string, role: 'admin' | 'user'): Promise<TestS3['credentials']>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** What of the server a test needs beyond a bucket. */
export interface VersitygwOptions {
  /** Users beside the administrator. */
  users?: boolean;
  /** A bucket with versions and Object Lock. */
  objectLock?: boolean;
  tls?: CertificateFiles;
  /** Of this machine, at which it listens; 127.0.0.1 by default, which pods do not reach. */
  address?: string;
  /** `localhost`, for buckets as `BUCKET.localhost`. */
  virtualDomain?: string;
}

const START_TIMEOUT_MS = 20_000;
const REGION = 'us-east-1';
const BUCKET = 'recovery';

/** Starts versitygw and makes a bucket (about 0.3 s). It dies with the test process. */
export async function startVersitygw(options: VersitygwOptions = {}): Promise<TestS3> {
  const {path} = await resolveTool('versitygw');
  const dir = await mkdtemp(join(tmpdir(), 'pra-s3-'));
  const [port = 0] = await freePorts(1);
  const {address = '127.0.0.1'} = options;
  const endpoint = `${options.tls ? 'https' : 'http'}://${options.virtualDomain ?? address}:${port}`;
  const credentials = {
    accessKeyId: `PRATEST${randomBytes(6).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const data = join(dir, 'data');
  let child: ChildProcess | undefined;
  const kill = async () => {
    if (child) await killChild(child);
    child = undefined;
  };
  const start = async () => {
    child = await spawnServer(path, {dir, data, listen: `${address}:${port}`, credentials, options});
    await untilListening(dir, {address, port}, child);
  };
  const addUser: TestS3['addUser'] = async (name, role) => {
    const user = {accessKeyId: name, secretAccessKey: randomBytes(20).toString('hex')};
    const {accessKeyId, secretAccessKey} = credentials;
    const insecure = options.tls ? ['--allow-insecure'] : [];
    const admin = [
      'admin',
      ...insecure,
      '-a',
      accessKeyId,
      '-s',
      secretAccessKey,
      '--endpoint-url',
      endpoint,
    ];
    const created = ['create-user', '-a', name, '-s', user.secretAccessKey, '-r', role];
    await runProcess(path, [...admin, ...created]);
    return user;
  };
  const stop = async () => {
    await kill();
    await rm(dir, {recursive: true, force: true});
  };
  try {
    await mkdir(data, {mode: 0o700});
    const wrong = {...credentials, secretAccessKey: randomBytes(20).toString('hex')};
    const env = await writeProfiles(dir, {right: credentials, wrong});
    await start();
    await makeBucket(endpoint, credentials, options);
    return {
      endpoint,
      region: REGION,
      bucket: BUCKET,
      profiles: {right: 'right', wrong: 'wrong'},
      credentials,
      secrets: [credentials.secretAccessKey, wrong.secretAccessKey],
      env,
      files: join(data, BUCKET),
      kill,
      start,
      pause: () => pauseChild(child),
      resume: () => void child?.kill('SIGCONT'),
      addUser,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeBucket(
  endpoint: string,
  credentials: TestS3['credentials'],
  {objectLock, tls}: VersitygwOptions,
): Promise<void> {
  const client = new S3Client({
    endpoint,
    region: REGION,
    credentials,
    forcePathStyle: true,
    ...(tls ? {requestHandler: {httpsAgent: new Agent({rejectUnauthorized: false})}} : {}),
  });
  await client.send(
    new CreateBucketCommand({Bucket: BUCKET, ...(objectLock ? {ObjectLockEnabledForBucket: true} : {})}),
  );
  client.destroy();
}

async function spawnServer(
  path: string,
  server: {
    dir: string;
    data: string;
    listen: string;
    credentials: TestS3['credentials'];
    options: VersitygwOptions;
  },
): Promise<ChildProcess> {
  const {dir, data, listen, credentials, options} = server;
  const folder = async (name: string) => {
    await mkdir(join(dir, name), {recursive: true, mode: 0o700});
    return join(dir, name);
  };
  const args = [
    '--quiet',
    '--keep-alive',
    ...['--port', listen],
    ...(options.users ? ['--iam-dir', await folder('users'), '--iam-cache-disable'] : []),
    ...(options.tls ? ['--cert', options.tls.cert, '--key', options.tls.key] : []),
    ...(options.virtualDomain ? ['--virtual-domain', options.virtualDomain] : []),
    'posix',
    ...(options.objectLock ? ['--versioning-dir', await folder('versions')] : []),
    data,
  ];
  return startChild(path, args, {
    log: join(dir, 'versitygw.log'),
    env: {
      PATH: process.env.PATH,
      ROOT_ACCESS_KEY: credentials.accessKeyId,
      ROOT_SECRET_KEY: credentials.secretAccessKey,
    },
  });
}

interface Place {
  address: string;
  port: number;
}

async function untilListening(dir: string, place: Place, child: ChildProcess): Promise<void> {
  await waitFor(
    async () => {
      if (child.exitCode !== null)
        throw new Error(`versitygw ended:\n${await readFile(join(dir, 'versitygw.log'), 'utf8')}`);
      return isListening(place);
    },
    {waitingFor: 'the S3 server of the test', timeoutMs: START_TIMEOUT_MS, intervalMs: 50},
  );
}

function isListening({address, port}: Place): Promise<true | undefined> {
  const {promise, resolve} = Promise.withResolvers<true | undefined>();
  const socket = connect(port, address, () => resolve(true));
  socket.once('error', () => resolve(undefined));
  return promise.finally(() => socket.destroy());
}

/** Both clients read the same file, so that no test needs to change variables between two stores. */
async function writeProfiles(
  dir: string,
  {right, wrong}: Record<'right' | 'wrong', TestS3['credentials']>,
): Promise<TestS3['env']> {
  const profile = (name: string, {accessKeyId, secretAccessKey}: TestS3['credentials']) =>
    `[${name}]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
  const [file, config] = [join(dir, 'credentials'), join(dir, 'config')];
  await writeFile(file, profile('right', right) + profile('wrong', wrong), {mode: 0o600});
  await writeFile(config, '', {mode: 0o600});
  return {
    AWS_SHARED_CREDENTIALS_FILE: file,
    AWS_CONFIG_FILE: config,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...Object.fromEntries(OTHERS.map(name => [name, undefined])),
  };
}

const OTHERS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL_STS',
  'AWS_ROLE_ARN',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
];
