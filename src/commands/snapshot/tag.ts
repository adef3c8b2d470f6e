import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {PraError} from '../../errors.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {changeTags, readTags, tagSchema} from '../../repository/tags.ts';

export default class SnapshotTag extends BaseCommand<typeof SnapshotTag> {
  static override summary = 'put words on a snapshot, or take them off';
  static override description =
    `Tags are for people, and keep is for retention: a snapshot with it is not forgotten by rules. Without --add and --remove it shows
the tags. Needs no right to delete.

Exit codes: 0; 2 no such snapshot, or no valid tag; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot tag latest --add keep --add before-upgrade -f plan.yaml',
    '<%= config.bin %> snapshot tag 20261123T154501Z --remove keep -f plan.yaml',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', required: true}),
  };
  static override flags = {
    ...repositoryFlags,
    add: Flags.string({description: 'tag to put on', multiple: true, default: []}),
    remove: Flags.string({description: 'tag to take off', multiple: true, default: []}),
  };

  async run(): Promise<void> {
    const {add, remove} = this.flags;
    for (const tag of [...add, ...remove])
      if (!tagSchema.safeParse(tag).success)
        throw new PraError('USAGE', `"${tag}" is not a tag`, {
          next: ['letters, digits and . _ = : - , up to 63, beginning with a letter or digit'],
        });
    const {repository, loaded} = await openByFlags(this.flags, {
      usage: 'pra snapshot tag ID',
      signal: this.signal,
    });
    const root = await findRoot(repository, this.args.snapshot, {
      plan: loaded?.plan.metadata.name,
      signal: this.signal,
    });
    if (add.length + remove.length > 0)
      await changeTags(repository, root.id, {add, remove}, {signal: this.signal});
    const tags = (await readTags(repository, {snapshot: root.id, signal: this.signal})).get(root.id) ?? [];
    this.print({apiVersion: 'pra/v1', kind: 'SnapshotTags', id: root.id, tags}, () =>
      tags.length === 0 ? `${root.id} has no tags` : `${root.id}: ${tags.join(', ')}`,
    );
  }
}
