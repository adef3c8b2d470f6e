import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {clusterFlags} from '../../cli/flags.ts';
import {rehearse} from '../../cli/rehearse.ts';
import {varFlag, withChoice, withVars} from '../../cli/vars.ts';
import {connectSource, repositoryOf, withOverrides} from '../../cli/wiring.ts';
import type {SnapshotChoice} from '../../drill/run-state.ts';
import {PraError} from '../../errors.ts';
import {explainPlan} from '../../plan/explain.ts';
import {type LoadedPlan, loadPlan} from '../../plan/load.ts';
import {renderDrill} from '../../view/drill.ts';

export default class DrillRun extends BaseCommand<typeof DrillRun> {
  static override summary =
    'rehearse a recovery: restore into a fresh cluster, prove it, time it, and remove it';
  static override description =
    `Takes a fresh snapshot (or uses the one named), brings up a target by Terraform, restores into it, starts workloads group by
group, probes them, measures T0 to T5, destroys the target whatever happened, and writes drill.json, report.html and junit.xml.

Ctrl-C once stops in order and cleans up; twice stops at once.

Exit codes: 0 passed; 3 failed; 4 passed, but an objective was missed; 6 inconclusive; 1 error; 2 invalid plan; 11 locked; 130 interrupted.`;
  static override examples = [
    '<%= config.bin %> drill run plans/quickstart/plan.yaml',
    '<%= config.bin %> drill run plan.yaml --snapshot latest --reason "quarterly test"',
    '<%= config.bin %> drill run plan.yaml --json > drill.json',
    '<%= config.bin %> drill run plan.yaml --dry-run',
  ];
  static override args = {plan: Args.string({description: 'plan file', required: true})};
  static override flags = {
    ...clusterFlags,
    repository: Flags.string({description: 'URL of the repository, instead of that of the plan'}),
    snapshot: Flags.string({
      description: 'recovery point: fresh, latest, or the id of a snapshot',
      helpValue: 'fresh|latest|ID',
    }),
    ...varFlag,
    reason: Flags.string({description: 'why the drill is run, for the record'}),
    trigger: Flags.option({options: ['manual', 'schedule', 'ci'] as const})({
      description: 'what started the drill, for the record',
    }),
    'dry-run': Flags.boolean({description: 'check the plan and say what would be done'}),
  };

  private drillId: string | undefined;

  async run(): Promise<void> {
    const loaded = withVars(await loadPlan(this.args.plan), this.flags.var ?? []);
    const choice = choiceOf(this.flags.snapshot, loaded);
    if (this.flags['dry-run']) {
      const {plan} = withOverrides(loaded, this.flags);
      const steps = explainPlan(withChoice(plan, choice));
      this.print(
        {apiVersion: 'pra/v1', kind: 'PlanExplanation', plan: plan.metadata.name, dryRun: true, steps},
        () => steps.map((step, index) => `${index + 1}. ${step}`).join('\n'),
      );
      return;
    }
    const where = repositoryOf(loaded, this.flags);
    if (!where) throw new PraError('USAGE', 'no repository was given');
    const finished = await rehearse({
      loaded,
      where,
      choice,
      connectSource: () => connectSource(loaded, this.flags, `pra/${this.config.version}`),
      toolVersion: this.config.version,
      trigger: this.flags.trigger ?? (process.env.CI ? 'ci' : 'manual'),
      reason: this.flags.reason,
      signal: this.signal,
      view: this.view,
      note: text => this.note(text),
      onId: id => {
        this.drillId = id;
      },
    });
    this.print(finished.record, () => renderDrill(finished.record, finished.evidenceDir));
    this.finish(finished.exitCode);
  }

  protected override lastWords(): string | undefined {
    return (
      this.drillId &&
      `stopped at once; the target may still be up. Remove it with: pra drill clean ${this.drillId}`
    );
  }
}

function choiceOf(flag: string | undefined, loaded: LoadedPlan): SnapshotChoice {
  const {policy, id} = loaded.plan.spec.recoveryPoint;
  if (flag === 'fresh' || flag === 'latest') return {policy: flag};
  if (flag !== undefined) return {policy: 'id', id: flag};
  if (policy === 'id' && id !== undefined) return {policy: 'id', id};
  return {policy: policy === 'latest' ? 'latest' : 'fresh'};
}
