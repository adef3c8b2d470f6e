import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {generateIdentity, identityToRecipient} from 'age-encryption';
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {FileStore} from '../../src/repository/file.ts';
import {addKey} from '../../src/repository/key/add.ts';
import {ageKey} from '../../src/repository/key/age.ts';
import {listKeys} from '../../src/repository/key/list.ts';
import {passphraseKey} from '../../src/repository/key/passphrase.ts';
import {planRemoval, removeKey} from '../../src/repository/key/remove.ts';
import {slotKey} from '../../src/repository/key/slot.ts';
import {makeSlot} from '../../src/repository/key/wrapper.ts';
import {newDataKey} from '../../src/repository/key.ts';
import {
  encode,
  initRepository,
  openOrInitRepository,
  openRepository,
} from '../../src/repository/repository.ts';
import {errorOf} from '../bed/error-of.ts';
import {writeFakeKms} from '../bed/fake-kms.ts';

const passphrase = 'correct horse';
let dir: string;
let store: FileStore;
let identity: string;
let recipient: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-key-'));
  store = new FileStore(join(dir, 'repository'));
  identity = await generateIdentity();
  recipient = await identityToRecipient(identity);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(dir, {recursive: true, force: true});
});

async function slots(): Promise<string[]> {
  const found: string[] = [];
  for await (const {key} of store.list('keys/')) found.push(key);
  return found;
}
const cheap = (secret: string) => passphraseKey(secret, {N: 2 ** 14, r: 1, p: 1});

describe('a new repository', () => {
  it('has a slot for each who shall open it, and all open the same', async () => {
    const kms = await writeFakeKms(dir);
    const made = await initRepository(store, {passphrase, recipients: [recipient, recipient], kms});
    expect(await slots()).toHaveLength(3);
    for (const secrets of [{passphrase}, {identities: [identity]}, {kms}]) {
      const opened = await openRepository(store, secrets);
      expect(opened.treeKey).toEqual(made.treeKey);
      expect(opened.volumePassword()).toBe(made.volumePassword());
    }
  });

  it('needs no passphrase', async () => {
    await initRepository(store, {recipients: [recipient]});
    const error = await errorOf(openRepository(store, {passphrase}));
    expect(error).toMatchObject({code: 'REPOSITORY_WRONG_KEY', why: 'it has 1 key slot of kind age'});
    expect(error.next).toEqual([expect.stringContaining('PRA_AGE_IDENTITY_FILE')]);
    await openRepository(store, {passphrase, identities: [await generateIdentity(), identity]});
  });

  it('is not made for nobody, nor half for who is no recipient', async () => {
    expect((await errorOf(initRepository(store, {}))).code).toBe('REPOSITORY_KEY_MISSING');
    const typo = `${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`;
    expect((await errorOf(initRepository(store, {passphrase, recipients: [recipient, typo]}))).code).toBe(
      'USAGE',
    );
    expect(await slots()).toEqual([]);
  });

  it('is not made along the way when what is there could not open it again', async () => {
    const error = await errorOf(openOrInitRepository(store, {recipients: [recipient]}));
    expect(error.code).toBe('REPOSITORY_KEY_MISSING');
    const pinned = {passphrase, fingerprint: '01234567-89abcdef-01234567-89abcdef'};
    expect((await errorOf(openOrInitRepository(store, pinned))).code).toBe('REPOSITORY_ABSENT');
    expect(await slots()).toEqual([]);
  });

  it('leaves no slot when the disk is full before its root', async () => {
    const put = store.put.bind(store);
    let writes = 0;
    vi.spyOn(store, 'put').mockImplementation(async (key, body, options) => {
      writes += 1;
      if (writes === 2) throw new PraError('DISK_FULL', 'no space');
      await put(key, body, options);
    });
    const making = initRepository(store, {passphrase, recipients: [recipient]});
    expect((await errorOf(making)).code).toBe('DISK_FULL');
    expect(await slots()).toEqual([]);
  });
});

