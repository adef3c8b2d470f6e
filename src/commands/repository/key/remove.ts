import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../../cli/base-command.ts';
import {confirmTyped} from '../../../cli/confirm.ts';
import {repositoryFlags} from '../../../cli/flags.ts';
import {keysByFlags} from '../../../cli/repository-keys.ts';
import {planRemoval, removeKey} from '../../../repository/key/remove.ts';
import {nameOfKey} from '../../../view/key.ts';

const HONEST = `The data key does not change: who has opened the repository with this slot may have kept it, or a copy of the slot, and can then
still read all snapshots, also later ones. After a leak, make a new repository and delete this one.`;

export default class RepoKeyRemove extends BaseCommand<typeof RepoKeyRemove> {
  static override summary = 'remove a key slot from a repository';
  static override description = `${HONEST}

Asks for the id to be typed, or takes --yes. Refuses the last slot.

Exit codes: 0 removed; 1 the store failed; 2 no such slot, the last one, or not confirmed; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> repository key remove 1a2b3c4d5e6f7081 -f plan.yaml',
    '<%= config.bin %> repository key remove 1a2b3c4d5e6f7081 --repository s3://dr/shop --yes --json',
  ];
  static override args = {
    id: Args.string({description: 'id of the slot (pra repository key list)', required: true}),
  };
  static override flags = {
    ...repositoryFlags,
    yes: Flags.boolean({char: 'y', description: 'do not ask'}),
  };

  async run(): Promise<void> {
    const {id} = this.args;
    const {store, keys} = await keysByFlags(this.flags, {
      usage: `pra repository key remove ${id}`,
      signal: this.signal,
    });
    const {removed, left, opensAfter} = await planRemoval(store, id, keys);
    const name = nameOfKey(removed);
    const lines = [`${store.url} keeps: ${left.map(nameOfKey).join('; ')}.`];
    if (!opensAfter)
      lines.push('None of them opens with the keys of this call: make sure that somebody can open one.');
    for (const line of lines) this.note(line);
    if (!this.flags.yes) {
      const next = [`pra repository key remove ${id} --yes …`];
      await confirmTyped(`${HONEST}\nRemove the ${name}?`, {word: id, next, signal: this.signal});
    }
    await removeKey(store, id, {signal: this.signal});
    this.print(
      {apiVersion: 'pra/v1', kind: 'KeyRemoval', removed, left, opensAfter},
      () => `removed the ${name}`,
    );
    if (this.flags.yes) this.note(HONEST);
  }
}
