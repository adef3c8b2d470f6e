import {setTimeout as pause} from 'node:timers/promises';
import {describe, expect, test} from 'vitest';
import {messageOf, PraError} from '../../src/errors.ts';
import type {SnapshotEvent} from '../../src/snapshot/event.ts';
import type {HookPod, HookRule} from '../../src/snapshot/hook-pods.ts';
import {type HooksOptions, withHooks} from '../../src/snapshot/hooks.ts';
import type {Exec} from '../../src/volume/dump.ts';
import {errorOf} from '../bed/error-of.ts';

const {signal: unaborted} = new AbortController();

const hookPod = (name: string, pod: string, hook: Partial<HookRule> = {}): HookPod => ({
  hook: {
    name,
    select: {app: name},
    pre: [`freeze-${name}`],
    post: [`thaw-${name}`],
    timeout: 30_000,
    onError: 'fail',
    ...hook,
  },
  namespace: 'shop',
  pod,
  container: 'main',
});

/** A fake exec that notes what runs where; some commands end with an error or never, which real ones do not on demand. */
function fakeExec(
  log: string[],
  {exits = {}, hang}: {exits?: Record<string, number>; hang?: string} = {},
): Exec {
  return async ({pod, command, signal}) => {
    const [program = ''] = command;
    log.push(`${program} ${pod}`);
    signal?.throwIfAborted();
    if (program === hang) await pause(60_000, undefined, signal ? {signal} : {}).catch(() => stopped(signal));
    return {exitCode: exits[program] ?? 0, stderr: `${'long '.repeat(1000)}the end of ${program}\n`};
  };
}

/** What execInPod makes of a signal. */
function stopped(signal: AbortSignal | undefined): never {
  const {reason} = signal ?? {};
  if (reason instanceof PraError) throw reason;
  throw new PraError('TIMEOUT', `could not run it before the deadline: ${messageOf(reason)}`);
}

const two = [hookPod('db', 'db-0'), hookPod('db', 'db-1'), hookPod('files', 'files-0')];
const allRan = ['freeze-db db-0', 'freeze-db db-1', 'freeze-files files-0', 'body'];
const allThawed = ['thaw-files files-0', 'thaw-db db-1', 'thaw-db db-0'];

function run(pods: HookPod[], log: string[], options: Partial<HooksOptions> = {}, body = async () => {}) {
  const exec = fakeExec(log);
  return withHooks({pods, exec, signal: unaborted, ...options}, async () => {
    log.push('body');
    return body();
  });
}

