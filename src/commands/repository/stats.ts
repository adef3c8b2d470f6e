import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {repositoryStats} from '../../repository/stats.ts';
import {renderStats} from '../../view/repository.ts';

export default class RepositoryStatsCommand extends BaseCommand<typeof RepositoryStatsCommand> {
  static override summary = 'show what a repository holds and how much room it takes';
  static override description =
    'Reads roots and the directories of trees, and no object. Exit codes: 0; 10 no repository; 12 wrong key.';
  static override examples = [
    '<%= config.bin %> repository stats -f plan.yaml',
    '<%= config.bin %> repository stats --repository s3://dr/shop --json',
  ];
  static override flags = repositoryFlags;

  async run(): Promise<void> {
    const {repository, url} = await openByFlags(this.flags, {
      usage: 'pra repository stats',
      signal: this.signal,
    });
    const stats = await repositoryStats(repository, {signal: this.signal});
    this.print({apiVersion: 'pra/v1', kind: 'RepositoryStats', url, ...stats}, () => renderStats(url, stats));
  }
}
