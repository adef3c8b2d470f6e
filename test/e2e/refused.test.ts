import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {leftOfDrill, makeShopBed, type ShopBed} from './shop.ts';

/** What a drill must refuse, whatever it costs: the source as its target, damaged data, a target that is none. */

let shop: ShopBed;

vi.setConfig({testTimeout: 900_000});

beforeAll(async () => {
  shop = await makeShopBed('refused');
});

afterAll(async () => {
  await shop?.stop();
});

/** A Terraform module with these outputs, which makes nothing. */
async function moduleWith(name: string, outputs: string): Promise<string> {
  const dir = join(shop.dir, name);
  await mkdir(dir);
  await writeFile(join(dir, 'main.tf'), outputs);
  return dir;
}

const drillInto = async (module: string) =>
  shop.drill(
    await shop.plan(document => document.setIn(['spec', 'target', 'terraform'], {dir: module})),
    '--var',
    'images=[]',
  );

const outputsFor = (kubeconfig: string, endpoint: string) => `
output "kubeconfig_path" { value = "${kubeconfig}" }
output "endpoint" { value = "${endpoint}" }
output "facts" { value = { provider = "test", isolated = true } }
`;

const everything = async () =>
  JSON.stringify(
    await Promise.all(
      [
        '/apis/apps/v1/deployments',
        '/apis/apps/v1/statefulsets',
        '/api/v1/services',
        '/apis/batch/v1/cronjobs',
      ].map(path => shop.cluster.request('GET', path)),
    ),
    (key, value) => (key === 'resourceVersion' ? undefined : value),
  );

describe('a target', () => {
  test('that is the source is refused by guard 1, and nothing is written into it', async () => {
    const before = await everything();
    const module = await moduleWith('source', outputsFor(shop.source.kubeconfigPath, shop.cluster.server));
    const run = await drillInto(module);
    expect(run.exitCode, run.stderr).not.toBe(0);
    expect(run.record.verdict.result).not.toBe('passed');
    expect(run.record.verdict.summary).toContain('has the UID of the source');
    expect(run.record.timeline.marks.map(({mark}) => mark)).not.toContain('T2');
    expect(await everything()).toBe(before);
  });

  test('whose module has no outputs is refused with those that are missing', async () => {
    const run = await drillInto(await moduleWith('empty', 'resource "terraform_data" "nothing" {}\n'));
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'error', exitCode: 1});
    expect(run.record.cleanup).toMatchObject({destroyed: true});
    expect(run.stderr).toContain('is not a target that pra can use');
  });

  test('whose module keeps its state elsewhere is refused', async () => {
    const run = await drillInto(await moduleWith('backend', 'terraform {\n  backend "local" {}\n}\n'));
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'error', exitCode: 1});
    expect(run.record.verdict.summary).toMatch(/backend/);
  });

  test('whose Terraform fails is an error with the words of Terraform', async () => {
    const failing = `resource "terraform_data" "fails" {
  provisioner "local-exec" { command = "echo no quota left >&2; exit 1" }
}\n`;
    const run = await drillInto(await moduleWith('failing', failing));
    expect(run.record.verdict, run.stderr).toMatchObject({result: 'error', exitCode: 1});
    expect(JSON.stringify(run.record)).toContain('no quota left');
    expect(run.record.cleanup).toMatchObject({destroyed: true});
  });
});

describe('a recovery point', () => {
  const damage = (root: string) => {
    const [file = ''] = readdirSync(root, {recursive: true, withFileTypes: true})
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name));
    const bytes = readFileSync(file);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(file, bytes, {mode: 0o600});
    return file;
  };

  test('with one bit changed is refused by name before anything is restored', async () => {
    // A repository of its own: with one snapshot in it, that snapshot needs every pack.
    const repository = join(shop.dir, 'damaged');
    const plan = await shop.plan(document =>
      document.setIn(['spec', 'repository', 'url'], `file://${repository}`),
    );
    const taken = await shop.pra('snapshot', 'create', plan);
    expect(taken.exitCode, taken.stderr).toBe(0);
    const file = damage(join(repository, 'packs'));
    const run = await shop.drill(plan, '--snapshot', 'latest');
    expect(run.record.verdict.result, run.stderr).not.toBe('passed');
    expect(run.exitCode).not.toBe(0);
    expect(run.record.verdict.summary).toContain(file.slice(file.indexOf('packs/')));
    expect(run.record.timeline.marks.map(({mark}) => mark)).not.toContain('T2');
    expect(await leftOfDrill(run.record.identity.id)).toEqual([]);
  });
});
