import type {ApprovalRequest} from '../drill/approval.ts';
import {formatDuration} from '../std/duration.ts';
import {renderTable} from './table.ts';

/** `pra approve` without arguments. */
export function renderApprovals(waiting: readonly (ApprovalRequest & {run: string})[], now: Date): string {
  if (waiting.length === 0) return 'nothing waits for an approval';
  return renderTable(
    ['RUN', 'STEP', 'APPROVERS', 'LEFT', 'WHAT'],
    waiting.map(({run, name, approvers, until, text}) => [
      run,
      name,
      approvers.join(', '),
      formatDuration(Math.max(0, Date.parse(until) - now.getTime())),
      text,
    ]),
  );
}
