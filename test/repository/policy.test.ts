import {randomBytes} from 'node:crypto';
import {Readable} from 'node:stream';
import {text as readText} from 'node:stream/consumers';
import {PutBucketPolicyCommand, S3Client} from '@aws-sdk/client-s3';
import {afterAll, beforeAll, describe, expect, it, vi} from 'vitest';
import type {PraError} from '../../src/errors.ts';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import {type PolicyRole, repositoryPolicy} from '../../src/repository/policy.ts';
import {initRepository, openRepository, type Repository} from '../../src/repository/repository.ts';
import {listRoots, type SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import type {Store} from '../../src/repository/store.ts';
import {verifyPacks} from '../../src/repository/verify.ts';
import {openRestic} from '../../src/volume/restic.ts';
import {runPra} from '../bed/cli.ts';
import {errorOf as praErrorOf} from '../bed/error-of.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {configMap, loadSnapshot, saveSnapshot} from './snapshots.ts';

const passphrase = 'correct horse';
const PREFIX = 'team/shop';
const {signal} = new AbortController();
const bytes = (value: string) => Buffer.from(value);

describe('on a server that enforces them', () => {
  let s3: TestS3;
  let root: SnapshotRoot;
  let volume: string;
  let refusedInit: PraError;
  const stores: Partial<Record<PolicyRole | 'admin', Store>> = {};
  const options: Partial<Record<PolicyRole | 'admin', OpenStoreOptions>> = {};

  beforeAll(async () => {
    s3 = await startVersitygw({users: true});
    for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
    const connect = async (who: PolicyRole | 'admin', user: TestS3['credentials']) => {
      vi.stubEnv(`${who}_ACCESS_KEY_ID`, user.accessKeyId);
      vi.stubEnv(`${who}_SECRET_ACCESS_KEY`, user.secretAccessKey);
      options[who] = {endpoint: s3.endpoint, credentialsEnv: who};
      stores[who] = await openStore(`s3://${s3.bucket}/${PREFIX}`, options[who]);
    };
    await connect('admin', s3.credentials);
    const statements: object[] = [];
    for (const role of ['reader', 'writer', 'pruner'] as const) {
      await connect(role, await s3.addUser(role, 'user'));
      const policy = repositoryPolicy(role, {bucket: s3.bucket, prefix: PREFIX}, options[role] ?? {});
      // A policy of a bucket says to whom it applies; one of a user does not.
      for (const {Sid: _sid, ...statement} of policy.Statement)
        statements.push({...statement, Principal: {AWS: [role]}});
    }
    const client = new S3Client({
      endpoint: s3.endpoint,
      region: s3.region,
      credentials: s3.credentials,
      forcePathStyle: true,
    });
    const Policy = JSON.stringify({Version: '2012-10-17', Statement: statements});
    await client.send(new PutBucketPolicyCommand({Bucket: s3.bucket, Policy}));
    client.destroy();
    // A writer can make the repository too.
    const repository = await initRepository(storeOf('writer'), {passphrase});
    root = await saveSnapshot(repository, [configMap('a', 'b', {c: 'd'})]);
    refusedInit = await errorOf(openRestic({repository, store: options.writer, signal}));
    const restic = await openRestic({repository, store: options.admin, signal});
    const saved = await restic.backup(Readable.from([bytes('rows')]), {filename: 'dump', tags: [], signal});
    volume = saved.snapshotId;
    // Beside the repository, where nobody has business.
    const beside = await openStore(`s3://${s3.bucket}/team/shop-2`, options.admin);
    await beside.put('pra.json', bytes('{}'));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await s3.stop();
  });

  function storeOf(who: PolicyRole | 'admin'): Store {
    const store = stores[who];
    if (!store) throw new Error(`${who} has no store`);
    return store;
  }
  const open = (who: PolicyRole): Promise<Repository> => openRepository(storeOf(who), {passphrase});
  const errorOf = (action: Promise<unknown>) => praErrorOf(action, {secrets: s3.secrets});
  const refused = async (action: Promise<unknown>, key: string) =>
    expect(await errorOf(action)).toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringContaining(key),
      next: ['check the credentials and the policy of the bucket'],
    });
  const someKey = async (prefix: string) => {
    for await (const {key} of storeOf('admin').list(prefix)) return key;
    throw new Error(`there is nothing under ${prefix}`);
  };
  const restore = async (who: PolicyRole) => {
    const restic = await openRestic({repository: await open(who), store: options[who], signal});
    const {stream, done} = restic.restore({snapshotId: volume, filename: 'dump', signal});
    const content = await readText(stream);
    await done;
    return content;
  };

  it.each(['reader', 'writer', 'pruner'] as const)('a %s lists, verifies and restores', async who => {
    const repository = await open(who);
    expect((await listRoots(repository)).map(({id}) => id)).toContain(root.id);
    await verifyPacks(repository, root);
    expect(await loadSnapshot(repository, root)).toHaveLength(1);
    expect(await storeOf(who).has('packs/00/none')).toBe(false);
    expect(await restore(who)).toBe('rows');
  });

  it('a reader writes and deletes nothing', async () => {
    const reader = storeOf('reader');
    const pack = await someKey('packs/');
    await refused(reader.put('packs/00/new', bytes('x'), {ifAbsent: true}), 'packs/00/new');
    await refused(reader.put('locks/new', bytes('x')), 'locks/new');
    await refused(reader.put(pack, bytes('x')), pack);
    for (const key of [pack, 'pra.json', `snapshots/${root.id}.json`]) await refused(reader.delete(key), key);
    await refused(saveSnapshot(await open('reader'), [configMap('a', 'b', {c: 'e'})]), 'packs/');
    await verifyPacks(await open('reader'), root);
  });

  it('a writer makes the repository, but for that of volumes: restic asks for the whole bucket once', () => {
    expect(refusedInit).toMatchObject({
      code: 'STORE_DENIED',
      message: 'these credentials cannot make s3://recovery/team/shop/volumes',
      next: ['take the first snapshot with credentials that may list the whole bucket; later, a writer does'],
    });
  });

  it('a writer takes snapshots and holds locks, and deletes nothing else', async () => {
    const repository = await open('writer');
    const next = await saveSnapshot(repository, [configMap('a', 'b', {c: randomBytes(9).toString('hex')})]);
    await verifyPacks(repository, next);
    const restic = await openRestic({repository, store: options.writer, signal});
    await restic.backup(Readable.from([bytes('more')]), {filename: 'dump', tags: [], signal});
    const writer = storeOf('writer');
    await writer.put('locks/mine', bytes('x'), {ifAbsent: true});
    await writer.delete('locks/mine');
    expect(await writer.has('locks/mine')).toBe(false);
    for (const prefix of [
      'packs/',
      'trees/',
      'snapshots/',
      'keys/',
      'pra.json',
      'volumes/config',
      'volumes/data/',
    ])
      await refused(writer.delete(await someKey(prefix)), prefix);
    // What keeps a writer from overwriting is the condition of the request, and on AWS a condition of the policy.
    const pack = await someKey('packs/');
    expect((await errorOf(writer.put(pack, bytes('x'), {ifAbsent: true}))).code).toBe('STORE_CONFLICT');
  });

  it('a pruner deletes what snapshots consist of, and nothing that opens the repository', async () => {
    const repository = await open('pruner');
    const extra = await saveSnapshot(repository, [configMap('a', 'x', {c: randomBytes(9).toString('hex')})]);
    const pruner = storeOf('pruner');
    await pruner.delete(`snapshots/${extra.id}.json`);
    const kept = new Set<string>();
    for await (const {key} of pruner.list('packs/')) kept.add(key);
    const [pack = ''] = kept;
    const content = await pruner.get(pack);
    await pruner.delete(pack);
    expect(await pruner.has(pack)).toBe(false);
    await pruner.put(pack, content, {ifAbsent: true});
    for (const key of [await someKey('keys/'), 'pra.json']) await refused(pruner.delete(key), key);
  });

  it.each(['reader', 'writer', 'pruner'] as const)('a %s sees nothing beside the repository', async who => {
    for (const url of [`s3://${s3.bucket}/team/shop-2`, `s3://${s3.bucket}`]) {
      const beside = await openStore(url, options[who]);
      await refused(beside.get('pra.json'), 'pra.json');
      await refused(beside.put('x', bytes('x')), 'x');
      await refused(beside.list('').next(), 'repository');
    }
  });
});

