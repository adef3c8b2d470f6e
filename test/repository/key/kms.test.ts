import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {askProgram} from '../../../src/repository/key/ask-program.ts';
import {kmsKey} from '../../../src/repository/key/kms.ts';
import {makeSlot, openSlot} from '../../../src/repository/key/wrapper.ts';
import {newDataKey} from '../../../src/repository/key.ts';
import {errorOf} from '../../bed/error-of.ts';
import {type KmsFault, SLEEP, writeFakeKms} from '../../bed/fake-kms.ts';

const repositoryId = 'a'.repeat(32);
const dataKey = newDataKey();
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-kms-'));
});
afterAll(() => rm(dir, {recursive: true, force: true}));

const wrapWith = async (fault: KmsFault, deadlineMs?: number) =>
  makeSlot(kmsKey(await writeFakeKms(dir, fault), deadlineMs), dataKey, {repositoryId});

describe('a program for a KMS', () => {
  it.each<[KmsFault, RegExp]>([
    ['leaks', /wrap failed with exit code 3/],
    ['forgets', /does not keep keys/],
    ['passes', /does not keep keys/],
    ['says', /./],
    ['silent', /wrap did not answer with the wrapped key/],
    ['binary', /wrap did not answer with the wrapped key/],
    ['talks', /wrap was killed/],
  ])('that %s makes no slot', async (fault, message) => {
    const error = await errorOf(wrapWith(fault));
    expect(error).toMatchObject({code: 'REPOSITORY_KMS_FAILED', message: expect.stringMatching(message)});
    expect(error.cause).toBeUndefined();
    const shown = [error.message, error.why, ...error.next].join('\n');
    // 32 bytes in base64, also of what a program traced.
    expect(shown).not.toMatch(/[A-Za-z0-9+/]{42}/);
    if (fault === 'leaks') expect(error.why).toBe('trace: …\naccess denied');
  });

  it('has to end in time, with all that it started', async () => {
    const error = await errorOf(wrapWith('hangs', 700), {limitMs: 5000});
    expect(error.message).toMatch(/did not end within 0\.7 s$/);
    const {stdout} = await askProgram('ps', ['-eo', 'args'], '', AbortSignal.timeout(5000));
    expect(stdout).toContain('vitest');
    expect(stdout).not.toContain(SLEEP);
  });

  it('ends when pra is stopped', async () => {
    const stop = new AbortController();
    const command = await writeFakeKms(dir, 'hangs');
    setTimeout(() => stop.abort(), 500);
    const making = makeSlot(kmsKey(command), dataKey, {repositoryId, signal: stop.signal});
    expect((await errorOf(making, {limitMs: 5000})).code).toBe('INTERRUPTED');
  });

  it('has to be there', async () => {
    const error = await errorOf(makeSlot(kmsKey([join(dir, 'none')]), dataKey, {repositoryId}));
    expect(error).toMatchObject({code: 'REPOSITORY_KMS_FAILED', why: 'there is no such program'});
  });

  it('is not told the secrets of pra, and no shell reads its arguments', async () => {
    process.env.PRA_PASSPHRASE = 'secret of pra';
    try {
      const [file = ''] = await writeFakeKms(dir, 'says');
      const {stdout} = await askProgram(file, ['$(touch x)', 'wrap'], '', AbortSignal.timeout(5000));
      expect(stdout).toContain('PATH');
      expect(stdout).not.toContain('secret of pra');
    } finally {
      delete process.env.PRA_PASSPHRASE;
    }
    const echoed = await askProgram('echo', ['$(id)', ';', 'wrap'], '', AbortSignal.timeout(5000));
    expect(echoed.stdout).toBe('$(id) ; wrap\n');
  });

  it('is never given the data key', async () => {
    const command = await writeFakeKms(dir);
    const slot = await makeSlot(kmsKey(command), dataKey, {repositoryId});
    expect(await openSlot(kmsKey(command), slot, {repositoryId})).toEqual(dataKey);
    expect(await kmsKey(command).unwrap(slot, undefined)).not.toEqual(dataKey);
  });
});
