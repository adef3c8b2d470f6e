import {chmod, cp, mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {packageRoot} from '../../src/std/paths.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-wrappers-'));
  await cp(join(packageRoot(), 'bin'), join(dir, 'bin'), {recursive: true});
  await mkdir(join(dir, 'mac'));
  await writeFile(join(dir, 'mac', 'uname'), '#!/bin/sh\necho Darwin\n');
  await chmod(join(dir, 'mac', 'uname'), 0o755);
  await chmod(dir, 0o755);
});

afterAll(async () => {
  await rm(dir, {recursive: true, force: true});
});

const NOBODY = 65_534;
const run = (
  script: string,
  {uid, env = {}, args = []}: {uid?: number; env?: NodeJS.ProcessEnv; args?: string[]},
) =>
  execa('bash', [join(dir, 'bin', script), ...args], {
    ...(uid === undefined ? {} : {uid, gid: uid}),
    env,
    reject: false,
    cwd: dir,
    stdin: 'ignore',
  });

describe.each(['quickstart', 'test'])('bin/%s', script => {
  test.each([
    ['without root', () => ({uid: NOBODY})],
    ['on another system, as a fake uname says', () => ({env: {PATH: `${dir}/mac:${process.env.PATH}`}})],
  ])('%s, says what it needs and what works there, and does nothing', async (_name, options) => {
    const {exitCode, stdout, stderr} = await run(script, options());
    expect(exitCode).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/needs Linux and root/);
    expect(stderr).toMatch(/Elsewhere/);
    expect(stderr.split('\n').length).toBeLessThan(6);
  });

  test('--help explains what it does', async () => {
    const {exitCode, stdout} = await run(script, {args: ['--help']});
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^usage: bin\//);
  });
});

test('pra --version costs at most three times a bare node', async () => {
  const script = join(packageRoot(), 'bin', 'run.js');
  const timeOf = async (args: string[]) => {
    const began = performance.now();
    await execa(process.execPath, args);
    return performance.now() - began;
  };
  const bare: number[] = [];
  const version: number[] = [];
  for (let round = 0; round < 15; round += 1) {
    bare.push(await timeOf(['-e', '0']));
    version.push(await timeOf([script, '--version']));
  }
  const fastest = (times: number[]) => Math.min(...times);
  expect(fastest(version) / fastest(bare)).toBeLessThan(3);
});
