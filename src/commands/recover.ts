import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../cli/base-command.ts';
import {confirmRecovery, parseDeclaredAt} from '../cli/recover.ts';
import {rehearse} from '../cli/rehearse.ts';
import {connectTarget, type OpenTarget} from '../cli/restore.ts';
import {varFlag, withChoice, withVars} from '../cli/vars.ts';
import {connectSource, repositoryOf, withOverrides} from '../cli/wiring.ts';
import type {SnapshotChoice} from '../drill/run-state.ts';
import {PraError} from '../errors.ts';
import {explainPlan} from '../plan/explain.ts';
import {type LoadedPlan, loadPlan} from '../plan/load.ts';
import {type ExistingChoice, parseExisting} from '../restore/existing-policy.ts';
import {renderDrill} from '../view/drill.ts';

export default class Recover extends BaseCommand<typeof Recover> {
  static override summary = 'recover for real: what a drill rehearses, into a cluster that stays';
  static override description =
    `Takes the newest snapshot (or the one named), checks every byte of it, and restores it into a new cluster by the Terraform module of the
plan, or into a cluster that is there (--to): objects in order, workloads group by group, their data, manual steps with their
approvers, and the probes. It writes the same record as a drill, with the RTO from the moment that the disaster was declared.

The source is never asked. Nothing is destroyed: the target stays. Before the first write a person confirms, by the name of the plan, or
by that of the target if that is in use. What goes wrong on the way is told and counts against the verdict, and the rest goes on.

Exit codes: as pra drill run: 0 recovered and verified; 3 failed; 4 recovered, but an objective was missed; 6 not verified; 1 error;
2 usage or invalid plan; 11 locked; 130 interrupted.`;
  static override examples = [
    '<%= config.bin %> recover plan.yaml --dry-run',
    '<%= config.bin %> recover plan.yaml --declared-at 20m --reason "region lost"',
    '<%= config.bin %> recover plan.yaml --to dr-cluster --confirm shop',
    '<%= config.bin %> recover plan.yaml --snapshot 20261123-154501-3f9a1c --to prod --existing update --confirm prod',
  ];
  static override args = {plan: Args.string({description: 'plan file', required: true})};
  static override flags = {
    repository: Flags.string({description: 'URL of the repository, instead of that of the plan'}),
    snapshot: Flags.string({
      description: 'recovery point: latest, or the id of a snapshot',
      helpValue: 'latest|ID',
    }),
    to: Flags.string({
      description: 'context of a cluster to recover into, instead of a new one',
      helpValue: 'CONTEXT',
      helpGroup: 'TARGET',
    }),
    'to-kubeconfig': Flags.file({
      description: 'kubeconfig of a cluster to recover into',
      helpGroup: 'TARGET',
    }),
    existing: Flags.string({
      description:
        'what becomes of objects that the cluster has and that differ: update (default), skip, recreate; for one kind with KIND=',
      multiple: true,
      helpValue: '[KIND=]POLICY',
      helpGroup: 'TARGET',
    }),
    ...varFlag,
    'declared-at': Flags.string({
      description: 'when the disaster was declared, from which the RTO counts; by default now',
      helpValue: 'TIME|DURATION',
    }),
    reason: Flags.string({description: 'what happened, for the record'}),
    confirm: Flags.string({
      description: 'name of the plan, or of a target that is in use, typed out',
      helpValue: 'NAME',
    }),
    'dry-run': Flags.boolean({description: 'check the plan and say what would be done'}),
  };

  private recoveryId: string | undefined;

  async run(): Promise<void> {
    const {flags, signal} = this;
    const loaded = withVars(await loadPlan(this.args.plan), flags.var ?? []);
    const choice = choiceOf(flags.snapshot, loaded);
    const existing = existingOf(flags.existing ?? []);
    const declaredAt =
      flags['declared-at'] === undefined ? undefined : parseDeclaredAt(flags['declared-at'], new Date());
    const named = flags.to ?? flags['to-kubeconfig'];
    if (flags['dry-run']) {
      const {plan} = withOverrides(loaded, flags);
      const into = named === undefined ? undefined : `the cluster of ${named}`;
      const steps = explainPlan(withChoice(plan, choice), {mode: 'recover', into});
      this.print(
        {apiVersion: 'pra/v1', kind: 'PlanExplanation', plan: plan.metadata.name, dryRun: true, steps},
        () => steps.map((step, index) => `${index + 1}. ${step}`).join('\n'),
      );
      return;
    }
    const where = repositoryOf(loaded, flags);
    if (!where) throw new PraError('USAGE', 'no repository was given');
    const cluster = {context: flags.to, kubeconfig: flags['to-kubeconfig']};
    const userAgent = `pra/${this.config.version} recover`;
    const target: OpenTarget | undefined =
      named === undefined ? undefined : await connectTarget(cluster, userAgent, signal);
    const finished = await rehearse({
      loaded,
      where,
      choice,
      recovery: {
        destination: target ? {kind: 'cluster', ...cluster, uid: target.uid} : {kind: 'terraform'},
        declaredAt,
        existing,
      },
      connectSource: () => connectSource(loaded, {}, userAgent),
      toolVersion: this.config.version,
      trigger: 'manual',
      reason: flags.reason,
      signal,
      view: this.view,
      note: text => this.note(text),
      confirm: repository =>
        confirmRecovery({
          loaded,
          repository,
          choice,
          existing,
          target,
          given: flags.confirm,
          note: text => process.stderr.write(`${text}\n`),
          signal,
        }),
      onId: id => {
        this.recoveryId = id;
      },
    }).finally(() => target?.cluster.close());
    this.print(finished.record, () => renderDrill(finished.record, finished.evidenceDir));
    this.finish(finished.exitCode);
  }

  protected override lastWords(): string | undefined {
    return (
      this.recoveryId &&
      `stopped at once; what was recovered stays. What was done: pra drill show ${this.recoveryId}`
    );
  }
}

/** @throws PraError USAGE for `fresh`: what is lost cannot be captured any more */
function choiceOf(flag: string | undefined, {plan}: LoadedPlan): SnapshotChoice {
  const {policy, id} = plan.spec.recoveryPoint;
  if (flag === 'fresh')
    throw new PraError('USAGE', 'a recovery takes no fresh snapshot', {
      why: 'it must not depend on the source',
      next: ['--snapshot latest', 'if the source still answers: pra snapshot create, and then recover'],
    });
  if (flag === 'latest') return {policy: 'latest'};
  if (flag !== undefined) return {policy: 'id', id: flag};
  return policy === 'id' && id !== undefined ? {policy: 'id', id} : {policy: 'latest'};
}

function existingOf(texts: readonly string[]): ExistingChoice {
  const choice = parseExisting(texts, 'update');
  if ([choice.all, ...Object.values(choice.kinds)].includes('prune'))
    throw new PraError('USAGE', 'a recovery prunes nothing', {
      next: ['recover first, and then: pra restore run --existing prune'],
    });
  return choice;
}
