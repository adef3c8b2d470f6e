import {PraError} from '../../errors.ts';
import {formatDuration} from '../../std/duration.ts';
import {waitFor} from '../../std/wait.ts';
import {type ApprovalAnswer, type ApprovalRequest, readAnswer, requestApproval} from '../approval.ts';
import type {StepDefinition, StepHandle} from '../graph.ts';
import type {DrillRun} from '../run-state.ts';

const DEFAULT_TIMEOUT_MS = 60 * 60_000;
const POLL_MS = 250;

export interface ManualStep {
  /** Id in the graph. */
  id: string;
  name: string;
  group: string;
  text: string;
  approvers: readonly string[];
  timeoutMs?: number | undefined;
}

/** What of a run a manual step needs. */
type Asking = Pick<DrillRun, 'drillId' | 'dir' | 'journal'>;

/** A step that a person does: it waits until one of the approvers says that it is done, or refuses. */
export function manualStep(run: Asking, manual: ManualStep, dependsOn: string[]): StepDefinition {
  return {
    id: manual.id,
    name: `group ${manual.group}: ${manual.name} (by a person)`,
    phase: 'group',
    group: manual.group,
    dependsOn,
    manual: true,
    run: step => waitForApproval(run, manual, step),
  };
}

async function waitForApproval(run: Asking, manual: ManualStep, step: StepHandle): Promise<string> {
  const timeoutMs = manual.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const now = Date.now();
  const request: ApprovalRequest = {
    step: manual.id,
    name: manual.name,
    group: manual.group,
    text: manual.text,
    approvers: [...manual.approvers],
    askedAt: new Date(now).toISOString(),
    until: new Date(now + timeoutMs).toISOString(),
  };
  const command = `pra approve ${run.drillId} ${manual.name} --as ${manual.approvers[0] ?? 'NAME'}`;
  run.journal.append({act: 'approval-asked', id: manual.id, approvers: request.approvers});
  await requestApproval(run.dir, request);
  step.progress(
    `${manual.text}. Waits for ${manual.approvers.join(' or ')}, at most ${formatDuration(timeoutMs)}: ${command}`,
  );
  const answer = await waitFor(() => readAnswer(run.dir, manual.id), {
    waitingFor: `${manual.approvers.join(' or ')} to approve step ${manual.name}`,
    timeoutMs,
    intervalMs: POLL_MS,
    signal: step.signal,
  }).catch((error: unknown) => {
    if (!(error instanceof PraError) || error.code !== 'TIMEOUT') throw error;
    throw new PraError('APPROVAL_MISSING', error.message, {
      next: [`answer in time: ${command}`],
      cause: error,
    });
  });
  run.journal.append({
    act: 'approval',
    id: manual.id,
    by: answer.by,
    operator: answer.operator,
    approved: answer.approved,
  });
  return accept(manual, answer);
}

/** The file may have been written by anybody who can write into the folder of the run: it is checked again. */
function accept(manual: ManualStep, {by, operator, approved, note}: ApprovalAnswer): string {
  const said = note === undefined ? '' : `: ${note}`;
  if (!manual.approvers.includes(by))
    throw new PraError(
      'APPROVAL_MISSING',
      `step ${manual.name} was answered by ${by}, who is not an approver`,
    );
  if (!approved) throw new PraError('APPROVAL_MISSING', `${by} (account ${operator}) rejected it${said}`);
  return `approved by ${by} (account ${operator})${said}`;
}
