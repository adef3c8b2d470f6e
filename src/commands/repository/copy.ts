import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {openPlanRepository, repositoryOf} from '../../cli/wiring.ts';
import {PraError} from '../../errors.ts';
import {loadPlan} from '../../plan/load.ts';
import {copySnapshots} from '../../repository/copy.ts';
import {findRoot, volumeName} from '../../repository/snapshot-root.ts';
import {formatBytes} from '../../std/bytes.ts';
import {copyVolume} from '../../volume/copy.ts';
import {openRestic, type Restic} from '../../volume/restic.ts';

export default class RepositoryCopy extends BaseCommand<typeof RepositoryCopy> {
  static override summary = 'copy snapshots into another repository';
  static override description =
    `For a second place, in another account or on a disk that is taken away. The copy has keys of its own; where there is no repository it
is made, and opened with the same passphrase as the first. What the other has already is left out, and everything is checked before
it is copied. How the other bucket is reached may be said by a plan that names it (--to-plan).

Exit codes: 0; 1 a snapshot is damaged, and the file is named; 2 no such snapshot; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> repository copy -f plan.yaml --to file:///mnt/offsite/shop',
    '<%= config.bin %> repository copy -f plan.yaml --to-plan offsite.yaml --snapshot latest',
  ];
  static override flags = {
    ...repositoryFlags,
    to: Flags.string({description: 'URL of the other repository'}),
    'to-plan': Flags.string({description: 'plan file whose repository is the other one', exclusive: ['to']}),
    snapshot: Flags.string({
      description: 'id, a unique beginning of it, or latest; all without it',
      multiple: true,
    }),
  };

  async run(): Promise<void> {
    const {signal} = this;
    const source = await openByFlags(this.flags, {usage: 'pra repository copy --to URL', signal});
    const where = await this.target();
    if (where.url === source.url) throw new PraError('USAGE', 'both repositories are the same');
    const target = await openPlanRepository(where, {create: true, signal});
    if (target.created) this.note(`made a new repository at ${where.url}`);
    const plan = source.loaded?.plan.metadata.name;
    const ids = await Promise.all(
      (this.flags.snapshot ?? []).map(
        async one => (await findRoot(source.repository, one, {plan, signal})).id,
      ),
    );
    let restic: {from: Restic; to: Restic} | undefined;
    const copied = await copySnapshots(source.repository, target.repository, {
      ids: ids.length > 0 ? ids : undefined,
      plan,
      signal,
      copyVolume: async (record, snapshot) => {
        restic ??= {
          from: await openRestic({repository: source.repository, store: source.options, signal}),
          to: await openRestic({repository: target.repository, store: target.options, signal}),
        };
        this.note(
          `copying the data of ${volumeName(record)} in ${record.namespace} (${formatBytes(record.bytes)})`,
        );
        return copyVolume({...restic, record, tags: [`snapshot=${snapshot}`], signal});
      },
      onEvent: event => {
        if (event.type === 'copying') this.note(`copying ${event.id}: ${event.objects} objects`);
        else if (event.type === 'copied')
          this.note(`copied ${event.id}: ${formatBytes(event.writtenBytes)} written`);
        else this.note(`${event.id} is there already`);
      },
    });
    this.print({apiVersion: 'pra/v1', kind: 'RepositoryCopy', to: where.url, copied}, () =>
      copied.length === 0 ? 'there was nothing to copy' : `copied ${copied.length} snapshots to ${where.url}`,
    );
  }

  private async target(): Promise<NonNullable<ReturnType<typeof repositoryOf>>> {
    const {to} = this.flags;
    const loaded = this.flags['to-plan'] === undefined ? undefined : await loadPlan(this.flags['to-plan']);
    const url = to ?? loaded?.plan.spec.repository.url;
    const where = url === undefined ? undefined : repositoryOf(loaded, {repository: url});
    if (!where)
      throw new PraError('USAGE', 'no repository to copy to was given', {
        next: ['pra repository copy -f plan.yaml --to URL'],
      });
    return where;
  }
}
