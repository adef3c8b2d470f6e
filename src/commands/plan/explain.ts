import {statSync} from 'node:fs';
import {Args} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {withOverrides} from '../../cli/wiring.ts';
import {explainField, explainPlan, type FieldExplanation} from '../../plan/explain.ts';
import {loadPlan} from '../../plan/load.ts';
import {renderTable} from '../../view/table.ts';

export default class PlanExplain extends BaseCommand<typeof PlanExplain> {
  static override summary = 'explain what a plan will do, or what a field of plans means';
  static override examples = [
    '<%= config.bin %> plan explain plans/quickstart/plan.yaml',
    '<%= config.bin %> plan explain spec.probes.policy',
  ];
  static override args = {
    subject: Args.string({description: 'a plan file, or the path of a field', default: 'spec'}),
  };
  static override flags = {};

  async run(): Promise<void> {
    const {subject} = this.args;
    if (/\.(ya?ml|json)$/.test(subject) || isFile(subject)) {
      const {plan} = withOverrides(await loadPlan(subject), {});
      const steps = explainPlan(plan);
      this.print({apiVersion: 'pra/v1', kind: 'PlanExplanation', plan: plan.metadata.name, steps}, () =>
        steps.map((step, index) => `${String(index + 1).padStart(2)}. ${step}`).join('\n'),
      );
      return;
    }
    const field = explainField(subject);
    this.print({apiVersion: 'pra/v1', kind: 'FieldExplanation', ...field}, () => renderField(field));
  }
}

/** A folder `spec` is not meant by `spec`. */
const isFile = (path: string) => statSync(path, {throwIfNoEntry: false})?.isFile() === true;

function renderField(field: FieldExplanation): string {
  const notYet = (supported: boolean) => (supported ? '' : ' (not supported yet)');
  const facts = [
    `${field.field} <${field.type}>${field.required ? ' required' : ''}${notYet(field.supported)}`,
    ...(field.description ? [`  ${field.description}`] : []),
    ...(field.default === undefined ? [] : [`  default: ${JSON.stringify(field.default)}`]),
    ...(field.notYet?.length ? [`  not supported yet: ${field.notYet.join(', ')}`] : []),
  ];
  if (field.fields.length === 0) return facts.join('\n');
  const rows = field.fields.map(child => [
    child.name,
    child.type,
    child.required ? 'yes' : '',
    `${child.description ?? ''}${notYet(child.supported)}`.trim(),
  ]);
  return `${facts.join('\n')}\n\n${renderTable(['FIELD', 'TYPE', 'REQUIRED', 'MEANING'], rows)}`;
}
