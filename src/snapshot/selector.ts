import {PraError} from '../errors.ts';

export type Labels = Readonly<Record<string, string>>;
/** Tells whether labels fit a selector. */
export type LabelMatcher = (labels: Labels) => boolean;

const NAME = String.raw`[A-Za-z0-9][\w./-]*`;
const SET = new RegExp(`^(${NAME})\\s+(in|notin)\\s+\\(([^()]*)\\)$`);
const EQUALITY = new RegExp(`^(${NAME})\\s*(==|=|!=)\\s*([\\w.-]*)$`);
const EXISTS = new RegExp(`^(!?)\\s*(${NAME})$`);

/**
 * Reads a label selector as kubectl takes it: `app=db,tier!=cache,env in (a,b),!legacy`.
 * An empty text fits everything.
 * @throws PraError USAGE when the text is not a label selector.
 */
export function parseSelector(text: string): LabelMatcher {
  const requirements = splitRequirements(text).map(requirement => parseRequirement(requirement, text));
  return labels => requirements.every(fits => fits(labels));
}

/** A selector as text, when it was given as labels that must all hold: `{app: 'db'}` is `app=db`. */
export function selectorText(selector: string | Labels): string {
  if (typeof selector === 'string') return selector;
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

function splitRequirements(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map(part => part.trim())
    .filter(part => part !== '' || text.includes(','));
}

function parseRequirement(requirement: string, whole: string): LabelMatcher {
  const set = SET.exec(requirement);
  if (set) {
    const [, key = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map(value => value.trim()));
    return labels => values.has(labels[key] ?? '\0') === (operator === 'in');
  }
  const equality = EQUALITY.exec(requirement);
  if (equality) {
    const [, key = '', operator, value = ''] = equality;
    return labels => (labels[key] === value) === (operator !== '!=');
  }
  const exists = EXISTS.exec(requirement);
  if (exists) {
    const [, not, key = ''] = exists;
    return labels => Object.hasOwn(labels, key) === (not === '');
  }
  throw new PraError('USAGE', `"${whole}" is not a label selector`, {
    why: `"${requirement}" is not of the form key=value, key!=value, key in (a,b), key notin (a,b), key or !key`,
  });
}
