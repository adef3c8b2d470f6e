import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, vi} from 'vitest';
import {openStore} from '../../src/repository/open.ts';
import type {Store} from '../../src/repository/store.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';

/** A store whose objects are files on both kinds, so that a test can damage them and change their time. */
export interface Place {
  store: Store;
  /** Path of the file that holds an object. */
  file(key: string): string;
}

/** A folder and a bucket of a real server, for `describe.each`. Every call gives a place of its own. */
export function bothStores(): [name: string, make: () => Promise<Place>][] {
  let dir: string;
  let s3: TestS3;
  let made = 0;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pra-both-'));
    s3 = await startVersitygw();
    for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await s3.stop();
    await rm(dir, {recursive: true, force: true});
  });
  const folder = async (): Promise<Place> => {
    const path = join(dir, `p${made++}`);
    return {store: await openStore(`file://${path}`), file: key => join(path, key)};
  };
  const bucket = async (): Promise<Place> => {
    const prefix = `p${made++}`;
    const options = {endpoint: s3.endpoint, region: s3.region, profile: s3.profiles.right};
    const store = await openStore(`s3://${s3.bucket}/${prefix}`, options);
    return {store, file: key => join(s3.files, prefix, key)};
  };
  return [
    ['a folder', folder],
    ['a bucket', bucket],
  ];
}

export async function keysIn(store: Store, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const {key} of store.list(prefix)) keys.push(key);
  return keys;
}
