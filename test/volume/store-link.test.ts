import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi} from 'vitest';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import {Repository} from '../../src/repository/repository.ts';
import type {MoverSettings} from '../../src/volume/mover/settings.ts';
import {StoreLink} from '../../src/volume/store-link.ts';
import {type FakeTokenService, startFakeTokenService} from '../bed/fake-token-service.ts';

let dir: string;
let sts: FakeTokenService;
const {signal} = new AbortController();
const ENDPOINT = 'http://10.0.0.9:7070';
let asked: string[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-link-'));
  sts = await startFakeTokenService();
  sts.sessions = [{accessKeyId: 'SESSION', secretAccessKey: 'of-the-session'}];
  await writeFile(join(dir, 'token'), 'token');
  await writeFile(join(dir, 'ca.pem'), 'an authority');
});
afterAll(async () => {
  await sts.stop();
  await rm(dir, {recursive: true});
});
beforeEach(() => {
  asked = [];
  const env = {
    AWS_ACCESS_KEY_ID: 'USER',
    AWS_SECRET_ACCESS_KEY: 'of-the-user',
    AWS_SESSION_TOKEN: undefined,
    AWS_PROFILE: undefined,
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_REGION: 'us-east-1',
    MOVER_ACCESS_KEY_ID: 'SCOPED',
    MOVER_SECRET_ACCESS_KEY: 'of-the-mover',
  };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
});
afterEach(() => void vi.unstubAllEnvs());

/** Pods of a network in which the bucket is reached, or not. */
const pod = (isReached: boolean) => ({
  run: async (args: readonly string[]) => {
    asked.push(args.join(' '));
    return {exitCode: isReached ? 0 : 1, stderr: ''};
  },
});

async function linkOf(
  settings: Pick<MoverSettings, 'transport' | 'credentials'>,
  {
    url = 's3://bucket/shop',
    store = {},
    isReached = true,
  }: {url?: string; store?: OpenStoreOptions; isReached?: boolean} = {},
) {
  const options = url.startsWith('s3:') ? {endpoint: ENDPOINT, ...store} : {};
  const repository = new Repository('id', await openStore(url, options), Buffer.alloc(32));
  return new StoreLink({repository, store: options, settings}).to(pod(isReached), 'append', signal);
}
const MOVER = {credentialsEnv: 'MOVER'};
const useSessions = () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
  vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/pra');
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(dir, 'token'));
  vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.endpoint);
};

describe('auto', () => {
  test('is direct with credentials of its own, in a bucket that the pod reaches', async () => {
    const link = await linkOf({transport: 'auto', credentials: MOVER});
    expect(asked).toEqual(['reach 10.0.0.9:7070']);
    expect(link).toMatchObject({
      kind: 'direct',
      access: 'append',
      env: {
        AWS_ACCESS_KEY_ID: 'SCOPED',
        AWS_SECRET_ACCESS_KEY: 'of-the-mover',
        RESTIC_REPOSITORY: `s3:${ENDPOINT}/bucket/shop/volumes`,
      },
    });
  });

  test('is stream with credentials of pra that end: they could not be renewed in a pod', async () => {
    useSessions();
    expect(await linkOf({transport: 'auto'})).toMatchObject({kind: 'stream'});
    expect(await linkOf({transport: 'direct'})).toMatchObject({
      kind: 'direct',
      env: {AWS_ACCESS_KEY_ID: 'SESSION'},
    });
  });

  test.each([
    ['the credentials do not end', {}, {}],
    ['the pod does not reach it', {credentials: MOVER}, {isReached: false}],
    ['it is a folder', {credentials: MOVER}, {url: 'file:///tmp/repository'}],
  ] as const)('is stream when %s, and no credentials are given away', async (_why, settings, more) => {
    const link = await linkOf({transport: 'auto', ...settings}, more);
    expect(link.kind).toBe('stream');
    expect(Object.keys(link.env).sort()).toEqual([
      'RESTIC_PASSWORD',
      'RESTIC_PROGRESS_FPS',
      'RESTIC_REPOSITORY',
    ]);
    expect(link.env.RESTIC_REPOSITORY).toBe('rclone:pra');
  });
});

test('stream is stream whatever is reached', async () => {
  expect((await linkOf({transport: 'stream', credentials: MOVER})).kind).toBe('stream');
  expect(asked).toEqual([]);
});

test('direct is direct without asking, with the authority of the store', async () => {
  const link = await linkOf({transport: 'direct'}, {store: {caFile: join(dir, 'ca.pem')}, isReached: false});
  expect(link).toMatchObject({kind: 'direct', ca: 'an authority', env: {AWS_ACCESS_KEY_ID: 'USER'}});
  expect(asked).toEqual([]);
});

test('direct into a folder is refused', async () => {
  await expect(linkOf({transport: 'direct'}, {url: 'file:///tmp/repository'})).rejects.toMatchObject({
    code: 'USAGE',
    why: expect.stringContaining('file:// URL'),
  });
});
