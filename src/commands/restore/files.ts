import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openVolumes} from '../../cli/open-volumes.ts';
import {extractFiles, findVolume} from '../../volume/files.ts';

export default class RestoreFiles extends BaseCommand<typeof RestoreFiles> {
  static override summary = 'write files of a saved volume into a folder of this machine';
  static override description =
    `One file, or a folder with all below it, out of a volume that was saved by method csi or filesystem. Nothing that is there
is overwritten. Owners are kept when you are root. See what there is: pra snapshot files.

From there kubectl cp brings files into a pod; a whole volume comes back with pra restore run, pra recover or a drill.

Exit codes: 0; 1 error; 2 no such snapshot, claim or file, or there is something at the place; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> restore files latest shop/uploads /invoices/2026 --to ./found -f plan.yaml',
    '<%= config.bin %> restore files 20261123T154501Z uploads --to /mnt/rescue -f plan.yaml',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', required: true}),
    claim: Args.string({description: 'claim: NAME or NAMESPACE/NAME', required: true}),
    path: Args.string({description: 'file or folder in the volume; all of it by default', default: '/'}),
  };
  static override flags = {
    ...repositoryFlags,
    to: Flags.string({description: 'folder that it is written into', default: '.', helpValue: 'DIR'}),
  };

  async run(): Promise<void> {
    const usage = 'pra restore files latest CLAIM PATH --to DIR';
    const {root, restic} = await openVolumes(this.args.snapshot, this.flags, {usage, signal: this.signal});
    const volume = findVolume(root, this.args.claim);
    const to = await extractFiles(await restic(), volume, {path: this.args.path, to: this.flags.to});
    const {namespace, pvcs} = volume;
    const document = {
      apiVersion: 'pra/v1',
      kind: 'RestoredFiles',
      snapshot: root.id,
      namespace,
      claim: pvcs[0],
      to,
    };
    this.print(document, () => `${this.args.path} of ${namespace}/${pvcs[0]} is in ${to}`);
  }
}
