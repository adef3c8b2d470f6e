import {readFile} from 'node:fs/promises';
import {dirname, resolve} from 'node:path';
import {LineCounter, parseAllDocuments} from 'yaml';
import {type Finding, PraError, type SourceLocation} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {findSemanticMistakes} from './check.ts';
import {findMissingFiles} from './files.ts';
import {refuseCycle} from './graph.ts';
import {locateIn, type PlanPath} from './locate.ts';
import {findingsOf} from './mistake.ts';
import {resolvePaths} from './paths.ts';
import {type Plan, planSchema} from './schema.ts';
import {findUnsupported} from './unsupported.ts';

const MAX_PLAN_BYTES = 1024 * 1024;

export interface LoadedPlan {
  plan: Plan;
  /** SHA-256 of the canonical form: white space, comments and key order do not change it. */
  hash: string;
  /** The plan file as it was given. */
  file: string;
  /** Folder that relative paths of the plan start from. */
  dir: string;
  locate(path: PlanPath): SourceLocation;
}

/**
 * Reads and checks a plan. All mistakes are reported at once, each with file, line and column.
 * @throws PraError PLAN_NOT_FOUND, PLAN_INVALID, PLAN_CYCLE, PLAN_UNSUPPORTED, PLAN_NO_DATA_PROOF.
 */
export async function loadPlan(file: string): Promise<LoadedPlan> {
  const text = await readPlan(file);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {lineCounter: lines, uniqueKeys: true, version: '1.2'});
  const [document, second] = Array.isArray(documents) ? documents : [];
  if (!document || document.contents === null)
    throw invalid(file, [{message: 'the file is empty', location: {file, line: 1}}]);
  if (second) {
    const at = second.contents?.range ? lines.linePos(second.contents.range[0]).line : undefined;
    throw invalid(file, [
      {
        message: 'one file holds one plan, and this is a second document',
        location: {file, ...(at === undefined ? {} : {line: at})},
      },
    ]);
  }
  const syntax = document.errors.map((error): Finding => {
    const {line, col} = lines.linePos(error.pos[0]);
    return {
      message: (error.message.split(' at line ')[0] ?? error.message).trim(),
      location: {file, line, column: col},
    };
  });
  if (syntax.length > 0) throw invalid(file, syntax);
  const locate = (path: PlanPath, key = false) => locateIn(document, lines, file, path, key);
  const value: unknown = toValue(document, file);
  const parsed = planSchema.safeParse(value);
  if (!parsed.success) throw invalid(file, findingsOf(parsed.error, value, locate));

  const mistakes = findSemanticMistakes(parsed.data).map(({message, path, hint}) => ({
    message,
    hint,
    location: locate(path),
  }));
  if (mistakes.length > 0) throw invalid(file, mistakes);
  refuseCycle(parsed.data.spec.groups, index => locate(['spec', 'groups', index, 'dependsOn']));
  const unsupported = findUnsupported(value).map(({message, path}) => ({
    message,
    location: locate(path, true),
  }));
  if (unsupported.length > 0) {
    throw new PraError('PLAN_UNSUPPORTED', `${file} uses what this version of pra does not carry out yet`, {
      findings: unsupported,
      next: ['remove these fields, or wait for the version that has them (CHANGELOG.md)'],
    });
  }
  refuseWithoutProof(parsed.data, file, locate);
  const dir = dirname(resolve(file));
  const plan = resolvePaths(parsed.data, dir);
  const missing = (await findMissingFiles(plan)).map(({message, path}) => ({
    message,
    location: locate(path),
  }));
  if (missing.length > 0) throw invalid(file, missing);
  return {plan, hash: sha256(canonicalJson(parsed.data)), file, dir, locate};
}

async function readPlan(file: string): Promise<string> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > MAX_PLAN_BYTES)
      throw invalid(file, [{message: 'the file is larger than 1 MiB, which no plan is', location: {file}}]);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof PraError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'it is a folder'
          : code === 'EACCES'
            ? 'it may not be read by this user'
            : String(code);
    throw new PraError('PLAN_NOT_FOUND', `the plan ${file} cannot be read`, {
      why,
      next: ['pra init writes a plan from a live cluster'],
      cause: error,
    });
  }
}

function toValue(document: {toJS(options: {maxAliasCount: number}): unknown}, file: string): unknown {
  try {
    return document.toJS({maxAliasCount: 50});
  } catch (error) {
    throw invalid(file, [{message: 'aliases refer to each other too often', location: {file}}], error);
  }
}

/** A plan that proves no data would turn green after restoring nothing but empty databases. */
function refuseWithoutProof(plan: Plan, file: string, locate: (path: PlanPath) => SourceLocation): void {
  const proves = plan.spec.probes.some(
    probe => probe.required && (probe.proves === 'dataPresent' || probe.proves === 'dataCurrent'),
  );
  const waived = plan.spec.isolation.waive.some(waiver => waiver.guard === 'dataProof');
  if (proves || waived) return;
  throw new PraError('PLAN_NO_DATA_PROOF', `no required probe of ${file} proves data`, {
    why: 'a drill of it would prove only that processes start',
    location: locate(['spec', 'probes']),
    next: [
      'add a probe with `proves: dataPresent` or `dataCurrent`, for example sql or canary',
      'or waive it: spec.isolation.waive: [{guard: dataProof, name: …, reason: …}]',
    ],
  });
}

function invalid(file: string, findings: Finding[], cause?: unknown): PraError {
  const count = findings.length === 1 ? 'a mistake' : `${findings.length} mistakes`;
  return new PraError('PLAN_INVALID', `the plan ${file} has ${count}`, {
    findings,
    next: ['pra plan explain spec', 'pra plan schema'],
    cause,
  });
}
