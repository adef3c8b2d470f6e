import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {type LoadedPlan, loadPlan} from '../../src/plan/load.ts';

/** A plan with nothing that could be left out. Tests change one line of it. */
export const PLAN = `apiVersion: pra/v1
kind: Plan
metadata: {name: shop}
spec:
  objectives: {rto: 45m, rpo: 1h}
  source:
    include: {namespaces: [shop]}
  repository: {url: "file:///backups"}
  target: {terraform: {dir: terraform/local}}
  groups:
    - {name: base, select: {}}
  probes:
    - {name: proof, proves: dataPresent, exec: {namespace: shop, selector: app=web, command: [ls]}}
`;

/** The plan with a line or a part of one changed. */
export function planWith(from: string, to: string): string {
  if (!PLAN.includes(from)) throw new Error(`the plan has no ${from}`);
  return PLAN.replace(from, () => to);
}

const folder = mkdtempSync(join(tmpdir(), 'pra-plan-'));
let plans = 0;

afterAll(() => rmSync(folder, {recursive: true, force: true}));

/** Writes a plan into a folder of its own, which goes with the tests of the file. */
export const planFile = (content: string | Uint8Array): string => {
  plans += 1;
  const file = join(folder, String(plans), 'plan.yaml');
  mkdirSync(join(folder, String(plans)));
  writeFileSync(file, content);
  return file;
};

export const load = (content: string | Uint8Array): Promise<LoadedPlan> => loadPlan(planFile(content));

/** The error that a plan is refused with; anything else that happens fails the test. */
export async function refusal(content: string | Uint8Array): Promise<PraError> {
  return refusalOf(planFile(content));
}

export async function refusalOf(file: string): Promise<PraError> {
  try {
    await loadPlan(file);
  } catch (error) {
    if (error instanceof PraError) return error;
    throw error;
  }
  throw new Error('the plan was not refused');
}

/** `line:column message (hint)` of every finding, and the code. */
export async function mistakesOf(content: string | Uint8Array): Promise<{code: string; mistakes: string[]}> {
  const file = planFile(content);
  const {code, findings} = await refusalOf(file);
  const mistakes = findings.map(({message, location, hint}) => {
    if (location?.file !== file) throw new Error(`${message} is not of ${file}`);
    const place = [location.line, location.column].filter(part => part !== undefined).join(':');
    return [place, message, hint && `(${hint})`].filter(Boolean).join(' ');
  });
  return {code, mistakes};
}

/** The same with the word of the file at the place instead of its column: `14:requird unknown field …`. */
export async function pointedMistakesOf(content: string): Promise<{code: string; mistakes: string[]}> {
  const lines = content.split('\n');
  const {code, findings} = await refusal(content);
  const mistakes = findings.map(({message, location: {line = 0, column = 0} = {file: ''}, hint}) => {
    const word = /^[-\w/.<]+|^./.exec(lines[line - 1]?.slice(column - 1) ?? '')?.[0] ?? '';
    return [`${line}:${word}`, message, hint && `(${hint})`].filter(Boolean).join(' ');
  });
  return {code, mistakes};
}
