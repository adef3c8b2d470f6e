import {existsSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import {BUILT_TOOLS, NODE_TOOLS, TEST_PROGRAMS} from '../../src/tool/catalogue.ts';
import {diagnose, missingFor} from '../../src/tool/doctor.ts';
import {installMissing} from '../../src/tool/install.ts';
import {installPackages, missingPackages} from '../../src/tool/packages.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-doctor-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(dir, {recursive: true, force: true});
});

describe('the diagnosis', () => {
  test('of a machine that runs these tests finds nothing missing', async () => {
    const report = await diagnose();
    expect(missingFor(report, ['always', 'local target', 'tests'])).toEqual([]);
    const names = report.checks.map(check => check.name);
    for (const {name} of [...BUILT_TOOLS, ...NODE_TOOLS, ...TEST_PROGRAMS].filter(
      tool => tool.name !== 'tofu',
    ))
      expect(names).toContain(name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('of an empty one names each thing with what mends it, and installs nothing', async () => {
    vi.stubEnv('PRA_CACHE_DIR', join(dir, 'cache'));
    vi.stubEnv('PATH', dir);
    vi.stubEnv('PRA_RESTIC', join(dir, 'absent'));
    const {checks} = await diagnose();
    const byName = new Map(checks.map(check => [check.name, check]));
    for (const check of checks.filter(({state}) => state !== 'ok'))
      expect(check.fix, check.name).toMatch(/\S/);
    expect(byName.get('kube-apiserver')).toMatchObject({state: 'warning', fix: 'pra doctor --install'});
    expect(byName.get('restic')?.state).toBe('missing');
    expect(byName.get('git')?.state).toBe('warning');
    expect(byName.get('Go')?.state).toBe('warning');
    expect(existsSync(join(dir, 'cache'))).toBe(false);
  });

  test('where the user is not root says what works there', async () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    const {checks} = await diagnose();
    expect(checks.find(check => check.name === 'root')).toMatchObject({
      state: 'missing',
      needed: 'local target',
      fix: expect.stringContaining('any Terraform module'),
    });
  });
});

describe('installing', () => {
  test('needs Linux and root, and points elsewhere', async () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    await expect(installMissing({for: 'tests'})).rejects.toMatchObject({
      code: 'PLATFORM_UNSUPPORTED',
      next: [expect.stringContaining('target-contract.md')],
    });
  });

  test('databases are only for the tests', async () => {
    vi.stubEnv('PATH', dir);
    const databases = ['mariadb-client', 'redis-tools'];
    expect(await missingPackages({for: 'tests'})).toEqual(expect.arrayContaining(databases));
    expect(await missingPackages({for: 'local target'})).not.toEqual(expect.arrayContaining(databases));
  });

  test('packages without root gives the exact command', async () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    await expect(installPackages(['runc', 'restic'])).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      next: [
        'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends runc restic',
      ],
    });
  });

  test('what is there already does nothing but find it', async () => {
    const told: string[] = [];
    const tools = await installMissing({for: 'tests', onProgress: message => told.push(message)});
    expect(told).toEqual([]);
    expect(tools.map(tool => tool.name)).toContain('versitygw');
  });
});
