import {Args} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {evidenceDir, findDrill, readRecord} from '../../drill/history.ts';
import {renderDrill} from '../../view/drill.ts';

export default class DrillShow extends BaseCommand<typeof DrillShow> {
  static override summary = 'show the record of a drill';
  static override description =
    'The record is checked against its digest before it is shown. With --json it is printed whole.';
  static override examples = [
    '<%= config.bin %> drill show latest',
    '<%= config.bin %> drill show 20261123-154501 --json',
  ];
  static override args = {
    drill: Args.string({
      description: 'id of the drill, a unique beginning of it, or latest',
      default: 'latest',
    }),
  };
  static override flags = {};

  async run(): Promise<void> {
    const drill = await findDrill(this.args.drill);
    const record = await readRecord(drill.id);
    this.print(record, () => renderDrill(record, evidenceDir(drill.id)));
  }
}
