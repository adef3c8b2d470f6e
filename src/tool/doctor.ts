import type {Check, Need} from './check.ts';
import {checkMachine} from './check-machine.ts';
import {checkBuiltTools, checkGo, checkPackages, checkPra} from './check-programs.ts';

export interface DoctorReport {
  checks: Check[];
}

/** Looks at what pra needs and what there is. It installs nothing and changes nothing. */
export async function diagnose(options: {signal?: AbortSignal} = {}): Promise<DoctorReport> {
  const {signal} = options;
  const linux = process.platform === 'linux';
  const [pra, built, packages] = await Promise.all([
    checkPra(signal),
    linux ? checkBuiltTools(signal) : [],
    linux ? checkPackages(signal) : [],
  ]);
  const missing = built.filter(check => check.state !== 'ok').map(check => check.name);
  const [machine, go] = await Promise.all([
    checkMachine({mustBuild: missing.length > 0, ...(signal ? {signal} : {})}),
    linux ? [await checkGo(missing, signal)] : [],
  ]);
  return {checks: [...pra, ...machine, ...built, ...go, ...packages]};
}

/** What stands in the way of these uses of pra. */
export function missingFor(report: DoctorReport, needs: readonly Need[]): Check[] {
  return report.checks.filter(check => check.state === 'missing' && needs.includes(check.needed));
}
