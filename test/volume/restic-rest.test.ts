import {createHash} from 'node:crypto';
import {mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {openStore} from '../../src/repository/open.ts';
import type {Store} from '../../src/repository/store.ts';
import {answerRestic, type RestAccess} from '../../src/volume/restic-rest.ts';
import {makeFaulty} from '../bed/faulty-store.ts';

let dir: string;
let store: Store;
const BYTES = Buffer.from('0123456789');
const nameOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const NAME = nameOf(BYTES);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-rest-'));
  await writeFile(join(dir, 'outside'), 'secret');
  store = await openStore(`file://${join(dir, 'repository')}`);
  await store.put('pra.json', Buffer.from('{}'));
  await store.put('volumes/config', BYTES);
  await store.put(`volumes/data/${NAME.slice(0, 2)}/${NAME}`, BYTES);
  await store.put(`volumes/locks/${NAME}`, BYTES);
});
afterAll(() => rm(dir, {recursive: true}));

const ask = (
  method: string,
  path: string,
  {access = 'append', range, body = BYTES}: {access?: RestAccess; range?: string; body?: Uint8Array} = {},
) => answerRestic(store, {method, path, range, body: async () => body}, {access});
const METHODS = ['GET', 'HEAD', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', ''];

describe('a path', () => {
  test.each([
    '/../pra.json',
    '/data/../../pra.json',
    '/data/%2e%2e/pra.json',
    `/data/${NAME}/..`,
    '/pra.json',
    '/keys/pra.json',
    '/volumes/config',
    '/config/x',
    `/data/${NAME.slice(0, 2)}/${NAME}`,
    `/data/${NAME.toUpperCase()}`,
    `/data/${NAME}0`,
    `/data/${NAME}\n`,
    '/',
    '',
  ])('%j leads to nothing', async path => {
    for (const method of METHODS) expect((await ask(method, path)).status, method).toBe(404);
  });

  test('whatever it is leads to no other file, and nothing is written there', async () => {
    const before = await tree();
    const part = fc.oneof(
      fc.constantFrom('..', '.', 'pra.json', '%2e%2e', 'outside', 'snapshots', NAME),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, {maxLength: 4}), fc.constantFrom(...METHODS), async (parts, method) => {
        const {status, body} = await ask(method, `/${parts.join('/')}`, {access: 'read'});
        expect([200, 206, 400, 403, 404, 405, 416]).toContain(status);
        expect(Buffer.from(body ?? []).toString()).not.toMatch(/secret|\{\}/);
      }),
      {numRuns: 300},
    );
    expect(await tree()).toEqual(before);
  });

  const tree = async () => (await readdir(dir, {recursive: true})).sort();
});

describe('who', () => {
  const FOLDERS = ['data', 'index', 'keys', 'locks', 'snapshots'];
  const body = Buffer.from('new');
  const NEW = nameOf(body);

  test('appends adds, and takes nothing away but locks', async () => {
    for (const folder of FOLDERS) {
      expect((await ask('POST', `/${folder}/${NEW}`, {body})).status, folder).toBe(
        folder === 'keys' ? 403 : 200,
      );
      expect((await ask('DELETE', `/${folder}/${NEW}`)).status, folder).toBe(folder === 'locks' ? 200 : 403);
      expect((await ask('DELETE', `/${folder}/`)).status).toBe(403);
      expect((await ask('POST', `/${folder}/`)).status).toBe(403);
    }
    for (const method of ['POST', 'DELETE', 'PUT']) expect((await ask(method, '/config')).status).toBe(403);
    expect((await ask('POST', '/?create=true')).status).toBe(404);
  });

  test('reads writes nothing but locks', async () => {
    const other = nameOf(Buffer.from('other'));
    for (const folder of FOLDERS)
      for (const method of ['POST', 'DELETE'])
        expect(
          (await ask(method, `/${folder}/${other}`, {access: 'read', body: Buffer.from('other')})).status,
          `${method} ${folder}`,
        ).toBe(folder === 'locks' ? 200 : 403);
    expect((await ask('GET', '/config', {access: 'read'})).status).toBe(200);
  });

  test('writes another content than the name says is refused, and what is there already is the same', async () => {
    expect((await ask('POST', `/data/${NAME}`, {body: Buffer.from('other')})).status).toBe(400);
    expect((await ask('POST', `/data/${'9'.repeat(64)}`)).status).toBe(400);
    expect((await ask('POST', `/data/${NAME}`)).status).toBe(200);
    expect((await ask('GET', `/data/${NAME}`)).body).toEqual(BYTES);
  });
});

describe('what is asked for', () => {
  test.each([
    [undefined, 200, '0123456789'],
    ['bytes=0-3', 206, '0123'],
    ['bytes=7-', 206, '789'],
    ['bytes=8-100', 206, '89'],
    ['bytes=5-4', 416, ''],
    ['bytes=0-99999999999', 416, ''],
    ['bytes=-3', 200, '0123456789'],
  ])('by the range %s is %i %s', async (range, status, text) => {
    const answer = await ask('GET', `/data/${NAME}`, range === undefined ? {} : {range});
    expect([answer.status, Buffer.from(answer.body ?? []).toString()]).toEqual([status, text]);
  });

  test('is a list, a size, or nothing', async () => {
    const {body, headers} = await ask('GET', '/locks/');
    expect(JSON.parse(Buffer.from(body ?? []).toString())).toEqual([{name: NAME, size: 10}]);
    expect(headers?.['content-type']).toBe('application/vnd.x.restic.rest.v2');
    expect(await ask('HEAD', `/data/${NAME}`)).toEqual({status: 200, headers: {'content-length': '10'}});
    expect((await ask('HEAD', `/data/${'9'.repeat(64)}`)).status).toBe(404);
    expect((await ask('GET', `/data/${'9'.repeat(64)}`)).status).toBe(404);
  });

  test('and cannot be had is told to both sides', async () => {
    const faulty = makeFaulty(store);
    const failure = new PraError('STORE_UNREACHABLE', 'the store does not answer');
    faulty.before = () => Promise.reject(failure);
    const errors: PraError[] = [];
    let answers = 0;
    const options = {
      access: 'read',
      onError: (error: PraError) => void errors.push(error),
      onAnswer: () => {
        answers += 1;
      },
    } as const;
    const request = {method: 'GET', path: `/data/${NAME}`, body: async () => BYTES};
    expect((await answerRestic(faulty, request, options)).status).toBe(500);
    expect([errors, answers]).toEqual([[failure], 0]);
    await answerRestic(store, request, options);
    expect([errors.length, answers]).toEqual([1, 1]);
  });
});