describe('opening', () => {
  it('says which keys there are, and how they are given', async () => {
    await initRepository(store, {passphrase, recipients: [recipient], kms: await writeFakeKms(dir)});
    const error = await errorOf(openRepository(store, {}));
    expect(error).toMatchObject({code: 'REPOSITORY_KEY_MISSING', exitCode: 2});
    for (const kind of ['passphrase', 'age', 'kms']) expect(error.why).toContain(`of kind ${kind}`);
    for (const name of ['PRA_PASSPHRASE_FILE', 'PRA_AGE_IDENTITY_FILE', 'PRA_KMS_COMMAND'])
      expect(error.next.join('\n')).toContain(name);
  });

  it('passes over a slot that a newer pra made', async () => {
    await initRepository(store, {passphrase});
    const id = '0'.repeat(16);
    await store.put(slotKey(id), encode({id, kind: 'tpm', pcrs: [1, 2]}));
    await openRepository(store, {passphrase});
    const error = await errorOf(openRepository(store, {identities: [identity]}));
    expect(error.why).toContain('of kind tpm, which this pra does not know');
    expect(error.next).toContain('update pra');
    expect((await listKeys(store, {})).items[0]).toEqual({
      id,
      kind: 'tpm',
      state: 'unknown',
      opens: undefined,
    });
  });

  it.each([
    ['cut off', '{"kind": "pass'],
    ['empty', ''],
    ['too long', 'x'.repeat(100_000)],
    ['of a kind that cannot be shown', '{"kind": "\\u001b[2J"}'],
    ['greedy', '{"kind": "passphrase", "scrypt": {"N": 2147483648, "r": 8, "p": 1, "salt": "AAAA"}}'],
  ])('passes over a slot that is %s, and names it when no other opens', async (_name, text) => {
    await initRepository(store, {passphrase});
    const key = slotKey('0'.repeat(16));
    await store.put(key, Buffer.from(text));
    await openRepository(store, {passphrase});
    const wrong = await errorOf(openRepository(store, {passphrase: 'wrong'}));
    expect(wrong.code).toBe('REPOSITORY_WRONG_KEY');
    expect(wrong.findings).toEqual([{message: expect.stringContaining(`${key} is damaged`)}]);
    for (const slot of await slots()) if (slot !== key) await store.delete(slot);
    const error = await errorOf(openRepository(store, {passphrase}));
    expect(error).toMatchObject({code: 'REPOSITORY_CORRUPT', message: expect.stringContaining(key)});
  });

  it('passes over a slot under the name of another', async () => {
    await initRepository(store, {passphrase});
    const [key = ''] = await slots();
    await store.put(slotKey('f'.repeat(16)), await store.get(key));
    expect((await listKeys(store, {})).items.map(({state}) => state).sort()).toEqual(['damaged', 'good']);
  });

  it('goes on with another key when the KMS is down, and else says that it is', async () => {
    const kms = await writeFakeKms(dir);
    const broken = await writeFakeKms(dir, 'leaks');
    await initRepository(store, {kms, recipients: [recipient]});
    await openRepository(store, {kms: broken, identities: [identity]});
    expect((await errorOf(openRepository(store, {kms: broken}))).code).toBe('REPOSITORY_KMS_FAILED');
    const both = await errorOf(openRepository(store, {kms: broken, identities: [await generateIdentity()]}));
    expect(both.code).toBe('REPOSITORY_WRONG_KEY');
    expect(both.findings).toEqual([{message: expect.stringContaining('access denied')}]);
  });

  it('takes no data key that somebody slipped in, with the fingerprint or a passphrase', async () => {
    const made = await initRepository(store, {passphrase, recipients: [recipient]});
    // Whoever can write to the store and knows the recipient makes a slot that opens with its identity.
    const planted = await makeSlot(ageKey([], recipient), newDataKey(), {repositoryId: made.id});
    for (const key of await slots())
      if ((await store.get(key)).toString().includes('"age"')) await store.delete(key);
    await store.put(slotKey(planted.id), encode(planted));
    expect((await openRepository(store, {passphrase, identities: [identity]})).treeKey).toEqual(made.treeKey);
    const {fingerprint} = made;
    const error = await errorOf(openRepository(store, {identities: [identity], fingerprint}));
    expect(error.findings).toEqual([
      {message: expect.stringContaining(`slot ${planted.id} has a key with another`)},
    ]);
    expect((await openRepository(store, {passphrase, fingerprint})).fingerprint).toBe(fingerprint);
  });
});

