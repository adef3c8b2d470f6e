import {chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import {neededGo} from '../../src/tool/build.ts';
import {BUILT_TOOLS} from '../../src/tool/catalogue.ts';
import {cachePath, findTool, resolveTool} from '../../src/tool/resolve.ts';
import {isStaticBinary} from '../../src/tool/static-binary.ts';
import {findTerraform} from '../../src/tool/terraform.ts';
import {isAtLeast} from '../../src/tool/version.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-tool-'));
  vi.stubEnv('PRA_CACHE_DIR', join(dir, 'cache'));
  vi.stubEnv('PRA_OFFLINE', '1');
  vi.stubEnv('KUBEBUILDER_ASSETS', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, {recursive: true, force: true});
});

/** A program that prints this, whatever it is asked. */
async function program(path: string, prints: string): Promise<string> {
  await mkdir(dirname(path), {recursive: true});
  await writeFile(path, `#!/bin/sh\necho '${prints}'\n`);
  await chmod(path, 0o755);
  return path;
}

const specOf = (name: string) => {
  const spec = BUILT_TOOLS.find(tool => tool.name === name);
  if (!spec) throw new Error(`${name} is not in the catalogue`);
  return spec;
};

describe('a program is looked for', () => {
  test('in the environment, then the cache, then PATH', async () => {
    const onPath = await program(join(dir, 'bin/kubelet'), 'Kubernetes v1.34.9');
    vi.stubEnv('PATH', `${join(dir, 'bin')}:/usr/bin:/bin`);
    expect(await findTool('kubelet')).toEqual({
      name: 'kubelet',
      path: onPath,
      version: '1.34.9',
      from: 'path',
    });
    const cached = await program(cachePath(specOf('kubelet')), 'x');
    expect(await findTool('kubelet')).toMatchObject({path: cached, from: 'cache', version: 'v1.34.4'});
    const asset = await program(join(dir, 'assets/kubelet'), 'x');
    vi.stubEnv('KUBEBUILDER_ASSETS', join(dir, 'assets'));
    expect(await findTool('kubelet')).toMatchObject({path: asset, from: 'env'});
    const given = await program(join(dir, 'given'), 'x');
    vi.stubEnv('PRA_KUBELET', given);
    expect(await findTool('kubelet')).toMatchObject({path: given, from: 'env'});
  });

  test.each([
    ['kubelet', 'Kubernetes v1.33.4', false],
    ['kubelet', 'Kubernetes v1.34.0', true],
    ['kube-apiserver', 'Kubernetes v1.340.0', false],
    ['etcd', 'etcd Version: 3.4.30', false],
    ['etcd', 'etcd Version: 3.5.21', true],
    ['restic', 'restic 0.13.1 compiled with go1.18', false],
    ['restic', 'restic 0.14.0 compiled with go1.19.8', true],
    ['restic', 'restic 0.18.0 compiled with go1.24', true],
    ['local-path-provisioner', 'v0.0.30', false],
    ['containerd', 'containerd github.com/containerd/containerd 1.4.13~ds1', false],
    ['containerd', 'containerd github.com/containerd/containerd/v2 2.1.0', true],
  ])('on PATH: %s that says "%s" is taken: %s', async (name, prints, taken) => {
    const path = await program(join(dir, 'bin', name), prints);
    vi.stubEnv('PATH', join(dir, 'bin'));
    // Debian's own folders are looked into too, so another one may be found there, but not this.
    expect((await findTool(name))?.path === path).toBe(taken);
  });

  test('terraform and tofu need 1.6', async () => {
    vi.stubEnv('PATH', `${join(dir, 'bin')}:/bin`);
    vi.stubEnv('PRA_TERRAFORM', await program(join(dir, 'terraform'), '{"terraform_version": "1.5.7"}'));
    expect((await findTerraform())?.name).not.toBe('terraform');
    await program(join(dir, 'terraform'), '{"terraform_version": "1.13.0-rc1"}');
    expect(await findTerraform()).toMatchObject({name: 'terraform', version: '1.13.0', from: 'env'});
  });

  test('a variable that names no program is an error and not passed over', async () => {
    vi.stubEnv('PRA_ETCD', join(dir, 'absent'));
    await expect(findTool('etcd')).rejects.toMatchObject({code: 'TOOL_MISSING', why: 'PRA_ETCD names it'});
    vi.stubEnv('PRA_ETCD', dir);
    await expect(findTool('etcd')).rejects.toThrow(/is not a program/);
  });
});

