import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {generateHybridIdentity, generateIdentity, identityToRecipient} from 'age-encryption';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {FileStore} from '../../../src/repository/file.ts';
import {ageKey, parseIdentities} from '../../../src/repository/key/age.ts';
import {kmsKey} from '../../../src/repository/key/kms.ts';
import {passphraseKey} from '../../../src/repository/key/passphrase.ts';
import {readSlots} from '../../../src/repository/key/read-slots.ts';
import {type KeySlot, slotKey} from '../../../src/repository/key/slot.ts';
import {type KeyWrapper, makeSlot, openSlot} from '../../../src/repository/key/wrapper.ts';
import {newDataKey} from '../../../src/repository/key.ts';
import {encode} from '../../../src/repository/repository.ts';
import {errorOf} from '../../bed/error-of.ts';
import {writeFakeKms} from '../../bed/fake-kms.ts';

const repositoryId = 'a'.repeat(32);
const dataKey = newDataKey();
/** The least that a slot may ask for, since a test opens hundreds. */
const cheap = {N: 2 ** 14, r: 1, p: 1};

let dir: string;
const kinds: {right: KeyWrapper; wrong: KeyWrapper; slot: KeySlot}[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-kinds-'));
  const pairs: [KeyWrapper, KeyWrapper][] = [
    [passphraseKey('right', cheap), passphraseKey('Right', cheap)],
    [ageKey([await generateIdentity()]), ageKey([await generateIdentity()])],
    [ageKey([await generateHybridIdentity()]), ageKey([await generateHybridIdentity()])],
    [kmsKey(await writeFakeKms(dir)), kmsKey(await writeFakeKms(dir))],
  ];
  for (const [right, wrong] of pairs)
    kinds.push({right, wrong, slot: await makeSlot(right, dataKey, {repositoryId, label: 'of a test'})});
});
afterAll(() => rm(dir, {recursive: true, force: true}));

/** A KMS says that it refuses; all others only do not open. */
const opened = (wrapper: KeyWrapper, slot: KeySlot, id = repositoryId) =>
  openSlot(wrapper, slot, {repositoryId: id}).catch((error: unknown) => {
    expect(error).toMatchObject({code: 'REPOSITORY_KMS_FAILED'});
    return undefined;
  });

describe.each([
  ['passphrase', 0],
  ['age', 1],
  ['age after quantum computers', 2],
  ['kms', 3],
])('a slot of kind %s', (_name, index) => {
  const kind = () => kinds[index] ?? expect.unreachable();

  it('opens with its own secret, and with no other', async () => {
    const {right, wrong, slot} = kind();
    expect(await opened(right, slot)).toEqual(dataKey);
    expect(await opened(wrong, slot)).toBeUndefined();
    for (const other of kinds.filter(({right: {kind: name}}) => name !== right.kind))
      expect(await opened(other.right, slot)).toBeUndefined();
  });

  it('opens neither another repository nor in the place of another slot', async () => {
    const {right, slot} = kind();
    expect(await opened(right, slot, 'b'.repeat(32))).toBeUndefined();
    expect(await opened(right, {...slot, id: '0'.repeat(16)})).toBeUndefined();
    const next = await makeSlot(right, dataKey, {repositoryId});
    expect(await opened(right, {...slot, wrapped: next.wrapped})).toBeUndefined();
  });

  it('does not open when a byte was changed, but for what is only shown', async () => {
    const {right, slot} = kind();
    const store = new FileStore(join(dir, `flip-${index}`));
    const file = encode(slot);
    // Starting a program takes long, and of the longest slot most is one number.
    const step = index === 3 ? 7 : index === 2 ? 11 : 1;
    let stillGood = 0;
    for (let at = 0; at < file.length; at += step) {
      const altered = Buffer.from(file);
      altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
      await store.put(slotKey(slot.id), altered);
      const [found] = await readSlots(store, {});
      if (found?.state !== 'good') continue;
      const key = await opened(right, found.slot);
      if (!key) continue;
      stillGood += 1;
      expect(key).toEqual(dataKey);
      expect(withoutShown(found.slot), `byte ${at}`).toEqual(withoutShown(slot));
    }
    expect(stillGood).toBeGreaterThan(0);
    expect(stillGood).toBeLessThan(file.length / step / 2 + 100);
  });

  it('holds neither the key nor the secret in plain', () => {
    const text = encode(kind().slot).toString();
    for (const form of ['hex', 'base64', 'base64url'] as const)
      expect(text).not.toContain(dataKey.toString(form));
    expect(text).not.toMatch(/AGE-SECRET|right/);
  });
});

