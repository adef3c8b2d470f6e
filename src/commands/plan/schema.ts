import {BaseCommand} from '../../cli/base-command.ts';
import {planJsonSchema} from '../../plan/walk.ts';

export default class PlanSchema extends BaseCommand<typeof PlanSchema> {
  static override summary = 'print the JSON Schema of plans';
  static override description =
    'For editors: put `# yaml-language-server: $schema=plan.schema.json` on the first line of a plan.';
  static override examples = ['<%= config.bin %> plan schema > plan.schema.json'];
  static override flags = {};

  async run(): Promise<void> {
    const schema = planJsonSchema();
    this.print(schema, () => JSON.stringify(schema, undefined, 2));
  }
}
