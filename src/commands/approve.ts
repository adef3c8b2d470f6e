import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../cli/base-command.ts';
import {type ApprovalRequest, answerApproval, openRequests} from '../drill/approval.ts';
import {type DrillSummary, findDrill, listDrills, runDir} from '../drill/history.ts';
import {PraError} from '../errors.ts';
import {renderApprovals} from '../view/approval.ts';

export default class Approve extends BaseCommand<typeof Approve> {
  static override summary = 'say that a manual step of a drill or a recovery is done, or refuse it';
  static override description =
    `A run waits at each manual step of its plan until one of the approvers that the plan names says that it is done. Without arguments, this
shows what waits. An approval is a file in the folder of the run: whoever can write there can approve, and both the name that was
given and the account of the system are kept. It is written once and never changed.

Exit codes: 0 written, or shown; 2 nothing waits, not an approver, or answered before.`;
  static override examples = [
    '<%= config.bin %> approve',
    '<%= config.bin %> approve latest --as duty-manager',
    '<%= config.bin %> approve latest switch-dns --as duty-manager --note "CNAME changed, TTL 60 s"',
    '<%= config.bin %> approve latest switch-dns --as duty-manager --reject --note "registrar is down"',
  ];
  static override args = {
    run: Args.string({description: 'id of the run, a unique beginning of it, or latest'}),
    step: Args.string({description: 'name of the step; not needed when only one waits'}),
  };
  static override flags = {
    as: Flags.string({description: 'who of the approvers of the plan you are', helpValue: 'NAME'}),
    reject: Flags.boolean({description: 'refuse: the step fails'}),
    note: Flags.string({description: 'what was done or why not, for the record'}),
  };

  async run(): Promise<void> {
    const now = new Date();
    if (this.args.run === undefined) {
      const waiting = await waitingRuns(now);
      this.print({apiVersion: 'pra/v1', kind: 'ApprovalList', items: waiting}, () =>
        renderApprovals(waiting, now),
      );
      return;
    }
    const {id, state} = await findRun(this.args.run, now);
    if (state !== 'running')
      throw new PraError('APPROVAL_REFUSED', `run ${id} does not wait: it is ${state}`, {
        next: ['pra approve'],
      });
    const request = oneOf(await openRequests(runDir(id), now), id, this.args.step);
    if (this.flags.as === undefined)
      throw new PraError('USAGE', 'who approves was not said', {
        next: [`one of the approvers: --as ${request.approvers.join(', --as ')}`],
      });
    const {as: by, reject, note} = this.flags;
    const answer = await answerApproval(runDir(id), request, {by, approved: !reject, note});
    this.print({apiVersion: 'pra/v1', kind: 'Approval', run: id, ...answer}, () =>
      reject ? `step ${request.name} of ${id} is rejected` : `step ${request.name} of ${id} is approved`,
    );
  }
}

/** As `findDrill`; `latest` is the newest that waits for somebody, if one does. */
async function findRun(reference: string, now: Date): Promise<DrillSummary> {
  const waiting = reference === 'latest' ? (await waitingRuns(now))[0] : undefined;
  return findDrill(waiting?.run ?? reference);
}

async function waitingRuns(now: Date): Promise<(ApprovalRequest & {run: string})[]> {
  const running = (await listDrills()).filter(({state}) => state === 'running');
  const waiting = await Promise.all(
    running.map(async ({id}) =>
      (await openRequests(runDir(id), now)).map(request => ({run: id, ...request})),
    ),
  );
  return waiting.flat();
}

/** @throws PraError APPROVAL_REFUSED when nothing waits under the name, or several do and none is named */
function oneOf(open: readonly ApprovalRequest[], run: string, name: string | undefined): ApprovalRequest {
  const fitting = name === undefined ? open : open.filter(request => request.name === name);
  const [only] = fitting;
  if (only && fitting.length === 1) return only;
  const names = open.map(request => request.name).join(', ');
  if (fitting.length > 1)
    throw new PraError('APPROVAL_REFUSED', `${fitting.length} steps of ${run} wait`, {
      next: [`name one: ${names}`],
    });
  throw new PraError(
    'APPROVAL_REFUSED',
    `no step ${name ?? ''} of ${run} waits for an approval`.replace('  ', ' '),
    {
      why: names === '' ? undefined : `those that wait: ${names}`,
      next: ['pra approve'],
    },
  );
}
