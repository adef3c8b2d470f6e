import {createDecipheriv, createHash, createHmac, hkdfSync, scryptSync} from 'node:crypto';
import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {zstdDecompressSync} from 'node:zlib';
import {expect, it} from 'vitest';
import {z} from 'zod';
import {FileStore} from '../../src/repository/file.ts';
import {initRepository} from '../../src/repository/repository.ts';
import {canonicalJson} from '../../src/std/json.ts';
import {configMap, saveSnapshot} from './snapshots.ts';

/*
 * A reader after docs/repository-format.md that shares no code with src/repository: when it breaks, the format of
 * repositories that exist was changed, and FORMAT and the document must be too.
 */

const passphrase = 'ﬁne passphrase';
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function open(key: Buffer, sealed: Buffer, context: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), {authTagLength: 16});
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
}

const repositorySchema = z.strictObject({
  format: z.literal(1),
  id: z.string().length(32),
  createdAt: z.string(),
});
const slotSchema = z.strictObject({
  id: z.string().length(16),
  createdAt: z.string(),
  kind: z.literal('passphrase'),
  scrypt: z.strictObject({N: z.literal(131072), r: z.literal(8), p: z.literal(1), salt: z.string()}),
  wrapped: z.string(),
});
const placeSchema = z.strictObject({name: z.string(), id: z.string(), offset: z.int(), length: z.int()});
const rootSchema = z.looseObject({
  id: z.string(),
  trees: z.array(placeSchema),
  sealed: z.string(),
  mac: z.string(),
});
const OPEN_FIELDS = [
  'apiVersion',
  'bytes',
  'counts',
  'createdAt',
  'finishedAt',
  'id',
  'kind',
  'parent',
  'sealed',
  'tool',
  'trees',
];
const directorySchema = z.strictObject({
  types: z.array(z.looseObject({kind: z.string()})),
  packs: z.array(z.string()),
  frames: z.array(z.tuple([z.int(), z.string(), z.int(), z.int()])),
  health: z.array(z.tuple([z.string()]).rest(z.number())),
  groups: z.array(z.tuple([z.string(), z.int(), z.int()])),
  shards: z.array(z.tuple([z.int(), z.string(), z.int(), z.int(), z.int()])),
});
const shardSchema = z.strictObject({
  n: z.array(z.string()),
  d: z.string(),
  f: z.array(z.int()),
  o: z.array(z.int()),
  l: z.array(z.int()),
  h: z.array(z.int()),
  x: z.array(z.string()).optional(),
});

it('a reader written after the document reads what is written', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'pra-format-'));
  try {
    const common = Array.from({length: 20}, (_, i) => configMap('a', `m-${i}`, {i}));
    const before = [...common, configMap('b', 'z', {k: 'old'}), configMap('b', 'gone', {})];
    const objects = [...common, configMap('b', 'z', {k: 'ü'}), configMap('b', 'x', {n: [1, null]})];
    const repository = await initRepository(new FileStore(dir), {passphrase});
    // Of the second, only what changed is in a tree of its own.
    const saved = await saveSnapshot(repository, objects, await saveSnapshot(repository, before));
    expect(saved.trees).toHaveLength(2);

    const json = async (...path: string[]): Promise<unknown> =>
      JSON.parse(await readFile(join(dir, ...path), 'utf8'));
    const {id} = repositorySchema.parse(await json('pra.json'));
    const [slotFile = ''] = await readdir(join(dir, 'keys'));
    const slot = slotSchema.parse(await json('keys', slotFile));
    expect(slotFile).toBe(`${slot.id}.json`);
    const {N, r, p, salt} = slot.scrypt;
    const saltBytes = Buffer.from(salt, 'base64');
    expect(saltBytes).toHaveLength(16);
    const cost = {N, r, p, maxmem: 2 ** 28};
    const slotKey = scryptSync(passphrase.normalize('NFKC'), saltBytes, 32, cost);
    const wrapped = Buffer.from(slot.wrapped, 'base64');
    expect(wrapped).toHaveLength(60);
    const dataKey = open(slotKey, wrapped, `slot/${id}/${slot.id}`);
    const key = (purpose: string) => Buffer.from(hkdfSync('sha256', dataKey, 'pra/v1', purpose, 32));

    const {mac, ...root} = rootSchema.parse(await json('snapshots', `${saved.id}.json`));
    expect(createHmac('sha256', key('snapshots')).update(canonicalJson(root)).digest('hex')).toBe(mac);
    expect(root.id).toBe(saved.id);
    expect(Object.keys(root).sort()).toEqual(OPEN_FIELDS);
    const hidden: unknown = JSON.parse(
      open(key('roots'), Buffer.from(root.sealed, 'base64'), `root/${saved.id}`).toString(),
    );
    const {source, namespaces, resourceVersions, volumes, baselines} = saved;
    expect(hidden).toEqual({source, namespaces, resourceVersions, volumes, baselines});

    const file = async (folder: string, name: string) => {
      const bytes = await readFile(join(dir, folder, name.slice(0, 2), name));
      expect(sha256(bytes)).toBe(name);
      return bytes;
    };
    /** A sealed part of a file, by its id, offset and length. */
    const part = (bytes: Buffer, purpose: string, id: string, offset: number, length: number) =>
      zstdDecompressSync(open(key(purpose), bytes.subarray(offset, offset + length), `frame/${id}`));
    const found = new Map<string, string>();
    for (const reference of root.trees) {
      const tree = await file('trees', reference.name);
      expect(tree.subarray(0, 8).toString()).toBe('PRATREE1');
      const {id: directoryId, offset: at, length: size} = reference;
      const text = part(tree, 'trees', directoryId, at, size).toString();
      const directory = directorySchema.parse(JSON.parse(text));
      for (const [, namespace, count, group, place] of directory.shards) {
        const [groupId = '', groupOffset = 0, groupLength = 0] = directory.groups[group] ?? [];
        const shards: unknown = JSON.parse(part(tree, 'trees', groupId, groupOffset, groupLength).toString());
        const shard = shardSchema.parse(z.array(z.unknown()).parse(shards)[place]);
        for (const name of shard.x ?? []) found.delete(`${namespace}/${name}`);
        let end = 0;
        for (const [i, name] of shard.n.entries()) {
          const [pack = 0, id = '', offset = 0, length = 0] = directory.frames[shard.f[i] ?? -1] ?? [];
          const bytes = await file('packs', directory.packs[pack] ?? '');
          expect(bytes.subarray(0, 8).toString()).toBe('PRAPACK1');
          const start = end + (shard.o[i] ?? 0);
          end = start + (shard.l[i] ?? 0);
          const body = part(bytes, 'packs', id, offset, length).subarray(start, end);
          const keyed = Buffer.concat([body, key('digests')]);
          expect(sha256(keyed).slice(0, 16)).toBe(
            Buffer.from(shard.d, 'base64').toString('hex', 8 * i, 8 * i + 8),
          );
          found.set(`${namespace}/${name}`, body.toString());
        }
        expect([...found.keys()].filter(name => name.startsWith(`${namespace}/`))).toHaveLength(count);
      }
    }
    const wanted = objects.map(object => [
      `${object.metadata.namespace}/${object.metadata.name}`,
      JSON.stringify(object),
    ]);
    expect([...found].sort()).toEqual(wanted.sort());
  } finally {
    await rm(dir, {recursive: true, force: true});
  }
});
