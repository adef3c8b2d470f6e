import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openVolumes} from '../../cli/open-volumes.ts';
import {renderFiles, renderVolumes} from '../../view/files.ts';
import {findVolume, listFiles, volumesWithFiles} from '../../volume/files.ts';

export default class SnapshotFiles extends BaseCommand<typeof SnapshotFiles> {
  static override summary = 'list the files in a saved volume';
  static override description =
    `Volumes that were saved by method csi or filesystem; without a claim it lists these. Restore some of them: pra restore files.

Exit codes: 0; 2 no such snapshot, claim or file; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot files latest -f plan.yaml',
    '<%= config.bin %> snapshot files latest shop/uploads -f plan.yaml',
    '<%= config.bin %> snapshot files latest shop/uploads /invoices --recursive -f plan.yaml',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
    claim: Args.string({description: 'claim: NAME or NAMESPACE/NAME'}),
    path: Args.string({description: 'file or folder in the volume', default: '/'}),
  };
  static override flags = {
    ...repositoryFlags,
    recursive: Flags.boolean({char: 'r', description: 'with all folders below'}),
  };

  async run(): Promise<void> {
    const usage = 'pra snapshot files latest CLAIM';
    const {root, restic} = await openVolumes(this.args.snapshot, this.flags, {usage, signal: this.signal});
    const {claim, path} = this.args;
    if (claim === undefined) {
      const volumes = volumesWithFiles(root);
      this.print({apiVersion: 'pra/v1', kind: 'VolumeList', snapshot: root.id, items: volumes}, () =>
        renderVolumes(volumes),
      );
      return;
    }
    const volume = findVolume(root, claim);
    const files = await listFiles(await restic(), volume, {path, recursive: this.flags.recursive});
    const document = {
      apiVersion: 'pra/v1',
      kind: 'VolumeFileList',
      snapshot: root.id,
      namespace: volume.namespace,
      claim: volume.pvcs[0],
      items: files,
    };
    this.print(document, () => renderFiles(files));
  }
}
