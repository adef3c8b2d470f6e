import {mkdir, rename, rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {PraError} from '../errors.ts';
import {packageRoot} from '../std/paths.ts';
import {runProcess} from '../std/process.ts';
import type {ToolSpec} from './catalogue.ts';
import type {ResolveOptions} from './resolve.ts';

const BUILD_TIMEOUT_MS = 40 * 60_000;

/**
 * Builds a program from its Go module, whose versions and checksums this project pins.
 * @throws PraError TOOL_MISSING without Go, TOOL_BUILD_FAILED with the compiler's last lines.
 */
export async function buildTool(spec: ToolSpec, out: string, options: ResolveOptions): Promise<void> {
  options.onProgress?.(`building ${spec.name} ${spec.version} with Go (once; it is kept in the cache)`);
  await mkdir(dirname(out), {recursive: true, mode: 0o700});
  const partial = `${out}.partial-${process.pid}`;
  const args = [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-ldflags',
    `-s -w ${spec.ldflags ?? ''}`.trim(),
    '-o',
    partial,
    spec.package,
  ];
  try {
    await runProcess('go', args, {
      cwd: join(packageRoot(), 'terraform', 'local', 'binaries', spec.module),
      env: {CGO_ENABLED: '0'},
      timeoutMs: BUILD_TIMEOUT_MS,
      signal: options.signal,
    });
    await rename(partial, out);
  } catch (error) {
    await rm(partial, {force: true});
    if (!(error instanceof PraError)) throw error;
    if (error.code === 'TOOL_MISSING') {
      throw new PraError(
        'TOOL_MISSING',
        `${spec.name} ${spec.version} is not there and Go, to build it with, is not installed`,
        {
          next: [
            'install Go 1.24 or later: https://go.dev/dl',
            `or set PRA_${spec.name.toUpperCase().replaceAll('-', '_')} to a ${spec.name} ${spec.version}`,
          ],
        },
      );
    }
    if (error.code !== 'PROCESS_FAILED') throw error;
    throw new PraError('TOOL_BUILD_FAILED', `${spec.name} ${spec.version} could not be built`, {
      why: error.why,
      cause: error,
    });
  }
}
