import {join} from 'node:path';
import {afterEach, expect, it, vi} from 'vitest';
import {repositoryOf} from '../../src/cli/wiring.ts';
import {openStore} from '../../src/repository/open.ts';
import {packageRoot} from '../../src/std/paths.ts';
import {load, planWith, pointedMistakesOf} from '../plan/load.ts';

/** Any file that is there. */
const caFile = join(packageRoot(), 'package.json');

const planIn = (fields: string) =>
  planWith('repository: {url: "file:///backups"}', `repository: {url: "s3://dr/shop", ${fields}}`);

afterEach(() => void vi.unstubAllEnvs());

it('everything that a plan says of its bucket reaches the store', async () => {
  vi.stubEnv('PRA_REPOSITORY', undefined);
  const loaded = await load(
    planIn(`endpoint: "https://s3.example.com", region: eu-west-3, pathStyle: false, caFile: ${caFile},
      credentials: {env: DR}, storageClass: STANDARD_IA, lock: {mode: governance, days: 30},
      encryption: {sse: "aws:kms", kmsKeyId: alias/dr}`),
  );
  expect(repositoryOf(loaded, {})).toMatchObject({
    url: 's3://dr/shop',
    options: {
      endpoint: 'https://s3.example.com',
      region: 'eu-west-3',
      pathStyle: false,
      caFile,
      profile: undefined,
      credentialsEnv: 'DR',
      storageClass: 'STANDARD_IA',
      sse: {algorithm: 'aws:kms', kmsKeyId: 'alias/dr'},
      lock: {mode: 'governance', days: 30},
    },
  });
});

it.each([
  ['storageClass: DEEP_ARCHIVE', 'must be a class whose objects can be read at once'],
  ['storageClass: standard', 'must be a storage class, such as STANDARD_IA'],
  ['encryption: {sse: AES256, kmsKeyId: alias/dr}', 'kmsKeyId needs sse: aws:kms'],
  ['credentials: {env: "D-R"}', 'must be the beginning of the names of variables'],
  ['credentials: {env: DR, profile: dr}', 'has one of env, profile and secretRef'],
  ['lock: {mode: governance, days: 0}', 'days'],
])('a plan with %s is refused', async (fields, message) => {
  const {code, mistakes} = await pointedMistakesOf(planIn(fields));
  expect(code).toBe('PLAN_INVALID');
  expect(mistakes).toEqual([expect.stringContaining(message)]);
});

it('what only a bucket can do is refused for a folder, also when it is asked for by a flag', async () => {
  const {code, mistakes} = await pointedMistakesOf(
    planWith(
      'repository: {url: "file:///backups"}',
      'repository: {url: "file:///backups", lock: {mode: governance, days: 1}, storageClass: ONEZONE_IA}',
    ),
  );
  expect(code).toBe('PLAN_INVALID');
  expect(mistakes).toEqual([
    expect.stringContaining('lock'),
    expect.stringContaining('needs a bucket: the url is a folder'),
  ]);
  const options = {lock: {mode: 'governance', days: 1}} as const;
  await expect(openStore('file:///backups', options)).rejects.toMatchObject({
    code: 'USAGE',
    message: 'file:///backups is a folder, which has no Object Lock',
  });
});
