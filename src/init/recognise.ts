import type {ContainerFact, WorkloadFact} from './facts.ts';
import {type Parameter, RECIPES, type Recipe} from './recipes.ts';

/** A workload that is a database, and the container that is its server. */
export interface Recognised {
  recipe: Recipe;
  container: ContainerFact;
  /** A command that ends well when the database is not empty; undefined when it cannot be asked, and `missing` says why. */
  notEmpty: string[] | undefined;
  missing: string | undefined;
}

/** Kinds whose pods pra can bring data back into. */
export const STARTED_KINDS: ReadonlySet<string> = new Set([
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
]);

/** Values that need no quoting, are no option, and are no connection string. */
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;

/** Finds out which database a workload is, by the image and the variables of its containers. */
export function recognise(workload: WorkloadFact): Recognised | undefined {
  if (!STARTED_KINDS.has(workload.kind)) return undefined;
  for (const container of workload.containers) {
    // A sidecar with the image of a database is a client of it, unless it keeps data.
    if (!container.mountsClaim && workload.containers.length > 1) continue;
    const recipe = recipeOf(container);
    if (recipe) return {recipe, container, ...questionOf(recipe, container)};
  }
  return undefined;
}

/** The image says it best; an image of one's own is told by its variables. */
function recipeOf({image, env, mountsClaim}: ContainerFact): Recipe | undefined {
  const byImage = RECIPES.find(recipe => recipe.images.includes(lastPart(image)));
  if (byImage || !mountsClaim) return byImage;
  return RECIPES.find(recipe => recipe.variables.some(variable => env.has(variable)));
}

/** `postgres` of `registry.example:5000/library/postgres:16@sha256:…`. */
function lastPart(image: string): string {
  return (image.split('@')[0] ?? '').split('/').at(-1)?.split(':')[0] ?? '';
}

type Values = ReadonlyMap<string, Value>;
/** A text to write as it is, or an expression for the shell. */
type Value = {plain: string} | {shell: string};

function questionOf(recipe: Recipe, container: ContainerFact): Pick<Recognised, 'notEmpty' | 'missing'> {
  const values = new Map<string, Value>();
  for (const [name, parameter] of Object.entries(recipe.parameters)) {
    const value = readValue(parameter, container, values);
    if (value) values.set(name, value);
    else if (parameter.required) {
      const variables = parameter.variables.join(' or ');
      return {notEmpty: undefined, missing: `container ${container.name} has no variable ${variables}`};
    }
  }
  const settings = Object.entries(recipe.environment).flatMap(([variable, template]) => {
    const value = values.get(template.slice(1, -1));
    return value ? [`export ${variable}=${inShell(value)}`] : [];
  });
  const script = [...settings, inScript(recipe.notEmpty, values)].join('; ');
  return {notEmpty: ['sh', '-c', script], missing: undefined};
}

function readValue(parameter: Parameter, container: ContainerFact, known: Values): Value | undefined {
  for (const variable of parameter.variables) {
    if (container.env.has(variable)) {
      const literal = container.env.get(variable);
      const isPlain = literal !== undefined && PLAIN.test(literal) && !parameter.secret;
      return isPlain ? {plain: literal} : {shell: `$${variable}`};
    }
    if (container.env.has(`${variable}_FILE`)) return {shell: `$(cat "$${variable}_FILE")`};
  }
  const fallback = fallbackOf(parameter, known);
  return container.hasEnvFrom ? {shell: firstThatIsSet(parameter.variables, fallback)} : fallback;
}

function fallbackOf({fallback}: Parameter, known: Values): Value | undefined {
  if (fallback === undefined) return undefined;
  return fallback.startsWith('{') ? known.get(fallback.slice(1, -1)) : {plain: fallback};
}

/** `${A:-${B:-fallback}}`, for variables that come from a ConfigMap or Secret, whose names pra does not read. */
function firstThatIsSet(variables: readonly string[], fallback: Value | undefined): string {
  const last = fallback === undefined ? '' : 'plain' in fallback ? fallback.plain : fallback.shell;
  return variables.reduceRight((rest, variable) => `\${${variable}:-${rest}}`, last);
}

const inShell = (value: Value) => ('plain' in value ? value.plain : `"${value.shell}"`);

const inScript = (template: string, values: Values) =>
  template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values.get(name);
    return value ? inShell(value) : whole;
  });
