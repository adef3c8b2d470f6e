import {dirname, resolve} from 'node:path';
import type {SourceLocation} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {findCircle, findSemanticMistakes, type Mistake} from './check.ts';
import {findMissingFiles} from './files.ts';
import type {PlanPath} from './locate.ts';
import {findingsOf} from './mistake.ts';
import {outlineOf} from './outline.ts';
import {resolvePaths} from './paths.ts';
import {readPlan} from './read.ts';
import {invalidPlan, refuse} from './refuse.ts';
import {type Plan, planSchema} from './schema.ts';
import {findUnsupported} from './unsupported.ts';
import {parseYaml} from './yaml.ts';

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
  const {value, locate} = parseYaml(await readPlan(file), file);
  const parsed = planSchema.safeParse(value);
  const outline = outlineOf(value);
  const place = ({message, path, hint}: Mistake, key = false) => ({
    message,
    hint,
    location: locate(path, key),
  });
  const circle = findCircle(outline);
  const refusal = refuse(file, {
    invalid: [
      ...(parsed.success ? [] : findingsOf(parsed.error, value, locate)),
      ...findSemanticMistakes(outline).map(mistake => place(mistake)),
    ],
    circle: circle && place(circle),
    unsupported: findUnsupported(value).map(mistake => place(mistake, true)),
    unproved: parsed.success && !provesData(parsed.data) ? locate(['spec', 'probes']) : undefined,
  });
  if (refusal) throw refusal;
  if (!parsed.success) throw parsed.error; // what is wrong with a plan is in the refusal
  const written = parsed.data;
  const dir = dirname(resolve(file));
  const plan = resolvePaths(written, dir);
  const missing = await findMissingFiles(plan);
  if (missing.length > 0)
    throw invalidPlan(
      file,
      missing.map(mistake => place(mistake)),
    );
  return {plan, hash: sha256(canonicalJson(written)), file, dir, locate};
}

/** A plan that proves no data would turn green after restoring nothing but empty databases. */
function provesData({spec}: Plan): boolean {
  const proves = spec.probes.some(
    probe =>
      probe.required &&
      (probe.proves === 'dataPresent' || probe.proves === 'dataCurrent') &&
      (probe.modes ?? ['drill']).includes('drill'),
  );
  return proves || spec.isolation.waive.some(waiver => waiver.guard === 'dataProof');
}
