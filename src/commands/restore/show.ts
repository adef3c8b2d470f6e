import {Args} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {readRestore} from '../../restore/journal.ts';
import {renderInterrupted, renderResult} from '../../view/restore.ts';

export default class RestoreShow extends BaseCommand<typeof RestoreShow> {
  static override summary = 'show what a restore did, object by object with --json';
  static override description =
    `From its journal, also of one that was broken off. Exit codes: 0; 2 no such restore.`;
  static override examples = [
    '<%= config.bin %> restore show latest',
    '<%= config.bin %> restore show latest --json',
  ];
  static override args = {
    restore: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
  };

  async run(): Promise<void> {
    const {done, ...restore} = await readRestore(this.args.restore);
    const {id, request, state, summary} = restore;
    const target = request.target.context ?? request.target.server;
    this.print({apiVersion: 'pra/v1', kind: 'Restore', ...restore, objects: [...done.values()]}, () =>
      summary
        ? renderResult({id, result: state, snapshot: request.snapshot, target, summary, color: this.color})
        : renderInterrupted({id, state, snapshot: request.snapshot, target, written: done.size}),
    );
  }
}
