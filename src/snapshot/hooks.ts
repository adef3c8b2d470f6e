import {interruption} from '../cluster/interruption.ts';
import {messageOf, PraError} from '../errors.ts';
import type {HookRecord} from '../repository/snapshot-root.ts';
import {formatDuration} from '../std/duration.ts';
import {shellLine} from '../std/shell.ts';
import {withDeadline} from '../std/wait.ts';
import type {Exec} from '../volume/dump.ts';
import type {SnapshotListener} from './event.ts';
import type {HookPod} from './hook-pods.ts';

export interface HooksOptions {
  pods: readonly HookPod[];
  exec: Exec;
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

type Phase = HookRecord['phase'];

/** How much of what a command said on stderr goes into an error. */
const STDERR_TAIL = 500;

/**
 * Runs the `pre` of every hook, the body, and then, whatever happened, the `post` of each pod whose turn for `pre` had
 * come, in the reverse order. The run's signal does not reach `post`: an application that was frozen is thawed
 * also when the run is interrupted. What failed first is the error; posts that fail after it are told with it.
 * @throws PraError HOOK_FAILED, INTERRUPTED, and whatever the body throws.
 */
export async function withHooks<T>(
  options: HooksOptions,
  body: () => Promise<T>,
): Promise<{value: T; records: HookRecord[]}> {
  const {pods, signal} = options;
  const records: HookRecord[] = [];
  const begun: HookPod[] = [];
  const thaw = () => runPosts(options, begun.toReversed(), records);
  let value: T;
  try {
    for (const pod of pods) {
      signal.throwIfAborted();
      begun.push(pod);
      await runHook(options, pod, 'pre', records);
    }
    value = await body();
  } catch (error) {
    const failures = await thaw();
    throw failures.length === 0 ? error : joined(asPraError(error, signal), failures);
  }
  const [first, ...others] = await thaw();
  if (first) throw others.length === 0 ? first : joined(first, others);
  return {value, records};
}

async function runPosts(
  options: HooksOptions,
  pods: readonly HookPod[],
  records: HookRecord[],
): Promise<PraError[]> {
  const failures: PraError[] = [];
  for (const pod of pods) {
    try {
      await runHook(options, pod, 'post', records);
    } catch (error) {
      failures.push(asPraError(error, options.signal));
    }
  }
  return failures;
}

/** @throws PraError HOOK_FAILED when the hook may not fail; INTERRUPTED when the run was interrupted, whatever it may. */
async function runHook(
  options: HooksOptions,
  target: HookPod,
  phase: Phase,
  records: HookRecord[],
): Promise<void> {
  const {signal, onEvent} = options;
  const {hook, namespace, pod, container} = target;
  const command = hook[phase] ?? [];
  if (command.length === 0) return;
  const event = {type: 'hook', hook: hook.name, pod: `${namespace}/${pod}`, phase} as const;
  onEvent?.({...event, state: 'started'});
  const began = performance.now();
  const {exit, failure} = await ask(options, target, phase, [...command]);
  const durationMs = Math.round(performance.now() - began);
  records.push({name: hook.name, namespace, pod, container, phase, ok: !failure, ...exit, durationMs});
  if (!failure) {
    onEvent?.({...event, state: 'done'});
    return;
  }
  if (phase === 'pre' && signal.aborted) throw interruption(signal, `run hook ${hook.name}`);
  if (hook.onError === 'fail') throw failure;
  onEvent?.({type: 'warning', message: failure.message, why: failure.why, next: failure.next});
}

async function ask(
  {exec, signal: run}: HooksOptions,
  target: HookPod,
  phase: Phase,
  command: string[],
): Promise<{exit?: {exitCode: number}; failure?: PraError}> {
  const {hook, namespace, pod, container} = target;
  const signal = withDeadline(hook.timeout, phase === 'pre' ? run : undefined);
  try {
    const {exitCode, stderr} = await exec({namespace, pod, container, command, signal});
    const exit = {exitCode};
    if (exitCode === 0) return {exit};
    const said = stderr.trim().slice(-STDERR_TAIL);
    return {exit, failure: failed(target, phase, `exit code ${exitCode}`, said)};
  } catch (error) {
    return {failure: notRun(target, phase, error)};
  }
}

function notRun(target: HookPod, phase: Phase, error: unknown): PraError {
  const late = error instanceof PraError && error.code === 'TIMEOUT';
  if (late)
    return failed(target, phase, `it took longer than ${formatDuration(target.hook.timeout)}`, '', error);
  const why = error instanceof PraError && error.why ? `${error.message}: ${error.why}` : messageOf(error);
  return failed(target, phase, 'it could not be run to its end', why, error);
}

function failed(target: HookPod, phase: Phase, how: string, why: string, cause?: unknown): PraError {
  const {hook, namespace, pod, container} = target;
  const command = shellLine(hook[phase] ?? []);
  const byHand = `by hand: kubectl exec -n ${namespace} ${pod} -c ${container} -- ${command}`;
  const what = `${phase} of hook ${hook.name} in pod ${namespace}/${pod} failed: ${how}`;
  return new PraError('HOOK_FAILED', what, {
    why: why || undefined,
    cause,
    next: [phase === 'pre' ? `try it ${byHand}` : `the application may still be frozen; thaw it ${byHand}`],
  });
}

/** The first error, with posts that failed after it: what is still frozen is the first thing to see to. */
function joined(first: PraError, failures: readonly PraError[]): PraError {
  const told = failures.map(({message, why}) => `${message}${why ? ` (${why})` : ''}`);
  return new PraError(first.code, first.message, {
    why: [first.why, ...told].filter(text => text !== undefined).join('; then '),
    next: [...failures.flatMap(({next}) => next), ...first.next],
    location: first.location,
    findings: [...first.findings],
    cause: first,
  });
}

function asPraError(error: unknown, signal: AbortSignal): PraError {
  if (error instanceof PraError) return error;
  if (signal.aborted) return interruption(signal, 'take the snapshot');
  return new PraError('BUG', messageOf(error), {cause: error});
}