describe('adding a key', () => {
  it('opens what it wrote, and the old ones open as before', async () => {
    const made = await initRepository(store, {passphrase});
    const age = await addKey(store, ageKey([], recipient), {passphrase, label: 'safe'});
    expect(age).toMatchObject({proven: false, slot: {kind: 'age', label: 'safe', age: {recipient}}});
    const next = await addKey(store, passphraseKey('new'), {identities: [identity]});
    expect(next.proven).toBe(true);
    expect((await addKey(store, ageKey([identity], recipient), {passphrase})).proven).toBe(true);
    for (const secrets of [{passphrase}, {passphrase: 'new'}, {identities: [identity]}])
      expect((await openRepository(store, secrets)).treeKey).toEqual(made.treeKey);
  });

  it('needs a key', async () => {
    await initRepository(store, {passphrase});
    const error = await errorOf(addKey(store, cheap('b'), {passphrase: 'wrong'}), {secrets: ['wrong']});
    expect(error.code).toBe('REPOSITORY_WRONG_KEY');
    expect(await slots()).toHaveLength(1);
  });

  it.each([
    ['lost half of it', (body: Uint8Array) => body.subarray(0, 100)],
    [
      'changed a byte',
      (body: Uint8Array) => Buffer.from(Buffer.from(body).toString().replace('"r": 8', '"r": 4')),
    ],
  ])('takes a slot away again of which the store %s', async (_name, fault) => {
    await initRepository(store, {passphrase});
    const put = store.put.bind(store);
    vi.spyOn(store, 'put').mockImplementation((key, body, options) => put(key, fault(body), options));
    const error = await errorOf(addKey(store, passphraseKey('new'), {passphrase}));
    expect(error).toMatchObject({
      code: 'REPOSITORY_CORRUPT',
      message: expect.stringContaining('not what was written'),
    });
    expect(await slots()).toHaveLength(1);
  });
});

describe('removing a key', () => {
  it('takes its access, and leaves the data key as it was', async () => {
    const made = await initRepository(store, {passphrase});
    const [old] = (await listKeys(store, {})).items;
    await addKey(store, passphraseKey('new'), {passphrase});
    const id = old?.id ?? '';
    expect(await planRemoval(store, id, {passphrase})).toMatchObject({removed: {id}, opensAfter: false});
    expect(await planRemoval(store, id, {passphrase: 'new'})).toMatchObject({opensAfter: true});
    await removeKey(store, id, {});
    expect((await errorOf(openRepository(store, {passphrase}))).code).toBe('REPOSITORY_WRONG_KEY');
    expect((await openRepository(store, {passphrase: 'new'})).fingerprint).toBe(made.fingerprint);
  });

  it('is refused for the last that can be read, whatever lies beside it', async () => {
    await initRepository(store, {passphrase});
    const id = (await listKeys(store, {})).items[0]?.id ?? '';
    expect(await errorOf(planRemoval(store, id, {passphrase}))).toMatchObject({
      code: 'REPOSITORY_LAST_KEY',
      exitCode: 2,
    });
    await store.put(slotKey('0'.repeat(16)), Buffer.from('{}'));
    expect((await errorOf(planRemoval(store, id, {passphrase}))).code).toBe('REPOSITORY_LAST_KEY');
    expect((await errorOf(removeKey(store, id, {}))).code).toBe('REPOSITORY_LAST_KEY');
    await planRemoval(store, '0'.repeat(16), {passphrase});
    await removeKey(store, '0'.repeat(16), {});
    await openRepository(store, {passphrase});
  });

  it('is refused to who has none, and for what is not there', async () => {
    await initRepository(store, {passphrase, recipients: [recipient]});
    const id = (await listKeys(store, {})).items[0]?.id ?? '';
    expect((await errorOf(planRemoval(store, id, {}))).code).toBe('REPOSITORY_KEY_MISSING');
    expect((await errorOf(planRemoval(store, id, {passphrase: 'wrong'}))).code).toBe('REPOSITORY_WRONG_KEY');
    const other = await errorOf(planRemoval(store, '0'.repeat(16), {passphrase}));
    expect(other.code).toBe('REPOSITORY_KEY_NOT_FOUND');
  });

  it('leaves a way in when two remove the two that there are at once', async () => {
    for (let round = 0; round < 20; round += 1) {
      const own = new FileStore(join(dir, `race-${round}`));
      const made = [cheap('a'), cheap('b')].map(wrapper =>
        makeSlot(wrapper, newDataKey(), {repositoryId: 'a'.repeat(32)}),
      );
      const both = await Promise.all(made);
      for (const slot of both) await own.put(slotKey(slot.id), encode(slot));
      await Promise.allSettled(both.map(({id}) => removeKey(own, id, {})));
      const left: string[] = [];
      for await (const {key} of own.list('keys/')) left.push(key);
      expect(left.length).toBeGreaterThan(0);
    }
  });
});
