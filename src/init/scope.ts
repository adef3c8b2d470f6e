import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {matchGlobs} from '../snapshot/glob.ts';
import type {Scope} from './facts.ts';

/** Namespaces of what a cluster itself is made of: the target of a drill brings its own. */
const SYSTEM = matchGlobs([
  'kube-*',
  'local-path-storage',
  'calico-*',
  'tigera-operator',
  'cilium-*',
  'metallb-system',
  'longhorn-system',
  'rook-ceph',
  'gke-*',
  'gmp-*',
  'openshift*',
  'cattle-*',
  'velero',
]);

/**
 * Chooses the namespaces of the plan: those that fit the patterns, or all that are not of the system.
 * @throws PraError USAGE when a pattern fits none, or nothing is left.
 */
export function chooseNamespaces(
  namespaces: readonly KubeObject[],
  patterns: readonly string[],
  context: string,
): Scope {
  const present = namespaces
    .filter(({metadata}) => metadata.deletionTimestamp === undefined)
    .map(({metadata}) => metadata.name)
    .sort();
  const isNamed = (name: string) => patterns.includes(name);
  const wanted = patterns.length === 0 ? present : present.filter(matchGlobs(patterns));
  const unknown = patterns.filter(pattern => !present.some(matchGlobs([pattern])));
  if (unknown.length > 0)
    throw nothing(`no namespace of ${context} is called ${unknown.join(', ')}`, present);
  const names = wanted.filter(name => isNamed(name) || !SYSTEM(name));
  if (names.length === 0) throw nothing(`${context} has no namespace but those of the system`, present);
  const leftOut = wanted.filter(name => !names.includes(name));
  return {
    include: patterns.length === 0 ? names : [...new Set(patterns)],
    // Globs never take in kube-…, so that only the others have to be said.
    exclude: patterns.length === 0 ? [] : leftOut.filter(name => !name.startsWith('kube-')),
    names,
    leftOut,
  };
}

function nothing(what: string, present: readonly string[]): PraError {
  return new PraError('USAGE', what, {
    why: `its namespaces are ${present.join(', ')}`,
    next: ['pra init --namespace NAME, as often as needed; globs such as "shop-*" are allowed'],
  });
}
