import {randomBytes} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test, vi} from 'vitest';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {listAll} from '../../src/cluster/list.ts';
import {layoutFor} from '../../src/local/layout.ts';
import type {OpenStoreOptions} from '../../src/repository/open.ts';
import type {ClaimRecord} from '../../src/repository/snapshot-root.ts';
import {waitFor} from '../../src/std/wait.ts';
import type {MoverSettings} from '../../src/volume/mover/settings.ts';
import {createAuthority} from '../bed/certificates.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {claimObject, idlePod, namespaceObject, startVolumeBed, type VolumeBed} from '../bed/volume-bed.ts';
import {differences, fillVolume, saveVolume} from './saving.ts';

/** Of no other cluster of this machine, so that its processes are told from theirs. */
const namespace = `direct-${randomBytes(3).toString('hex')}`;
const MIB = 1024 ** 2;

let bed: VolumeBed;
let s3: TestS3;
let dir: string;
let source: string;
let store: OpenStoreOptions;
let mover: TestS3['credentials'];
let copies = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-direct-'));
  bed = await startVolumeBed({isolated: false});
  const address = bed.hostAddress;
  const authority = await createAuthority(join(dir, 'ca'));
  const tls = await authority.issue({name: 's3', commonName: 's3', subjectAltNames: [`IP:${address}`]});
  s3 = await startVersitygw({address, tls, users: true});
  mover = await s3.addUser('MOVER', 'admin');
  const variables = {
    ...s3.env,
    MOVER_ACCESS_KEY_ID: mover.accessKeyId,
    MOVER_SECRET_ACCESS_KEY: mover.secretAccessKey,
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  store = {endpoint: s3.endpoint, profile: s3.profiles.right, caFile: authority.caFile};
  await bed.create(
    namespaceObject(namespace),
    claimObject(namespace, 'data'),
    idlePod(namespace, 'app', 'data'),
  );
  source = await bed.folderOf(namespace, 'data');
  for (let i = 0; i < 4; i += 1) await writeFile(join(source, `${i}`), randomBytes(8 * MIB));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3?.stop();
  await bed?.stop();
  await rm(dir, {recursive: true, force: true});
});

type Kept = Awaited<ReturnType<VolumeBed['keep']>>;
const keep = (prefix: string) => bed.keep(`s3://${s3.bucket}/${prefix}`, store);
const save = ({restic}: Kept, settings: Partial<MoverSettings>) =>
  saveVolume(bed, {
    restic,
    namespace,
    rules: [{select: {app: 'app'}, method: 'filesystem'}, {method: 'none'}],
    settings,
  });
async function fill({restic}: Kept, record: ClaimRecord, settings: Partial<MoverSettings>) {
  copies += 1;
  const claim = `copy-${copies}`;
  await bed.create(claimObject(namespace, claim));
  const filled = await fillVolume(bed, {restic, record, namespace, claim, settings});
  expect(await differences(source, await bed.folderOf(namespace, claim))).toBe('');
  return filled;
}

/** Everything about movers that somebody could read who may not read the memory of their processes. */
async function readable(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const {Job, Pod, Secret, ConfigMap, Event, PersistentVolumeClaim} = CORE_TYPES;
  for (const type of [Job, Pod, Secret, ConfigMap, Event, PersistentVolumeClaim])
    found[type.kind] = JSON.stringify(await listAll(bed.cluster, type, {}));
  for (const {metadata} of await listAll(bed.cluster, Pod, {namespace}))
    found[`log of ${metadata.name}`] = await bed.cluster.requestText(
      'GET',
      `/api/v1/namespaces/${namespace}/pods/${metadata.name}/log`,
    );
  found['command lines'] = commandLines().join('\n');
  const {logs} = layoutFor(bed.name);
  for (const file of await readdir(logs)) found[file] = await readFile(join(logs, file), 'utf8');
  return found;
}

/** Of all processes of this machine, those in pods among them. */
const commandLines = () =>
  readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return ''; // it has ended
      }
    });

test.each(['direct', 'auto'] as const)(
  'pods talk to the bucket themselves with %s, and give no secret away',
  async transport => {
    const kept = await keep(transport);
    const settings: Partial<MoverSettings> = {transport, credentials: {credentialsEnv: 'MOVER'}};
    const secrets = [...s3.secrets, mover.secretAccessKey, kept.repository.volumePassword()];
    const shown: Record<string, string>[] = [];
    const whileRestic = async <T>(command: string, work: () => Promise<T>): Promise<T> => {
      await s3.pause();
      const watching = waitFor(
        async () =>
          commandLines().some(
            line => line.startsWith('/restic ') && line.includes(` ${command} `) && line.includes(namespace),
          ) || undefined,
        {waitingFor: `restic ${command}`, timeoutMs: 30_000, intervalMs: 50},
      )
        .then(async () => shown.push(await readable()))
        .finally(() => s3.resume());
      const [done] = await Promise.all([work(), watching]);
      return done;
    };
    kept.store.before = async (_operation, key) => {
      if (key.startsWith('volumes/data/')) throw new Error('data went through this process');
    };
    const record = await whileRestic('backup', () => save(kept, settings));
    expect(record).toMatchObject({transport: 'direct', bytes: 32 * MIB, manifest: {unstable: 0}});
    const filled = await whileRestic('restore', () => fill(kept, record, settings));
    expect(filled.transport).toBe('direct');
    shown.push(await readable());
    for (const places of shown)
      for (const [place, text] of Object.entries(places))
        for (const secret of secrets) expect(text.includes(secret), `a secret in ${place}`).toBe(false);
    // What was looked through is what there is.
    const all = JSON.stringify(shown);
    expect(all).toContain('pra-mover');
    expect(all).toContain(`/pra/${namespace}/data`);
    expect(await bed.leftovers()).toEqual([]);
  },
  120_000,
);

test('with auto nothing is given to pods when the credentials do not end', async () => {
  const kept = await keep('forever');
  const record = await save(kept, {transport: 'auto'});
  expect(record.transport).toBe('stream');
  // What was saved one way comes back the other.
  const filled = await fill(kept, record, {transport: 'direct'});
  expect(filled.transport).toBe('direct');
});