describe('the policy', () => {
  const where = {bucket: 'dr', prefix: 'shop'};
  const statement = (role: PolicyRole, sid: string, options: OpenStoreOptions = {}, at = where) =>
    repositoryPolicy(role, at, options).Statement.find(({Sid}) => Sid === sid);

  it('lets a writer on AWS add only what is not there, but for what restic writes', () => {
    expect(statement('writer', 'AddOnce')).toEqual({
      Sid: 'AddOnce',
      Effect: 'Allow',
      Action: ['s3:PutObject'],
      Resource: ['arn:aws:s3:::dr/shop/*'],
      Condition: {Null: {'s3:if-none-match': 'false'}},
    });
    expect(statement('writer', 'AddParts')).toMatchObject({
      Condition: {Bool: {'s3:ObjectCreationOperation': 'false'}},
    });
    expect(statement('writer', 'AddVolumes')).toMatchObject({Resource: ['arn:aws:s3:::dr/shop/volumes/*']});
    expect(statement('writer', 'Add')).toBeUndefined();
    const elsewhere = {endpoint: 'https://s3.fr-par.scw.cloud'};
    expect(statement('writer', 'Add', elsewhere)).not.toHaveProperty('Condition');
    expect(statement('writer', 'AddOnce', elsewhere)).toBeUndefined();
    expect(statement('writer', 'AddOnce', {endpoint: 'https://s3.eu-west-3.amazonaws.com'})).toBeDefined();
  });

  it('has what Object Lock and SSE-KMS need, only where they are used', () => {
    const options: OpenStoreOptions = {
      lock: {mode: 'governance', days: 30},
      sse: {algorithm: 'aws:kms', kmsKeyId: 'alias/dr'},
    };
    const plain = JSON.stringify(repositoryPolicy('pruner', where, {}));
    expect(plain).not.toMatch(/Retention|kms/);
    expect(statement('writer', 'LockObjects', options)).toMatchObject({
      Action: ['s3:PutObjectRetention'],
      Condition: {
        NumericLessThanEqualsIfExists: {'s3:object-lock-remaining-retention-days': '31'},
      },
    });
    expect(JSON.stringify(repositoryPolicy('pruner', where, options))).not.toContain('Bypass');
    expect(statement('writer', 'UseKey', options)).toMatchObject({
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Condition: {'ForAnyValue:StringEquals': {'kms:ResourceAliases': ['alias/dr']}},
    });
    expect(statement('reader', 'UseKey', options)?.Action).toEqual(['kms:Decrypt']);
    expect(statement('reader', 'LockObjects', options)).toBeUndefined();
  });

  it('is of the partition of the region, and takes a prefix for what it is', () => {
    expect(statement('reader', 'ListRepository', {region: 'cn-north-1'})?.Resource).toEqual([
      'arn:aws-cn:s3:::dr',
    ]);
    const odd = {bucket: 'dr', prefix: 'a*b/'};
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is how IAM writes a star
    expect(statement('reader', 'ReadRepository', {}, odd)?.Resource).toEqual(['arn:aws:s3:::dr/a${*}b/*']);
    const whole = {bucket: 'dr', prefix: ''};
    expect(statement('reader', 'ListRepository', {}, whole)).not.toHaveProperty('Condition');
    expect(statement('reader', 'ReadRepository', {}, whole)?.Resource).toEqual(['arn:aws:s3:::dr/*']);
  });

  it('is printed by a command that contacts nothing', async () => {
    const printed = await runPra(['repository', 'policy', '--for', 'reader', '--repository', 's3://dr/shop']);
    expect(printed.exitCode, printed.stderr).toBe(0);
    expect(JSON.parse(printed.stdout)).toEqual(repositoryPolicy('reader', where, {}));
    const folder = await runPra(['repository', 'policy', '--for', 'reader', '--repository', 'file:///srv/x']);
    expect(folder.exitCode).toBe(2);
    expect(folder.stderr).toContain('file:///srv/x is in no bucket');
    const none = await runPra(['repository', 'policy', '--for', 'reader']);
    expect(none.exitCode).toBe(2);
  });
});
