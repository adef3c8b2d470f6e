import {BaseCommand} from '../../cli/base-command.ts';
import {listRestores} from '../../restore/journal.ts';
import {renderRestoreList} from '../../view/restore.ts';

export default class RestoreList extends BaseCommand<typeof RestoreList> {
  static override summary = 'list the restores that this machine knows';
  static override description = `The newest first, from their journals. Exit code 0.`;
  static override examples = ['<%= config.bin %> restore list', '<%= config.bin %> restore list --json'];

  async run(): Promise<void> {
    const items = await listRestores();
    this.print({apiVersion: 'pra/v1', kind: 'RestoreList', items}, () =>
      renderRestoreList(items, new Date()),
    );
  }
}
