import {Args} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {readObjects} from '../../repository/object-set.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {verifyPacks} from '../../repository/verify.ts';
import {formatBytes} from '../../std/bytes.ts';

export default class SnapshotVerify extends BaseCommand<typeof SnapshotVerify> {
  static override summary = 'check that a snapshot can be restored whole';
  static override description =
    `Reads every file that it needs, compares each with its name, opens and parses every object, and counts them. The data of volumes
is checked by pra repository check --read-data and by every drill.

Exit codes: 0 it is whole; 1 it is damaged, and the file is named; 2 no such snapshot; 10; 12.`;
  static override examples = [
    '<%= config.bin %> snapshot verify -f plan.yaml',
    '<%= config.bin %> snapshot verify 20261123T154501Z --repository s3://dr/shop',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
  };
  static override flags = repositoryFlags;

  async run(): Promise<void> {
    const {repository, loaded} = await openByFlags(this.flags, {
      usage: 'pra snapshot verify',
      signal: this.signal,
    });
    const root = await findRoot(repository, this.args.snapshot, {
      plan: loaded?.plan.metadata.name,
      signal: this.signal,
    });
    const {packs, bytes} = await verifyPacks(repository, root, {signal: this.signal});
    this.note(`${packs} packs (${formatBytes(bytes)}) are as they were written; opening the objects`);
    let objects = 0;
    for await (const _ of readObjects(repository, root, {signal: this.signal})) objects += 1;
    const document = {apiVersion: 'pra/v1', kind: 'SnapshotVerification', id: root.id, packs, bytes, objects};
    this.print(
      document,
      () => `${root.id} is whole: ${objects} objects in ${packs} packs (${formatBytes(bytes)})`,
    );
  }
}
