import {randomBytes} from 'node:crypto';
import dns, {type LookupAddress, type LookupAllOptions} from 'node:dns';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {text as readText} from 'node:stream/consumers';
import {
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi} from 'vitest';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import {initRepository} from '../../src/repository/repository.ts';
import {openRestic} from '../../src/volume/restic.ts';
import {createAuthority, type TestAuthority} from '../bed/certificates.ts';
import {errorOf as praErrorOf} from '../bed/error-of.ts';
import {type FakeTokenService, startFakeTokenService} from '../bed/fake-token-service.ts';
import {type FaultyProxy, startFaultyProxy} from '../bed/faulty-proxy.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {configMap, saveSnapshot} from './snapshots.ts';

const text = (value: string) => Buffer.from(value);
const read = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const {signal} = new AbortController();

let dir: string;
let servers: AsyncDisposableStack;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-access-'));
  servers = new AsyncDisposableStack();
});
afterAll(async () => {
  await servers.disposeAsync();
  await rm(dir, {recursive: true, force: true});
});
afterEach(() => void vi.unstubAllEnvs());

const useEnv = (env: Record<string, string | undefined>) => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
};

/** Saves a stream with restic and reads it back. */
async function saveAndRestore(url: string, options: OpenStoreOptions): Promise<string> {
  const repository = await initRepository(await openStore(url, options), {passphrase: 'p'});
  const restic = await openRestic({repository, store: options, signal});
  const {snapshotId} = await restic.backup(Readable.from([text('rows')]), {filename: 'd', tags: [], signal});
  const {stream, done} = restic.restore({snapshotId, filename: 'd', signal});
  const content = await readText(stream);
  await done;
  return content;
}