describe('a program that is not there', () => {
  test('and cannot be built names what to install, and leaves nothing half done', async () => {
    vi.stubEnv('PATH', join(dir, 'bin'));
    const out = cachePath(specOf('kwok'));
    await mkdir(`${out}.partial-99999`, {recursive: true});
    await expect(resolveTool('kwok')).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      next: [expect.stringContaining(`Go ${neededGo(specOf('kwok'))}`), expect.stringContaining('PRA_KWOK')],
    });
    expect(await readdir(dirname(out))).toEqual([]);
  });

  test('and does not compile is an error with the words of the compiler', async () => {
    await mkdir(join(dir, 'bin'));
    await writeFile(join(dir, 'bin/go'), '#!/bin/sh\necho "no space left" >&2\nexit 1\n');
    await chmod(join(dir, 'bin/go'), 0o755);
    vi.stubEnv('PATH', `${join(dir, 'bin')}:/bin`);
    await expect(resolveTool('kwok')).rejects.toMatchObject({
      code: 'TOOL_BUILD_FAILED',
      why: 'no space left',
    });
  });

  test('is built once, however many ask for it', async () => {
    const go = join(dir, 'bin/go');
    await mkdir(dirname(go));
    // Takes the place of the compiler: writes the file that follows -o, slowly, and counts.
    const script = `#!/bin/sh\necho run >> ${dir}/runs\nwhile [ "$1" != -o ]; do shift; done\nsleep 0.3\nprintf '#!/bin/sh\\n' > "$2"\nchmod +x "$2"\n`;
    await writeFile(go, script, {mode: 0o755});
    vi.stubEnv('PATH', `${dirname(go)}:/bin:/usr/bin`);
    const waited: string[] = [];
    const asked = [1, 2, 3].map(() => resolveTool('kwok', {onProgress: message => waited.push(message)}));
    expect((await Promise.all(asked)).map(tool => tool.from).sort()).toEqual(['build', 'cache', 'cache']);
    expect(waited.filter(message => message.startsWith('waiting for another'))).toHaveLength(2);
    expect(await readFile(join(dir, 'runs'), 'utf8')).toBe('run\n');
    expect(await readdir(dirname(cachePath(specOf('kwok'))))).toEqual(['kwok']);
  });

  test('but comes with the system names the Debian package', async () => {
    vi.stubEnv('PRA_RESTIC', '');
    vi.stubEnv('PATH', dir);
    await expect(resolveTool('restic')).rejects.toMatchObject({
      message: 'restic 0.14.0 or later is not installed',
      next: [expect.stringMatching(/^apt-get update && .* restic$/)],
    });
  });
});

test('every pinned module is there and says which Go it needs', () => {
  for (const spec of BUILT_TOOLS) expect(neededGo(spec)).toMatch(/^1\.\d+(\.\d+)?$/);
});

test('versions compare by number', () => {
  expect(isAtLeast('0.14', '0.14.0')).toBe(true);
  expect(isAtLeast('0.9.6', '0.14.0')).toBe(false);
  expect(isAtLeast('v24.1.0', '24.0.0')).toBe(true);
  expect(isAtLeast('1.10.0', '1.6.0')).toBe(true);
});

test('a program with an interpreter is not static', async () => {
  expect(await isStaticBinary('/bin/busybox')).toBe(true);
  expect(await isStaticBinary('/bin/ls')).toBe(false);
  expect(await isStaticBinary(await program(join(dir, 'script'), 'x'))).toBe(false);
});
