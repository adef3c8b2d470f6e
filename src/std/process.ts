import {execa} from 'execa';
import {PraError} from '../errors.ts';

export interface ProcessOptions {
  cwd?: string;
  /** Added to the environment of pra itself. */
  env?: Record<string, string | undefined>;
  input?: string | Uint8Array;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Called for each line of stdout and stderr as it comes, for progress. */
  onLine?: (line: string) => void;
  /** Exit codes that are not errors; 0 always is one of them. */
  okCodes?: readonly number[];
}

export interface ProcessResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end, arguments as an array and never through a shell.
 * @throws PraError PROCESS_FAILED with the last lines of stderr, TOOL_MISSING when there is no such program,
 * TIMEOUT after `timeoutMs`, INTERRUPTED when the signal aborts.
 */
export async function runProcess(
  file: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ProcessResult> {
  const child = execa(file, args, {
    reject: false,
    all: options.onLine !== undefined,
    ...(options.input === undefined ? {stdin: 'ignore' as const} : {input: options.input}),
    ...(options.cwd === undefined ? {} : {cwd: options.cwd}),
    ...(options.env === undefined ? {} : {env: options.env}),
    ...(options.timeoutMs === undefined ? {} : {timeout: options.timeoutMs}),
    ...(options.signal === undefined ? {} : {cancelSignal: options.signal}),
  });
  if (options.onLine) await eachLine(child.iterable({from: 'all'}), options.onLine).catch(() => undefined);
  const result = await child;
  const exitCode = result.exitCode ?? -1;
  if (result.exitCode === 0 || options.okCodes?.includes(exitCode)) {
    return {exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '')};
  }
  const name = file.slice(file.lastIndexOf('/') + 1);
  if (result.isCanceled) throw new PraError('INTERRUPTED', `${name} was stopped`, {cause: result});
  if (result.timedOut)
    throw new PraError('TIMEOUT', `${name} ${args[0] ?? ''} did not end in time`, {cause: result});
  if (result.code === 'ENOENT')
    throw new PraError('TOOL_MISSING', `${name} is not installed`, {cause: result});
  const tail = String(result.stderr || result.stdout || '')
    .trim()
    .split('\n')
    .slice(-8)
    .join('\n');
  throw new PraError('PROCESS_FAILED', `${name} ${args[0] ?? ''} failed with exit code ${exitCode}`, {
    why: tail || result.shortMessage,
  });
}

async function eachLine(lines: AsyncIterable<unknown>, onLine: (line: string) => void): Promise<void> {
  for await (const line of lines) onLine(String(line));
}
