import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {listDrills} from '../../drill/history.ts';
import {renderDrillList} from '../../view/drill.ts';

export default class DrillList extends BaseCommand<typeof DrillList> {
  static override summary = 'list the drills that this machine knows, the newest first';
  static override description =
    'A drill whose process was killed is listed as interrupted; `pra drill clean` removes what it left.';
  static override examples = [
    '<%= config.bin %> drill list',
    '<%= config.bin %> drill list --plan shop --json',
  ];
  static override flags = {plan: Flags.string({description: 'only drills of this plan'})};

  async run(): Promise<void> {
    const drills = await listDrills(this.flags.plan);
    this.print({apiVersion: 'pra/v1', kind: 'DrillList', items: drills}, () =>
      renderDrillList(drills, new Date()),
    );
  }
}
