import {readFileSync} from 'node:fs';
import {mkdir, rename, rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {PraError} from '../errors.ts';
import {packageRoot} from '../std/paths.ts';
import {runProcess} from '../std/process.ts';
import type {ToolSpec} from './catalogue.ts';
import type {ResolveOptions} from './resolve.ts';

const BUILD_TIMEOUT_MS = 40 * 60_000;

/** Folder of the Go module that pins a program, its dependencies and all their checksums. */
export const moduleDir = (spec: ToolSpec) =>
  join(packageRoot(), 'terraform', 'local', 'binaries', spec.module);

/** The lowest Go version that a program's module asks for, such as `1.26.0`. */
export function neededGo(spec: ToolSpec): string {
  const line = /^go (\S+)$/m.exec(readFileSync(join(moduleDir(spec), 'go.mod'), 'utf8'));
  return line?.[1] ?? '1.24';
}

/**
 * Builds a program from its Go module, whose versions and checksums this project pins.
 * @throws PraError TOOL_MISSING without Go, TOOL_BUILD_FAILED with the compiler's last lines.
 */
export async function buildTool(spec: ToolSpec, out: string, options: ResolveOptions): Promise<void> {
  options.onProgress?.(`building ${spec.name} ${spec.version} with Go (once; it is kept in the cache)`);
  await mkdir(dirname(out), {recursive: true, mode: 0o700});
  const partial = `${out}.partial-${process.pid}`;
  const flags = `-s -w ${spec.ldflags ?? ''}`.trim();
  try {
    await runProcess(
      'go',
      ['build', '-mod=readonly', '-trimpath', '-ldflags', flags, '-o', partial, spec.package],
      {
        cwd: moduleDir(spec),
        // A workspace file or flags of the user's own projects must not change what is built.
        env: {CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: ''},
        timeoutMs: BUILD_TIMEOUT_MS,
        signal: options.signal,
      },
    );
    await rename(partial, out);
  } catch (error) {
    await rm(partial, {force: true});
    if (!(error instanceof PraError)) throw error;
    if (error.code === 'TOOL_MISSING') throw withoutGo(spec);
    if (error.code !== 'PROCESS_FAILED') throw error;
    throw new PraError('TOOL_BUILD_FAILED', `${spec.name} ${spec.version} could not be built`, {
      why: error.why,
      next: [`cd ${moduleDir(spec)} && go build -o ${out} ${spec.package}`],
      cause: error,
    });
  }
}

function withoutGo(spec: ToolSpec): PraError {
  const variable = `PRA_${spec.name.toUpperCase().replaceAll('-', '_')}`;
  return new PraError(
    'TOOL_MISSING',
    `${spec.name} ${spec.version} is not there, and Go, to build it with, is not installed`,
    {
      why: 'there was no way to its official release either',
      next: [
        `install Go ${neededGo(spec)} or later: https://go.dev/dl`,
        `or set ${variable} to a ${spec.name} ${spec.version}`,
      ],
    },
  );
}
