import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {EXIT} from '../../errors.ts';
import {listSnapshots} from '../../snapshot/list.ts';
import {renderDamage, renderSnapshotList} from '../../view/snapshot.ts';

export default class SnapshotList extends BaseCommand<typeof SnapshotList> {
  static override summary = 'list the snapshots of a repository, the newest first';
  static override description =
    `With -f, those of that plan. A snapshot that is damaged does not hide the others.

Exit codes: 0; 3 a snapshot cannot be read; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot list -f plan.yaml',
    '<%= config.bin %> snapshot list --repository file:///var/lib/pra --json',
  ];
  static override flags = repositoryFlags;

  async run(): Promise<void> {
    const {repository, loaded} = await openByFlags(this.flags, {
      usage: 'pra snapshot list',
      signal: this.signal,
    });
    const {items, errors} = await listSnapshots(repository, {
      plan: loaded?.plan.metadata.name,
      signal: this.signal,
    });
    const document = {
      apiVersion: 'pra/v1',
      kind: 'SnapshotList',
      items,
      damaged: errors.map(({message, why}) => ({message, why})),
    };
    this.print(document, () => renderSnapshotList(items, new Date()));
    if (errors.length === 0) return;
    this.note(renderDamage(errors));
    this.finish(EXIT.failed);
  }
}
