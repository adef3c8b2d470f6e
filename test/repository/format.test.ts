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
const rootSchema = z.looseObject({id: z.string(), tree: z.string(), sealed: z.string(), mac: z.string()});
const OPEN_FIELDS = [
  'apiVersion',
  'bytes',
  'counts',
  'createdAt',
  'finishedAt',
  'id',
  'kind',
  'sealed',
  'tool',
  'tree',
];
const topSchema = z.strictObject({
  shards: z.array(
    z.strictObject({
      type: z.looseObject({kind: z.string()}),
      namespace: z.string(),
      objects: z.int(),
      tree: z.string(),
      content: z.string(),
    }),
  ),
});
const shardSchema = z.strictObject({
  type: z.looseObject({kind: z.string()}),
  namespace: z.string(),
  entries: z.array(
    z.strictObject({
      n: z.string(),
      d: z.string(),
      l: z.tuple([z.string(), z.int(), z.int(), z.int(), z.int()]),
    }),
  ),
});

it('a reader written after the document reads what is written', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'pra-format-'));
  try {
    const objects = [
      configMap('b', 'z', {k: 'ü'}),
      configMap('a', 'y', {}),
      configMap('b', 'x', {n: [1, null]}),
    ];
    const saved = await saveSnapshot(await initRepository(new FileStore(dir), {passphrase}), objects);

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

    const tree = async (name: string): Promise<unknown> => {
      const bytes = await readFile(join(dir, 'trees', name.slice(0, 2), name));
      expect(sha256(bytes)).toBe(name);
      return JSON.parse(zstdDecompressSync(open(key('trees'), bytes, 'tree')).toString());
    };
    const found: string[] = [];
    for (const reference of topSchema.parse(await tree(root.tree)).shards) {
      const {entries} = shardSchema.parse(await tree(reference.tree));
      expect(entries).toHaveLength(reference.objects);
      const content = canonicalJson(entries.map(entry => [entry.n, entry.d, null]));
      expect(sha256(Buffer.from(content))).toBe(reference.content);
      for (const {n, d, l} of entries) {
        const [name, frameOffset, frameLength, offset, length] = l;
        const pack = await readFile(join(dir, 'packs', name.slice(0, 2), name));
        expect(sha256(pack)).toBe(name);
        expect(pack.subarray(0, 8).toString()).toBe('PRAPACK1');
        const sealed = pack.subarray(frameOffset, frameOffset + frameLength);
        const frame = zstdDecompressSync(open(key('packs'), sealed, 'frame'));
        const body = frame.subarray(offset, offset + length);
        expect(sha256(body)).toBe(d);
        found.push(`${reference.namespace}/${n} ${body.toString()}`);
      }
    }
    const wanted = ['a/y', 'b/x', 'b/z'].map(name => {
      const object = objects.find(({metadata}) => `${metadata.namespace}/${metadata.name}` === name);
      return `${name} ${canonicalJson(object)}`;
    });
    expect(found).toEqual(wanted);
  } finally {
    await rm(dir, {recursive: true, force: true});
  }
});
