import {constants} from 'node:fs';
import {access, stat} from 'node:fs/promises';
import {delimiter, join} from 'node:path';
import {runProcess} from '../std/process.ts';
import type {SystemTool} from './catalogue.ts';
import type {ResolvedTool} from './resolve.ts';
import {isStaticBinary} from './static-binary.ts';
import {findVersion, isAtLeast} from './version.ts';

const VERSION_TIMEOUT_MS = 10_000;

export interface FindOptions {
  /** What its `--version` must show. */
  wanted?: RegExp | undefined;
  /** The lowest version, and how to ask for it. */
  system?: SystemTool | undefined;
  signal?: AbortSignal | undefined;
}

/** The first program of this name on PATH (or where Debian keeps administrators' programs) whose version fits. */
export async function findOnPath(name: string, options: FindOptions): Promise<ResolvedTool | undefined> {
  const {wanted, system, signal} = options;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const folder of new Set(folders.filter(text => text !== ''))) {
    const path = join(folder, name);
    if (!(await isExecutable(path))) continue;
    if (system?.isStatic && !(await isStaticBinary(path))) continue;
    if (!wanted && !system?.lowest) return {name, path, version: 'system', from: 'path'};
    const printed = await printedVersion(path, system?.versionArgs ?? ['--version'], signal);
    const version = findVersion(printed);
    const fits = wanted
      ? wanted.test(printed)
      : version !== undefined && isAtLeast(version, system?.lowest ?? '0');
    if (fits) return {name, path, version: version ?? 'unknown', from: 'path'};
  }
  return undefined;
}

/** What a program says about itself; empty when it fails or hangs, for a program that cannot tell is not trusted. */
export async function printedVersion(
  path: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const result = await runProcess(path, args, {timeoutMs: VERSION_TIMEOUT_MS, signal}).catch(() => undefined);
  signal?.throwIfAborted();
  return result ? `${result.stdout}\n${result.stderr}`.trim() : '';
}

/** Whether a path is a file that may be run. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