describe('credentials', () => {
  let s3: TestS3;
  const errorOf = (action: Promise<unknown>) => praErrorOf(action, {secrets: s3.secrets});
  beforeAll(async () => {
    s3 = servers.use(await startVersitygw({users: true}));
  });
  beforeEach(() => useEnv(s3.env));

  const variables = (prefix: string) => ({
    [`${prefix}_ACCESS_KEY_ID`]: s3.credentials.accessKeyId,
    [`${prefix}_SECRET_ACCESS_KEY`]: s3.credentials.secretAccessKey,
  });

  it.each(['DR', 'DR_'])(
    'come from variables with a prefix of one’s own: %s, for restic too',
    async prefix => {
      useEnv({...variables('DR'), AWS_ACCESS_KEY_ID: 'SOMEBODY', AWS_SECRET_ACCESS_KEY: 'else'});
      const options = {endpoint: s3.endpoint, credentialsEnv: prefix};
      expect(await saveAndRestore(`s3://${s3.bucket}/env-${prefix}`, options)).toBe('rows');
    },
  );

  it('that are not in those variables are not looked for elsewhere', async () => {
    useEnv({...variables('AWS'), DR_ACCESS_KEY_ID: 'only-this'});
    const store = await openStore(`s3://${s3.bucket}/x`, {endpoint: s3.endpoint, credentialsEnv: 'DR'});
    const error = await errorOf(store.get('k'));
    expect(error).toMatchObject({
      code: 'STORE_CREDENTIALS_MISSING',
      message: 'the variable DR_SECRET_ACCESS_KEY is not set',
      next: ['set DR_ACCESS_KEY_ID and DR_SECRET_ACCESS_KEY'],
    });
  });

  describe('of web identity', () => {
    let sts: FakeTokenService;
    let proxy: FaultyProxy;
    let sessions: TestS3['credentials'][];
    beforeAll(async () => {
      sessions = [await s3.addUser('SESSION1', 'admin'), await s3.addUser('SESSION2', 'admin')];
      sts = await startFakeTokenService();
      proxy = await startFaultyProxy(s3.endpoint);
      await writeFile(join(dir, 'token'), 'a-token-of-the-cluster');
    });
    afterAll(async () => {
      await sts.stop();
      await proxy.stop();
    });
    beforeEach(() => {
      proxy.requests.length = 0;
      sts.lifetimeMs = 3_600_000;
      sts.refuses = false;
      sts.sessions = [...sessions];
      sts.requests.length = 0;
      useEnv({
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/pra',
        AWS_WEB_IDENTITY_TOKEN_FILE: join(dir, 'token'),
        AWS_ENDPOINT_URL_STS: sts.endpoint,
        AWS_REGION: 'us-east-1',
      });
    });
    const options = (): OpenStoreOptions => ({endpoint: proxy.endpoint});
    /** Who signed the requests of pra, or of restic. */
    const signers = (agent: RegExp) =>
      new Set(
        proxy.requests
          .filter(({headers}) => agent.test(headers['user-agent'] ?? ''))
          .map(({headers}) => /Credential=(\w+)/.exec(headers.authorization ?? '')?.[1]),
      );

    it('are got for the role, and restic uses them too', async () => {
      expect(await saveAndRestore(`s3://${s3.bucket}/web`, options())).toBe('rows');
      expect(sts.requests[0]?.get('RoleArn')).toBe('arn:aws:iam::123456789012:role/pra');
      expect(sts.requests[0]?.get('WebIdentityToken')).toBe('a-token-of-the-cluster');
      expect(signers(/aws-sdk/)).toEqual(new Set(['SESSION1']));
      expect(signers(/minio/i)).toEqual(new Set(['SESSION2']));
    });

    it('that end midway are renewed', async () => {
      sts.lifetimeMs = 1_500;
      const store = await openStore(`s3://${s3.bucket}/midway`, options());
      await store.put('k', text('x'));
      expect(signers(/aws-sdk/)).toEqual(new Set(['SESSION1']));
      await new Promise(resolve => setTimeout(resolve, 1_600));
      expect(read(await store.get('k'))).toBe('x');
      expect(signers(/aws-sdk/)).toEqual(new Set(['SESSION1', 'SESSION2']));
    });

    it('that end while restic runs are renewed for it', async () => {
      const url = `s3://${s3.bucket}/long`;
      const repository = await initRepository(await openStore(url, options()), {passphrase: 'p'});
      sts.lifetimeMs = 2_000;
      sts.sessions = sessions.slice(0, 1);
      const restic = await openRestic({repository, store: options(), signal});
      proxy.requests.length = 0;
      const slow = (async function* () {
        for (let i = 0; i < 12; i += 1) {
          await new Promise(resolve => setTimeout(resolve, 300));
          if (i === 2) sts.sessions = sessions.slice(1);
          yield randomBytes(8 * 1024 * 1024);
        }
      })();
      await restic.backup(Readable.from(slow), {filename: 'd', tags: [], signal});
      expect(signers(/minio/i)).toEqual(new Set(['SESSION1', 'SESSION2']));
    });

    it('can be those of a role that a profile assumes', async () => {
      const config = join(dir, 'config');
      await writeFile(config, '[profile dr]\nrole_arn = arn:aws:iam::1:role/dr\nsource_profile = right\n');
      useEnv({AWS_CONFIG_FILE: config, AWS_ROLE_ARN: undefined, AWS_WEB_IDENTITY_TOKEN_FILE: undefined});
      const assuming = {...options(), profile: 'dr'};
      expect(await saveAndRestore(`s3://${s3.bucket}/role`, assuming)).toBe('rows');
      expect(sts.requests[0]?.get('Action')).toBe('AssumeRole');
      expect(signers(/aws-sdk|minio/i)).toEqual(new Set(['SESSION1', 'SESSION2']));
    });

    it('that are refused are one error that says so, without the token', async () => {
      sts.refuses = true;
      const store = await openStore(`s3://${s3.bucket}/refused`, options());
      const error = await errorOf(store.get('k'));
      expect(error).toMatchObject({
        code: 'STORE_CREDENTIALS_MISSING',
        message: expect.stringContaining('k could not be read'),
        why: expect.stringContaining('not authorized'),
      });
      expect(JSON.stringify(error)).not.toContain('a-token-of-the-cluster');
    });
  });
});

