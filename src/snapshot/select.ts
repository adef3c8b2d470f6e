import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {stringsAt} from '../std/json-at.ts';
import {EXCLUDED_KINDS, groupKind} from './exclude.ts';
import {matchGlobs} from './glob.ts';
import {parseSelector} from './selector.ts';

/** Up to so many namespaces are listed one by one. */
const NAMESPACED_LISTS = 4;

/** What a snapshot covers. */
export interface SnapshotSelect {
  /** Names or globs. Namespaces of the system (`kube-…`) are taken only when they are named, not by a glob. */
  namespaces: readonly string[];
  excludeNamespaces?: readonly string[] | undefined;
  /** `referenced`: what the captured objects need; `all`; `none`. */
  clusterScoped: 'referenced' | 'all' | 'none';
  /** Only these kinds, written `Deployment`, `deployments`, `deployments.apps` or `deploy`; all when empty. */
  kinds?: readonly string[] | undefined;
  excludeKinds?: readonly string[] | undefined;
  /**
   * Only objects with these names: `NAME` or `KIND/NAME`, where the name may be a glob. Kinds that no name names are
   * taken whole, unless a name without a kind is there too.
   */
  names?: readonly string[] | undefined;
  /** No object with these names. */
  excludeNames?: readonly string[] | undefined;
  /** Only objects with these labels. */
  selector?: string | undefined;
  /** No object with these labels. */
  excludeSelector?: string | undefined;
}

export interface Selection {
  select: SnapshotSelect;
  /** Whether objects of this kind are listed at all. */
  type(type: ResourceType): boolean;
  namespace(name: string): boolean;
  /** Tells whether the name of an object of a kind fits. */
  names(type: ResourceType): (name: string) => boolean;
  /** Whether labels count at all. */
  byLabels: boolean;
  /** Whether the labels fit. */
  labels(object: KubeObject): boolean;
}

/**
 * Turns a selection into predicates.
 * @throws PraError USAGE when a label selector cannot be read.
 */
export function compileSelect(select: SnapshotSelect): Selection {
  const included = matchGlobs(select.namespaces);
  const excluded = matchGlobs(select.excludeNamespaces ?? []);
  const literal = new Set(select.namespaces);
  const wanted = parseSelector(select.selector ?? '');
  const unwanted = select.excludeSelector ? parseSelector(select.excludeSelector) : () => false;
  const byLabels = Boolean(select.selector || select.excludeSelector);
  const onlyKinds = select.kinds ?? [];
  return {
    select,
    byLabels,
    type: type =>
      isCapturable(type) &&
      (onlyKinds.length === 0 || isAmong(type, onlyKinds)) &&
      !isAmong(type, select.excludeKinds ?? []),
    namespace: name => included(name) && !excluded(name) && (!name.startsWith('kube-') || literal.has(name)),
    names: type => {
      const wanted = namesOf(type, select.names ?? []);
      const unwanted = matchGlobs(namesOf(type, select.excludeNames ?? []));
      const isWanted = wanted.length === 0 ? () => true : matchGlobs(wanted);
      return name => isWanted(name) && !unwanted(name);
    },
    labels: object => {
      if (!byLabels) return true;
      const labels = stringsAt(object, 'metadata', 'labels');
      return wanted(labels) && !unwanted(labels);
    },
  };
}

/**
 * Where lists are made: few namespaces that are named are listed each, which needs no right on the whole cluster; else the
 * whole cluster is, and then filtered.
 */
export function listScopes(
  {namespaces}: Pick<SnapshotSelect, 'namespaces'>,
  selected: readonly string[],
): (string | undefined)[] {
  const isNamed = namespaces.every(name => !/[*?]/.test(name));
  return isNamed && selected.length <= NAMESPACED_LISTS ? [...selected] : [undefined];
}

/** A kind that can be listed now and created later, and that nothing else makes again. */
function isCapturable(type: ResourceType): boolean {
  return (
    type.verbs.includes('list') &&
    type.verbs.includes('create') &&
    EXCLUDED_KINDS[groupKind(type)] === undefined
  );
}

/** The names among these that concern a kind, without the kind. */
const namesOf = (type: ResourceType, names: readonly string[]): string[] =>
  names.flatMap(text => {
    const slash = text.indexOf('/');
    if (slash < 0) return [text];
    return isAmong(type, [text.slice(0, slash)]) ? [text.slice(slash + 1)] : [];
  });

/** Compares a kind with names as people write them, in any case. */
function isAmong(type: ResourceType, names: readonly string[]): boolean {
  if (names.length === 0) return false;
  const own = [type.kind, type.plural, ...type.shortNames].flatMap(name => [name, `${name}.${type.group}`]);
  const spellings = new Set(own.map(name => name.toLowerCase()));
  return names.some(name => spellings.has(name.toLowerCase()));
}
