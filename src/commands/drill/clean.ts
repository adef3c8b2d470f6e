import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {cleanDrill, listLeftovers} from '../../drill/clean.ts';
import {findDrill} from '../../drill/history.ts';
import {renderDrillList} from '../../view/drill.ts';

export default class DrillClean extends BaseCommand<typeof DrillClean> {
  static override summary = 'destroy what interrupted drills left behind';
  static override description =
    `Works from the journal of a drill, so it also removes what a killed process or a rebooted machine left. Running it again does no harm.
The target of a real recovery stays, unless it is named and its plan is confirmed.`;
  static override examples = [
    '<%= config.bin %> drill clean --dry-run',
    '<%= config.bin %> drill clean',
    '<%= config.bin %> drill clean 20261123-154501-3f9a1c',
  ];
  static override args = {
    drill: Args.string({description: 'only this drill; without it, all that were interrupted'}),
  };
  static override flags = {
    'dry-run': Flags.boolean({description: 'only list what would be removed'}),
    confirm: Flags.string({
      description: 'name of the plan, typed out, to destroy the target of a real recovery',
      helpValue: 'PLAN',
    }),
  };

  async run(): Promise<void> {
    const {drill} = this.args;
    const leftovers = drill === undefined ? await listLeftovers() : [await findDrill(drill)];
    if (!this.flags['dry-run']) {
      for (const left of leftovers) {
        this.note(`removing what drill ${left.id} left`);
        const recovery = this.flags.confirm === left.plan;
        await cleanDrill(left.id, {signal: this.signal, timeoutMs: 30 * 60_000, recovery});
      }
    }
    const document = {
      apiVersion: 'pra/v1',
      kind: 'DrillCleanup',
      dryRun: this.flags['dry-run'],
      items: leftovers,
    };
    this.print(document, () =>
      leftovers.length === 0
        ? 'nothing is left behind'
        : this.flags['dry-run']
          ? renderDrillList(leftovers, new Date())
          : `removed what ${leftovers.length} drills left`,
    );
  }
}