describe('a bucket', () => {
  const {lookup} = dns;
  let authority: TestAuthority;
  let s3: TestS3;
  beforeAll(async () => {
    // Not every system takes all names under localhost for itself.
    const local = (
      name: string,
      options: LookupAllOptions,
      found: (error: Error | null, all: LookupAddress[]) => void,
    ) => lookup(name.endsWith('.localhost') ? 'localhost' : name, options, found);
    Object.assign(dns, {lookup: local});
    authority = await createAuthority(join(dir, 'ca'));
    const names = ['DNS:localhost', 'DNS:recovery.localhost', 'IP:127.0.0.1'];
    const tls = await authority.issue({name: 's3', commonName: 's3', subjectAltNames: names});
    s3 = servers.use(await startVersitygw({tls, virtualDomain: 'localhost'}));
  });
  afterAll(() => void Object.assign(dns, {lookup}));
  beforeEach(() => useEnv(s3.env));

  const open = (url: string, options: OpenStoreOptions) =>
    openStore(url, {endpoint: s3.endpoint, profile: s3.profiles.right, silenceMs: 500, ...options});

  it('whose name is the first of its host is reached, with an authority of one’s own', async () => {
    const store = await open(`s3://${s3.bucket}/virtual`, {pathStyle: false, caFile: authority.caFile});
    await store.put('a/b', text('x'), {ifAbsent: true});
    expect(read(await store.get('a/b'))).toBe('x');
    const byPath = await open(`s3://${s3.bucket}/virtual`, {
      pathStyle: true,
      caFile: authority.caFile,
      endpoint: s3.endpoint.replace('localhost', '127.0.0.1'),
    });
    expect(await byPath.has('a/b')).toBe(true);
  });

  it('takes dumps over TLS as well', async () => {
    const options = {
      endpoint: s3.endpoint.replace('localhost', '127.0.0.1'),
      profile: s3.profiles.right,
      pathStyle: true,
      caFile: authority.caFile,
    };
    expect(await saveAndRestore(`s3://${s3.bucket}/tls`, options)).toBe('rows');
  });

  it('whose authority nobody named is not trusted', async () => {
    const store = await open(`s3://${s3.bucket}/virtual`, {pathStyle: false});
    const error = await praErrorOf(store.get('k'), {secrets: s3.secrets});
    expect(error.code).toBe('STORE_UNREACHABLE');
    expect(error.why).toMatch(/SIGNATURE|CERT/);
    expect(error.next.join()).toContain('spec.repository.caFile');
  });
});