function withoutShown(slot: KeySlot) {
  const {createdAt: _, label: __, ...rest} = slot;
  return rest.kind === 'age' ? {...rest, age: {...rest.age, recipient: ''}} : rest;
}

describe('age', () => {
  it('opens what the age of Go wrote, and reads its file of identities', async () => {
    // Made by age-keygen and age 1.2.1.
    const identity = `# created: 2026-11-24T00:58:25Z
# public key: age1kkcuv4vynepm2muc8dg786yn88qcruzexul256zg9pezdpqyc40q7ug3c2
AGE-SECRET-KEY-1T984MK8EHTARVXTN6W47FFFCCVEZUDMNCQVHELUW9CZVFFTCHYCQ2EUWUE
`;
    const file =
      'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBmU3g1UDY3eUw1THJORFhMQWJDV3pjMDNlcHVySXRQb21VaWZMclVmbmdNCkhSZXFZWUpSdVV2ODJHZEliNkRza0FCYWlrb0ZKV0pOMjl5dlI2NDNFaFkKLS0tIGQzRkZ1V0FSWTZ1LzZiU29tMnl2d1pzK1J4SGpRdDFDeFdGRzR5Y0NMRHcKUPbZpz0EuS5+Za0jBjPf34oDZB/nwzQ3xWr0N1JXwJosdya7Wa3hV8QlNiNiA6s3c2casRxOpsFnUmBhmacSNg==';
    const wrapper = ageKey(await parseIdentities(identity, 'key.txt'));
    const slot = await makeSlot(wrapper, dataKey, {repositoryId});
    if (slot.kind !== 'age') expect.unreachable();
    expect(slot.age.recipient).toBe('age1kkcuv4vynepm2muc8dg786yn88qcruzexul256zg9pezdpqyc40q7ug3c2');
    const key = await wrapper.unwrap({...slot, age: {...slot.age, key: file}}, undefined);
    expect(key?.toString()).toBe(`${'0'.repeat(31)}7`);
  });

  it('makes a slot for a recipient whose identity is not here', async () => {
    const identity = await generateIdentity();
    const recipient = await identityToRecipient(identity);
    const without = ageKey([], recipient);
    expect(await without.opensItsOwn()).toBe(false);
    expect(await ageKey([await generateIdentity(), identity], recipient).opensItsOwn()).toBe(true);
    const slot = await makeSlot(without, dataKey, {repositoryId});
    expect(await openSlot(without, slot, {repositoryId})).toBeUndefined();
    const several = ageKey([await generateIdentity(), identity]);
    expect(await openSlot(several, slot, {repositoryId})).toEqual(dataKey);
  });

  it('shows no identity in an error', async () => {
    const identity = await generateIdentity();
    const misspelt = `${identity.slice(0, -1)}${identity.endsWith('Q') ? 'P' : 'Q'}`;
    const secrets = [identity, misspelt, identity.slice(20, 50)];
    const asRecipient = await errorOf(makeSlot(ageKey([], identity), dataKey, {repositoryId}), {secrets});
    expect(asRecipient).toMatchObject({code: 'USAGE', message: expect.stringContaining('is secret')});
    const wrong = await errorOf(parseIdentities(`# mine\n\n${misspelt}\n`, 'key.txt'), {secrets});
    expect(wrong).toMatchObject({
      code: 'REPOSITORY_KEY_MISSING',
      message: expect.stringMatching(/^line 3 of/),
    });
    for (const error of [asRecipient, wrong]) expect(error.cause).toBeUndefined();
  });

  it.each([
    ['nothing', '', 'has no identity'],
    ['only comments', '# age1\n', 'has no identity'],
    ['a key of ssh', 'ssh-ed25519 AAAA', 'line 1'],
    ['an encrypted file', '-----BEGIN AGE ENCRYPTED FILE-----\n', 'itself encrypted'],
  ])('does not take %s for identities', async (_name, text, says) => {
    expect((await errorOf(parseIdentities(text, 'key.txt'))).message).toContain(says);
  });

  it.each(['', 'age1', 'age1qqqq', 'ssh-ed25519 AAAA', `age1tag1${'q'.repeat(58)}`])(
    'does not take %j for a recipient',
    async recipient => {
      const error = await errorOf(makeSlot(ageKey([], recipient), dataKey, {repositoryId}));
      expect(error.code).toBe('USAGE');
    },
  );
});
