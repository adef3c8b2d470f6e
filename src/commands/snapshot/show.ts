import {Args} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {showSnapshot} from '../../snapshot/show.ts';
import {renderSnapshot} from '../../view/snapshot.ts';

export default class SnapshotShow extends BaseCommand<typeof SnapshotShow> {
  static override summary = 'show what a snapshot holds';
  static override description =
    'Kinds, namespaces, volumes, baselines; read from the index alone. Exit codes: 0; 2 no such snapshot; 10; 12.';
  static override examples = [
    '<%= config.bin %> snapshot show latest -f plan.yaml',
    '<%= config.bin %> snapshot show 20261123T154501Z --repository file:///var/lib/pra',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
  };
  static override flags = repositoryFlags;

  async run(): Promise<void> {
    const {repository, loaded} = await openByFlags(this.flags, {
      usage: 'pra snapshot show',
      signal: this.signal,
    });
    const root = await findRoot(repository, this.args.snapshot, {
      plan: loaded?.plan.metadata.name,
      signal: this.signal,
    });
    const contents = await showSnapshot(repository, root, {signal: this.signal});
    this.print({...contents.root, contents: contents.kinds}, () => renderSnapshot(root, contents.kinds));
  }
}
