import {Args} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {loadPlan} from '../../plan/load.ts';

export default class PlanValidate extends BaseCommand<typeof PlanValidate> {
  static override summary = 'check a plan, without touching any cluster';
  static override description =
    'Reports all mistakes at once, each with file, line and column. Exit code 0: valid; 2: not valid.';
  static override examples = [
    '<%= config.bin %> plan validate plans/quickstart/plan.yaml',
    '<%= config.bin %> plan validate plan.yaml --json',
  ];
  static override args = {plan: Args.string({description: 'plan file', required: true})};
  static override flags = {};

  async run(): Promise<void> {
    const {plan, hash, file} = await loadPlan(this.args.plan);
    const document = {
      apiVersion: 'pra/v1',
      kind: 'PlanValidation',
      valid: true,
      file,
      plan: plan.metadata.name,
      hash,
    };
    this.print(document, () => `${file} is a valid plan (${plan.metadata.name}, hash ${hash.slice(0, 12)})`);
  }
}
