import {writeFile} from 'node:fs/promises';
import {extname, isAbsolute, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import type {RunMode} from './event.ts';

/** What a scripted step is told about the run, as environment and as a JSON file named by PRA_STEP_CONTEXT. */
export interface ScriptContext {
  drillId: string;
  plan: string;
  mode: RunMode;
  group: string;
  step: string;
  snapshot: string;
  kubeconfig: string;
}

export interface ScriptOptions {
  /** A `.mjs`, `.js` or `.ts` file is run as a zx script; anything else is a command with its arguments. */
  run: string | readonly string[];
  /** The folder that relative paths start from: that of the plan. */
  baseDir: string;
  /** Where the context file goes; 0700. */
  workDir: string;
  context: ScriptContext;
  timeoutMs: number;
  signal: AbortSignal;
  onLine?: (line: string) => void;
}

const SCRIPT = new Set(['.mjs', '.js', '.ts', '.mts']);

/**
 * Runs one step of a plan in a process of its own, so that a step can neither change nor end the run that it is part of.
 * zx scripts have zx's globals (`$`, `fs`, `sleep` …).
 * @throws PraError STEP_FAILED with the last lines that the step wrote.
 */
export async function runScript(options: ScriptOptions): Promise<void> {
  const contextFile = join(
    options.workDir,
    `step-${options.context.group}-${options.context.step}.json`.replaceAll(/[^\w.-]/g, '_'),
  );
  await writeFile(contextFile, JSON.stringify(options.context, undefined, 2), {mode: 0o600});
  const [file, args] = commandOf(options);
  try {
    await runProcess(file, args, {
      cwd: options.baseDir,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      env: {
        KUBECONFIG: options.context.kubeconfig,
        PRA_STEP_CONTEXT: contextFile,
        PRA_DRILL_ID: options.context.drillId,
        PRA_PLAN: options.context.plan,
        PRA_MODE: options.context.mode,
        PRA_GROUP: options.context.group,
        PRA_STEP: options.context.step,
        PRA_SNAPSHOT: options.context.snapshot,
        // The repository's key is for pra alone.
        PRA_PASSPHRASE: undefined,
        PRA_PASSPHRASE_FILE: undefined,
      },
      ...(options.onLine === undefined ? {} : {onLine: options.onLine}),
    });
  } catch (error) {
    if (!(error instanceof PraError) || error.code === 'INTERRUPTED') throw error;
    throw new PraError('STEP_FAILED', `step ${options.context.step} failed: ${error.message}`, {
      why: error.why,
      cause: error,
    });
  }
}

function commandOf(options: ScriptOptions): [file: string, args: string[]] {
  const [first = '', ...rest] = typeof options.run === 'string' ? [options.run] : options.run;
  if (!SCRIPT.has(extname(first)))
    return [first.startsWith('./') ? resolve(options.baseDir, first) : first, rest];
  const script = isAbsolute(first) ? first : resolve(options.baseDir, first);
  const zx = fileURLToPath(import.meta.resolve('zx/globals'));
  return [process.execPath, ['--import', zx, script, ...rest]];
}
