import {mkdtemp, rm, stat} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {removeLocalCluster} from '../../src/local/down.ts';
import {builtInTarget} from '../../src/local/module.ts';
import {applyTarget, destroyTarget} from '../../src/terraform/run.ts';
import {prepareWorkspace} from '../../src/terraform/workspace.ts';
import {resolveTool} from '../../src/tool/resolve.ts';
import {leftOf, tracesOf} from './footprint.ts';

const name = `test-tofu-${process.pid}`;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-tofu-'));
  process.env.PRA_STATE_DIR = dir;
});

afterAll(async () => {
  await removeLocalCluster({name});
  delete process.env.PRA_STATE_DIR;
  await rm(dir, {recursive: true, force: true});
});

test('OpenTofu brings the same target up, and leaves as little', async () => {
  const {path} = await resolveTool('tofu');
  const workspace = await prepareWorkspace({
    binary: path,
    moduleDir: builtInTarget(),
    dir: join(dir, 'run'),
    vars: {name, node: 'none', node_binary: process.execPath},
    offered: {pra_drill_id: 'test'},
  });
  const outputs = await applyTarget(workspace, {timeoutMs: 120_000});
  expect(outputs.facts).toMatchObject({provider: 'local', node: 'none', isolated: true});
  const state = await stat(join(workspace.dir, 'terraform.tfstate'));
  expect(state.mode & 0o777).toBe(0o600);
  const traces = tracesOf(name);
  await destroyTarget(workspace, {timeoutMs: 60_000});
  expect(await leftOf(name, traces)).toEqual([]);
});
