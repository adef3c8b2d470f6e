import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {retentionFlags, retentionOf} from '../../cli/retention-flags.ts';
import {EXIT, PraError} from '../../errors.ts';
import {forgetByRetention} from '../../repository/forget.ts';
import {pruneRepository} from '../../repository/prune.ts';
import {formatBytes} from '../../std/bytes.ts';
import {parseDuration} from '../../std/duration.ts';
import {renderForgotten, renderPrune} from '../../view/repository.ts';
import {maintainVolumes} from '../../volume/maintain.ts';

export default class RepositoryPrune extends BaseCommand<typeof RepositoryPrune> {
  static override summary = 'delete what no snapshot needs, and with --keep-… first forget old snapshots';
  static override description =
    `Others may take snapshots meanwhile: what nobody needs is noted, writers that are at work are waited for, and what is still
not needed then is deleted. Rules count for each plan and cluster by themselves; the newest snapshot of each always stays, and so
does one with the tag keep. Killed at any moment, it leaves a repository that is whole.

Exit codes: 0; 10 no repository; 11 somebody else prunes, or writers were at work for longer than --wait; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> repository prune -f plan.yaml --dry-run',
    '<%= config.bin %> repository prune -f plan.yaml --keep-daily 14 --keep-weekly 8 --keep-monthly 12',
  ];
  static override flags = {
    ...repositoryFlags,
    ...retentionFlags,
    'dry-run': Flags.boolean({description: 'only tell what would be deleted'}),
    wait: Flags.string({description: 'how long writers that are at work are waited for', default: '15m'}),
  };

  async run(): Promise<void> {
    const dryRun = this.flags['dry-run'];
    const waitMs = parseDuration(this.flags.wait);
    if (waitMs === undefined) throw new PraError('USAGE', `--wait ${this.flags.wait} is not a duration`);
    const retention = retentionOf(this.flags);
    const opened = await openByFlags(this.flags, {usage: 'pra repository prune', signal: this.signal});
    const {repository, loaded} = opened;
    const decisions = retention
      ? await forgetByRetention(repository, retention, {
          plan: loaded?.plan.metadata.name,
          dryRun,
          signal: this.signal,
        })
      : [];
    const volumes = await maintainVolumes({repository, store: opened.options, signal: this.signal});
    const result = await pruneRepository(repository, {
      dryRun,
      waitMs,
      volumes,
      signal: this.signal,
      onEvent: event => {
        if (event.type === 'marked')
          this.note(`${event.files} files (${formatBytes(event.bytes)}) are not needed by any snapshot`);
        else if (event.type === 'waiting') this.note(`waiting for ${event.writers} writers to end`);
        else this.note(`deleted ${event.files} of ${event.of}`);
      },
    });
    const forgotten = decisions.filter(({reasons}) => reasons.length === 0).map(({root}) => root.id);
    this.print({apiVersion: 'pra/v1', kind: 'RepositoryPrune', dryRun, forgotten, ...result}, () =>
      [...(retention ? [renderForgotten(decisions, dryRun), ''] : []), renderPrune(result, dryRun)].join(
        '\n',
      ),
    );
    if (result.blockedBy.length > 0) this.finish(EXIT.locked);
  }
}
