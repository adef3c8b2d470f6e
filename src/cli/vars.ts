import {Flags} from '@oclif/core';
import type {SnapshotChoice} from '../drill/run-state.ts';
import {PraError} from '../errors.ts';
import type {LoadedPlan} from '../plan/load.ts';
import type {Plan} from '../plan/schema.ts';

export const varFlag = {
  var: Flags.string({
    description: 'Terraform variable of the target, over those of the plan',
    multiple: true,
    helpValue: 'NAME=JSON',
  }),
};

/** The plan with the recovery point that was chosen for this run. */
export const withChoice = (plan: Plan, choice: SnapshotChoice): Plan => ({
  ...plan,
  spec: {...plan.spec, recoveryPoint: {...plan.spec.recoveryPoint, ...choice}},
});

/** `--var images='["/a.tar"]'`: JSON where it is JSON, text otherwise. */
export function withVars(loaded: LoadedPlan, vars: readonly string[]): LoadedPlan {
  const added = Object.fromEntries(
    vars.map(text => {
      const split = text.indexOf('=');
      if (split <= 0) throw new PraError('USAGE', `--var ${text} is not NAME=VALUE`);
      return [text.slice(0, split), parseVar(text.slice(split + 1))];
    }),
  );
  const {plan} = loaded;
  const {target} = plan.spec;
  const terraform = {...target.terraform, vars: {...target.terraform.vars, ...added}};
  return {...loaded, plan: {...plan, spec: {...plan.spec, target: {...target, terraform}}}};
}

function parseVar(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
