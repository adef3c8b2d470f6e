import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {removeLocks} from '../../repository/lock.ts';
import {renderLocks} from '../../view/repository.ts';
import {maintainVolumes} from '../../volume/maintain.ts';

export default class RepositoryUnlock extends BaseCommand<typeof RepositoryUnlock> {
  static override summary = 'remove locks that killed runs left';
  static override description =
    `Locks that were not refreshed for half an hour are of runs that are dead; nothing waits for them, and pruning removes them too.
With --all those of runs that seem alive are removed as well: make sure that they are not, since a run whose lock is gone is not
waited for.

Exit codes: 0; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> repository unlock -f plan.yaml',
    '<%= config.bin %> repository unlock --repository s3://dr/shop --all',
  ];
  static override flags = {
    ...repositoryFlags,
    all: Flags.boolean({description: 'also locks that were refreshed lately'}),
  };

  async run(): Promise<void> {
    const opened = await openByFlags(this.flags, {usage: 'pra repository unlock', signal: this.signal});
    const {repository} = opened;
    const removed = await removeLocks(repository, {all: this.flags.all, signal: this.signal});
    const volumes = await maintainVolumes({repository, store: opened.options, signal: this.signal});
    await volumes?.unlock();
    const items = removed.map(({keys: _, ...lock}) => lock);
    this.print({apiVersion: 'pra/v1', kind: 'RepositoryUnlock', items}, () => renderLocks(removed));
  }
}
