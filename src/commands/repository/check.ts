import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {EXIT} from '../../errors.ts';
import {checkRepository} from '../../repository/check.ts';
import {renderCheck} from '../../view/repository.ts';
import {maintainVolumes} from '../../volume/maintain.ts';

export default class RepositoryCheck extends BaseCommand<typeof RepositoryCheck> {
  static override summary = 'check that every snapshot of a repository can be restored';
  static override description =
    `Reads all roots and trees, and looks whether every pack is there and long enough; with --read-data reads, opens and compares
every pack and every object, and has restic read all data of volumes. Goes on after damage, and says which snapshots each piece
of it makes incomplete; what is intact can still be restored. Changes nothing.

Exit codes: 0 all is well; 3 damage was found; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> repository check -f plan.yaml',
    '<%= config.bin %> repository check --repository s3://dr/shop --read-data --json',
  ];
  static override flags = {
    ...repositoryFlags,
    'read-data': Flags.boolean({description: 'read and compare all data; costs as much as downloading it'}),
  };

  async run(): Promise<void> {
    const readData = this.flags['read-data'];
    const opened = await openByFlags(this.flags, {usage: 'pra repository check', signal: this.signal});
    const {repository} = opened;
    const result = await checkRepository(repository, {
      readData,
      signal: this.signal,
      onEvent: ({what, done, of}) => {
        if (done === of || done % 100 === 0) this.note(`checked ${done} of ${of} ${what}`);
      },
    });
    const volumes = await maintainVolumes({repository, store: opened.options, signal: this.signal});
    if (volumes) this.note('restic checks the volumes');
    const findings = [
      ...result.findings,
      ...((await volumes?.check({readData})) ?? []).map(why => ({key: 'volumes/', why, snapshots: []})),
    ];
    const document = {apiVersion: 'pra/v1', kind: 'RepositoryCheck', readData, ...result, findings};
    this.print(document, () => renderCheck({...result, findings}, readData));
    if (findings.length > 0) this.finish(EXIT.failed);
  }
}
