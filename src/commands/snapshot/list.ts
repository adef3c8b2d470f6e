import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openPlanRepository, repositoryOf} from '../../cli/wiring.ts';
import {PraError} from '../../errors.ts';
import {loadPlan} from '../../plan/load.ts';
import {listSnapshots} from '../../snapshot/list.ts';
import {renderSnapshotList} from '../../view/snapshot.ts';

export default class SnapshotList extends BaseCommand<typeof SnapshotList> {
  static override summary = 'list the snapshots of a repository, the newest first';
  static override description =
    'With -f, those of that plan. Exit codes: 0; 10 no repository; 12 wrong passphrase.';
  static override examples = [
    '<%= config.bin %> snapshot list -f plan.yaml',
    '<%= config.bin %> snapshot list --repository file:///var/lib/pra --json',
  ];
  static override flags = repositoryFlags;

  async run(): Promise<void> {
    const loaded = this.flags.plan === undefined ? undefined : await loadPlan(this.flags.plan);
    const where = repositoryOf(loaded, this.flags);
    if (!where)
      throw new PraError('USAGE', 'no repository was given', {
        next: ['pra snapshot list -f plan.yaml', 'pra snapshot list --repository URL'],
      });
    const {repository} = await openPlanRepository(where, {create: false, signal: this.signal});
    const items = await listSnapshots(repository, {plan: loaded?.plan.metadata.name, signal: this.signal});
    this.print({apiVersion: 'pra/v1', kind: 'SnapshotList', items}, () =>
      renderSnapshotList(items, new Date()),
    );
  }
}
