import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {exportSnapshot} from '../../snapshot/export.ts';

export default class SnapshotExport extends BaseCommand<typeof SnapshotExport> {
  static override summary = 'write a snapshot as YAML files that a person reads without pra';
  static override description =
    `One file for each object, by namespace and kind, with a README.txt that says how to apply them by hand; a folder, or a tar when the name
ends with .tar or .tar.gz. Values of Secrets are left out of it unless you ask for them. Files are readable by you alone.

Exit codes: 0; 2 there is something at the place, or no such snapshot; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot export latest --to shop.tar.gz -f plan.yaml',
    '<%= config.bin %> snapshot export --to ./out -n shop --secrets include -f plan.yaml',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
  };
  static override flags = {
    ...repositoryFlags,
    to: Flags.string({description: 'folder or file that is written', required: true}),
    secrets: Flags.option({
      description: 'what becomes of the values of Secrets',
      options: ['include', 'redact', 'omit'] as const,
      default: 'redact' as const,
    })(),
    namespace: Flags.string({char: 'n', description: 'only in these namespaces', multiple: true}),
    kind: Flags.string({description: 'only these kinds, such as Deployment', multiple: true}),
  };

  async run(): Promise<void> {
    const {repository, loaded} = await openByFlags(this.flags, {
      usage: 'pra snapshot export --to DIR',
      signal: this.signal,
    });
    const plan = loaded?.plan.metadata.name;
    const root = await findRoot(repository, this.args.snapshot, {plan, signal: this.signal});
    const {namespace: namespaces, kind: kinds, secrets, to} = this.flags;
    const result = await exportSnapshot({
      repository,
      root,
      to,
      secrets,
      filter: {namespaces, kinds},
      signal: this.signal,
      onProgress: objects => this.note(`${objects} of ${root.counts.objects} objects`),
    });
    const document = {apiVersion: 'pra/v1', kind: 'SnapshotExportResult', id: root.id, secrets, ...result};
    this.print(document, () => `${result.objects} objects of ${root.id} are in ${result.to}`);
  }
}
