import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {clusterFlags} from '../../cli/flags.ts';
import {connectSource, openPlanRepository, repositoryOf, requireSource} from '../../cli/wiring.ts';
import {tellSnapshot} from '../../drill/stage/snapshot.ts';
import {takeSnapshot} from '../../drill/take-snapshot.ts';
import {PraError} from '../../errors.ts';
import {loadPlan} from '../../plan/load.ts';
import {renderSnapshot} from '../../view/snapshot.ts';
import {openRestic} from '../../volume/restic.ts';

export default class SnapshotCreate extends BaseCommand<typeof SnapshotCreate> {
  static override summary = 'take a snapshot of the objects and volumes of a plan';
  static override description =
    `Writes the canary, measures the baselines of the probes, dumps the volumes, captures the objects, and writes the root last: a
snapshot that was broken off does not exist, and what it had stored is used again. Hooks run before the baselines and after the
objects, also when something failed or was interrupted. The repository is made where there is none.

Exit codes: 0 taken; 1 error; 2 invalid plan; 3 a dump or hook failed; 12 wrong passphrase.`;
  static override examples = [
    '<%= config.bin %> snapshot create plan.yaml',
    '<%= config.bin %> snapshot create plan.yaml --repository s3://dr/shop --json',
  ];
  static override args = {plan: Args.string({description: 'plan file', required: true})};
  static override flags = {
    ...clusterFlags,
    repository: Flags.string({description: 'URL of the repository, instead of that of the plan'}),
  };

  async run(): Promise<void> {
    const loaded = await loadPlan(this.args.plan);
    const where = repositoryOf(loaded, this.flags);
    if (!where) throw new PraError('USAGE', 'no repository was given');
    const cluster = await connectSource(loaded, this.flags, `pra/${this.config.version}`);
    try {
      await requireSource(cluster, this.signal);
      const {repository, options, created} = await openPlanRepository(where, {
        create: true,
        signal: this.signal,
      });
      if (created) this.note(`made a new repository at ${where.url}`);
      const restic = await openRestic({repository, store: options, signal: this.signal});
      const root = await takeSnapshot({
        loaded,
        cluster,
        repository,
        restic,
        tool: `pra/${this.config.version}`,
        signal: this.signal,
        onEvent: event => tellSnapshot({progress: message => this.note(message)}, event),
      });
      this.print(root, () => renderSnapshot(root));
    } finally {
      await cluster.close();
    }
  }
}