describe('withHooks', () => {
  test('runs pre, the body, and post in the reverse order, and tells how each went', async () => {
    const log: string[] = [];
    const events: SnapshotEvent[] = [];
    const {value, records} = await withHooks(
      {pods: two, exec: fakeExec(log), signal: unaborted, onEvent: event => events.push(event)},
      async () => {
        log.push('body');
        return 42;
      },
    );
    expect(value).toBe(42);
    expect(log).toEqual([...allRan, ...allThawed]);
    expect(records).toHaveLength(6);
    expect(records[0]).toEqual({
      name: 'db',
      namespace: 'shop',
      pod: 'db-0',
      container: 'main',
      phase: 'pre',
      ok: true,
      exitCode: 0,
      durationMs: expect.any(Number),
    });
    expect(events.at(-1)).toEqual({type: 'hook', hook: 'db', pod: 'shop/db-0', phase: 'post', state: 'done'});
  });

  test('a hook may have one command only', async () => {
    const log: string[] = [];
    await run([hookPod('db', 'db-0', {pre: undefined}), hookPod('files', 'files-0', {post: []})], log);
    expect(log).toEqual(['freeze-files files-0', 'body', 'thaw-db db-0']);
  });

  test('when a pre fails, nothing else begins, and what was begun is thawed', async () => {
    const log: string[] = [];
    const exec = fakeExec(log, {exits: {'freeze-db': 7}});
    const error = await errorOf(run([hookPod('files', 'files-0'), ...two], log, {exec}));
    expect(log).toEqual(['freeze-files files-0', 'freeze-db db-0', 'thaw-db db-0', 'thaw-files files-0']);
    expect(error).toMatchObject({
      code: 'HOOK_FAILED',
      message: 'pre of hook db in pod shop/db-0 failed: exit code 7',
      why: expect.stringMatching(/the end of freeze-db$/),
      next: ['try it by hand: kubectl exec -n shop db-0 -c main -- freeze-db'],
    });
    expect(error.why?.length).toBeLessThanOrEqual(500);
  });

  test('when the body fails, all are thawed, and its error stays the error', async () => {
    const log: string[] = [];
    const lost = new PraError('VOLUME_DUMP_FAILED', 'the dump failed', {why: 'disk', next: ['look']});
    const error = await errorOf(run(two, log, {}, () => Promise.reject(lost)));
    expect(error).toBe(lost);
    expect(log).toEqual([...allRan, ...allThawed]);
  });

  test('when a post fails too, the first error stays, and says what may still be frozen', async () => {
    const log: string[] = [];
    const post = ['sh', '-c', "fsfreeze -u '/data'"];
    const pods = [...two, hookPod('raw', 'raw-0', {post})];
    const exec = fakeExec(log, {exits: {sh: 1}});
    const lost = new PraError('VOLUME_DUMP_FAILED', 'the dump failed', {why: 'disk', next: ['look']});
    const error = await errorOf(run(pods, log, {exec}, () => Promise.reject(lost)));
    expect(log.slice(-4)).toEqual(['sh raw-0', ...allThawed]);
    expect(error).toMatchObject({code: 'VOLUME_DUMP_FAILED', message: 'the dump failed', cause: lost});
    expect(error.why).toMatch(/^disk; then post of hook raw in pod shop\/raw-0 failed: exit code 1/);
    expect(error.next).toEqual([
      String.raw`the application may still be frozen; thaw it by hand: kubectl exec -n shop raw-0 -c main -- sh -c 'fsfreeze -u '\''/data'\'''`,
      'look',
    ]);
  });

  test('an error that nobody foresaw is not hidden by posts that fail', async () => {
    const exec = fakeExec([], {exits: {'thaw-db': 1}});
    const unforeseen = run(two, [], {exec}, () => Promise.reject(new Error('no such thing')));
    expect(await errorOf(unforeseen)).toMatchObject({code: 'BUG', message: 'no such thing'});
  });

  test('a post that fails fails the snapshot, after all others have run', async () => {
    const log: string[] = [];
    const error = await errorOf(
      run(two, log, {exec: fakeExec(log, {exits: {'thaw-files': 1, 'thaw-db': 2}})}),
    );
    expect(log).toEqual([...allRan, ...allThawed]);
    expect(error).toMatchObject({
      code: 'HOOK_FAILED',
      message: 'post of hook files in pod shop/files-0 failed: exit code 1',
    });
    expect(error.next).toHaveLength(3);
    expect(error.next.every(step => step.includes('may still be frozen'))).toBe(true);
  });

  test('with onError continue, a failure is a warning and a record', async () => {
    const log: string[] = [];
    const events: SnapshotEvent[] = [];
    const pods = [hookPod('db', 'db-0', {onError: 'continue'}), hookPod('files', 'files-0')];
    const exec = fakeExec(log, {exits: {'freeze-db': 1, 'thaw-db': 3}});
    const {records} = await run(pods, log, {exec, onEvent: event => events.push(event)});
    expect(log).toHaveLength(5);
    expect(records.filter(({ok}) => !ok)).toMatchObject([
      {pod: 'db-0', phase: 'pre', exitCode: 1},
      {pod: 'db-0', phase: 'post', exitCode: 3},
    ]);
    expect(events.filter(({type}) => type === 'warning')).toMatchObject([
      {message: 'pre of hook db in pod shop/db-0 failed: exit code 1'},
      {next: [expect.stringContaining('may still be frozen')]},
    ]);
  });

  test('a command that does not end is given up at its deadline', async () => {
    const exec = fakeExec([], {hang: 'freeze-db'});
    const pods = [hookPod('db', 'db-0', {timeout: 50})];
    expect(await errorOf(run(pods, [], {exec}))).toMatchObject({
      code: 'HOOK_FAILED',
      message: 'pre of hook db in pod shop/db-0 failed: it took longer than 50ms',
    });
  });
});

describe('an interrupted run', () => {
  const interrupted = new PraError('INTERRUPTED', 'stopped by SIGINT');

  test('thaws what was frozen, with a signal of its own', async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const {signal} = controller;
    const body = async () => {
      controller.abort(interrupted);
      signal.throwIfAborted();
    };
    expect(await errorOf(run(two, log, {signal}, body))).toBe(interrupted);
    expect(log).toEqual([...allRan, ...allThawed]);
  });

  test('stops a pre that is under way also when its failure may pass, and begins nothing else', async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const pods = [hookPod('files', 'files-0'), hookPod('db', 'db-0', {onError: 'continue'})];
    const exec = fakeExec(log, {hang: 'freeze-db'});
    const error = errorOf(run(pods, log, {exec, signal: controller.signal}));
    await pause(20);
    controller.abort(interrupted);
    expect(await error).toBe(interrupted);
    expect(log).toEqual(['freeze-files files-0', 'freeze-db db-0', 'thaw-db db-0', 'thaw-files files-0']);
  });

  test('gives up a thaw that does not end, and says so', async () => {
    const controller = new AbortController();
    const exec = fakeExec([], {hang: 'thaw-db'});
    const body = async () => {
      controller.abort();
      controller.signal.throwIfAborted();
    };
    const pods = [hookPod('db', 'db-0', {timeout: 50})];
    const error = await errorOf(run(pods, [], {exec, signal: controller.signal}, body));
    expect(error).toMatchObject({code: 'INTERRUPTED', why: expect.stringContaining('took longer than 50ms')});
    expect(error.next[0]).toMatch(/still be frozen/);
  });
});
