import {mkdtemp, readdir, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {
  type ApprovalRequest,
  answerApproval,
  openRequests,
  requestApproval,
} from '../../src/drill/approval.ts';
import {runGraph} from '../../src/drill/graph.ts';
import {openJournal, readJournal} from '../../src/drill/journal.ts';
import {manualStep} from '../../src/drill/stage/manual.ts';
import {systemClock} from '../../src/std/clock.ts';
import {waitFor} from '../../src/std/wait.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-approval-'));
});
afterEach(() => rm(dir, {recursive: true, force: true}));

const request = (name: string, until = '2999-01-01T00:00:00.000Z'): ApprovalRequest => ({
  step: `group/app/step/${name}`,
  name,
  group: 'app',
  text: 'Do it',
  approvers: ['ann', 'bob'],
  askedAt: '2026-01-01T00:00:00.000Z',
  until,
});
const now = new Date();

describe('an approval', () => {
  test('answers a request once, by one of its approvers', async () => {
    const asked = request('dns');
    await requestApproval(dir, asked);
    expect(await openRequests(dir, now)).toEqual([asked]);
    await expect(answerApproval(dir, asked, {by: 'eve', approved: true})).rejects.toMatchObject({
      code: 'APPROVAL_REFUSED',
    });
    const answer = await answerApproval(dir, asked, {by: 'ann', approved: true, note: 'done'});
    expect(answer).toMatchObject({by: 'ann', approved: true, note: 'done', operator: expect.any(String)});
    expect(await openRequests(dir, now)).toEqual([]);
    await expect(answerApproval(dir, asked, {by: 'bob', approved: false})).rejects.toMatchObject({
      code: 'APPROVAL_REFUSED',
      why: expect.stringContaining('ann approved it'),
    });
  });

  test('of many at once one counts, and nothing else is left in the folder, which is nobody else’s', async () => {
    const asked = request('dns');
    await requestApproval(dir, asked);
    const ended = await Promise.allSettled(
      Array.from({length: 20}, (_, i) => answerApproval(dir, asked, {by: 'ann', approved: i % 2 === 0})),
    );
    expect(ended.filter(({status}) => status === 'fulfilled')).toHaveLength(1);
    const folder = join(dir, 'approvals');
    const files = await readdir(folder);
    expect(files).toHaveLength(2);
    for (const file of [...files, '.']) expect((await stat(join(folder, file))).mode & 0o077).toBe(0);
  });

  test('that came too late is not asked for any more, and a damaged file is an error', async () => {
    await requestApproval(dir, request('late', '2020-01-01T00:00:00.000Z'));
    expect(await openRequests(dir, now)).toEqual([]);
    await writeFile(join(dir, 'approvals', 'x.request.json'), '{}');
    await expect(openRequests(dir, now)).rejects.toMatchObject({code: 'APPROVAL_INVALID'});
  });
});

describe('a manual step', () => {
  const ask = async (timeoutMs: number, answer: () => Promise<unknown>) => {
    const journal = openJournal(dir);
    const run = {drillId: 'id', dir, journal};
    const {step: id, name, group, text, approvers} = request('dns');
    const step = manualStep(run, {id, name, group, text, approvers, timeoutMs}, []);
    const said: string[] = [];
    const [outcomes] = await Promise.all([
      runGraph([step], {
        signal: new AbortController().signal,
        clock: systemClock,
        listener: event => {
          if (event.type === 'step-progress') said.push(event.message);
        },
      }),
      answer(),
    ]);
    journal.close();
    return {outcome: outcomes[0], said, journal: readJournal(dir)};
  };
  const asked = () =>
    waitFor(async () => (await openRequests(dir, now))[0], {waitingFor: 'the request', timeoutMs: 5000});

  test('passes when it is approved, says whom it waits for, and is in the journal', async () => {
    const {outcome, said, journal} = await ask(10_000, async () =>
      answerApproval(dir, await asked(), {by: 'bob', approved: true}),
    );
    expect(outcome).toMatchObject({
      result: 'passed',
      manual: true,
      message: expect.stringContaining('approved by bob'),
    });
    expect(said.join()).toContain('Do it. Waits for ann or bob');
    expect(said.join()).toContain('pra approve id dns --as ann');
    expect(journal.map(({act}) => act)).toEqual(['approval-asked', 'approval']);
  });

  test('fails when it is rejected, and when nobody answers in time', async () => {
    const rejected = await ask(10_000, async () =>
      answerApproval(dir, await asked(), {by: 'ann', approved: false, note: 'no'}),
    );
    expect(rejected.outcome).toMatchObject({result: 'failed', error: {code: 'APPROVAL_MISSING'}});
    expect(rejected.outcome?.message).toMatch(/ann .*rejected it: no/);
    await rm(join(dir, 'approvals'), {recursive: true});
    const missed = await ask(400, async () => undefined);
    expect(missed.outcome).toMatchObject({result: 'failed', error: {code: 'APPROVAL_MISSING'}});
    expect(missed.outcome?.message).toContain('ann or bob to approve step dns');
  });

  test('fails when the answer is of somebody whom the plan does not name, however it came there', async () => {
    const {outcome} = await ask(10_000, async () =>
      answerApproval(dir, {...(await asked()), approvers: ['eve']}, {by: 'eve', approved: true}),
    );
    expect(outcome).toMatchObject({
      result: 'failed',
      message: expect.stringContaining('eve, who is not an approver'),
    });
  });
});