describe('Object Lock', () => {
  let s3: TestS3;
  let client: S3Client;
  beforeAll(async () => {
    s3 = servers.use(await startVersitygw({objectLock: true}));
    const {endpoint, region, credentials} = s3;
    client = new S3Client({endpoint, region, credentials, forcePathStyle: true});
  });
  afterAll(() => client.destroy());
  beforeEach(() => useEnv(s3.env));
  const lock = {mode: 'governance', days: 30} as const;
  const open = (prefix: string, options: OpenStoreOptions = {}, server = s3) =>
    openStore(`s3://${server.bucket}/${prefix}`, {
      endpoint: server.endpoint,
      profile: server.profiles.right,
      lock,
      ...options,
    });
  const retentionOf = async (Key: string) =>
    (await client.send(new GetObjectRetentionCommand({Bucket: s3.bucket, Key})).catch(() => undefined))
      ?.Retention;

  it('is on everything that a snapshot consists of, and not on locks', async () => {
    const store = await open('all');
    const repository = await initRepository(store, {passphrase: 'p'});
    await saveSnapshot(repository, [configMap('a', 'b', {c: 'd'})]);
    await store.put('locks/mine', text('x'), {ifAbsent: true});
    let seen = 0;
    for await (const {key} of store.list('')) {
      const retention = await retentionOf(`all/${key}`);
      if (key.startsWith('locks/')) {
        expect(retention).toBeUndefined();
        continue;
      }
      seen += 1;
      expect(retention?.Mode, key).toBe('GOVERNANCE');
      const days = ((retention?.RetainUntilDate?.getTime() ?? 0) - Date.now()) / 86_400_000;
      expect(Math.abs(days - 30)).toBeLessThan(0.01);
    }
    expect(seen).toBeGreaterThan(4);
    await store.delete('locks/mine');
  });

  it('keeps the content of what was deleted or overwritten', async () => {
    const store = await open('kept', {lock: {mode: 'compliance', days: 1}});
    await store.put('packs/ab/x', text('precious'), {ifAbsent: true});
    expect((await retentionOf('kept/packs/ab/x'))?.Mode).toBe('COMPLIANCE');
    await store.delete('packs/ab/x').catch(() => undefined);
    await client.send(
      new PutObjectCommand({Bucket: s3.bucket, Key: 'kept/packs/ab/x', Body: 'junk', ContentLength: 4}),
    );
    const {Versions} = await client.send(
      new ListObjectVersionsCommand({Bucket: s3.bucket, Prefix: 'kept/packs/'}),
    );
    expect(Versions?.map(({Size}) => Size).sort()).toEqual([4, 8]);
  });

  it('is on large objects too, which come in parts', async () => {
    const store = await open('large', {partBytes: 5 * 1024 * 1024});
    await store.put('packs/ab/x', randomBytes(6 * 1024 * 1024), {ifAbsent: true});
    expect((await retentionOf('large/packs/ab/x'))?.Mode).toBe('GOVERNANCE');
  });

  it('by default retention is on dumps too, and in nobody’s way', async () => {
    const locked = servers.use(await startVersitygw({objectLock: true}));
    useEnv(locked.env);
    const {endpoint, region, credentials} = locked;
    const admin = new S3Client({endpoint, region, credentials, forcePathStyle: true});
    const Rule = {DefaultRetention: {Mode: 'GOVERNANCE', Days: 30}} as const;
    const ObjectLockConfiguration = {ObjectLockEnabled: 'Enabled', Rule} as const;
    await admin.send(new PutObjectLockConfigurationCommand({Bucket: locked.bucket, ObjectLockConfiguration}));
    admin.destroy();
    const proxy = await startFaultyProxy(endpoint);
    try {
      const url = `s3://${locked.bucket}/dumps`;
      const options = {endpoint: proxy.endpoint, profile: locked.profiles.right};
      expect(await saveAndRestore(url, options)).toBe('rows');
      // AWS takes nothing without a digest into such a bucket.
      const puts = proxy.requests.filter(({method}) => method === 'PUT');
      expect(puts.length).toBeGreaterThan(6);
      for (const {url: path, headers} of puts) expect(headers['content-md5'], path).toBeDefined();
      const store = await openStore(url, options);
      for await (const {key} of store.list('volumes/locks/')) expect(key).toBe('none');
    } finally {
      await proxy.stop();
    }
  });

  it('is asked of a bucket without it: one error that says what to do', async () => {
    const plain = servers.use(await startVersitygw());
    useEnv(plain.env);
    const store = await open('x', {}, plain);
    const error = await praErrorOf(store.put('pra.json', text('x'), {ifAbsent: true}));
    expect(error).toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/pra\.json .* the bucket recovery does not have Object Lock$/),
      next: ['make a bucket with Object Lock, or leave spec.repository.lock out'],
    });
  });

  it('that a store takes and forgets is found with the first write', async () => {
    const plain = servers.use(await startVersitygw());
    useEnv(plain.env);
    const server = createServer((_request, response) => response.end());
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      const store = await open('x', {endpoint: `http://127.0.0.1:${port}`}, plain);
      const error = await praErrorOf(store.put('packs/ab/x', text('x'), {ifAbsent: true}));
      expect(error).toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('packs/ab/x in s3://recovery/x was not locked'),
        why: 'it has no lock at all',
      });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
