import {Flags} from '@oclif/core';
import {PraError} from '../errors.ts';
import type {NamespaceMap} from '../restore/namespace-map.ts';
import type {SnapshotSelect} from '../snapshot/select.ts';
import {repositoryFlags} from './flags.ts';

const SELECTION = 'SELECTION';
const TARGET = 'TARGET';

/** Which objects of a snapshot: the words of a plan's `source.include` and `exclude`. */
export const selectionFlags = {
  namespace: Flags.string({
    char: 'n',
    description: 'only these namespaces; * and ? stand for others',
    multiple: true,
    helpGroup: SELECTION,
  }),
  'exclude-namespace': Flags.string({description: 'not these', multiple: true, helpGroup: SELECTION}),
  kind: Flags.string({
    description: 'only these kinds, as kubectl takes them',
    multiple: true,
    helpGroup: SELECTION,
    helpValue: 'deploy',
  }),
  'exclude-kind': Flags.string({description: 'not these', multiple: true, helpGroup: SELECTION}),
  name: Flags.string({
    description: 'only objects of these names, NAME or KIND/NAME',
    multiple: true,
    helpGroup: SELECTION,
    helpValue: 'Secret/db-*',
  }),
  'exclude-name': Flags.string({description: 'not these', multiple: true, helpGroup: SELECTION}),
  selector: Flags.string({char: 'l', description: 'only objects with these labels', helpGroup: SELECTION}),
  'exclude-selector': Flags.string({description: 'not objects with these labels', helpGroup: SELECTION}),
  'cluster-scoped': Flags.option({options: ['referenced', 'all', 'none'] as const})({
    description:
      'of cluster-scoped objects: what the others need, all, or none; all when nothing is selected',
    helpGroup: SELECTION,
  }),
};

/** Where a snapshot is restored to, and how. */
export const restoreFlags = {
  ...repositoryFlags,
  ...selectionFlags,
  to: Flags.string({
    description: 'context of the cluster to restore into',
    helpGroup: TARGET,
    helpValue: 'CONTEXT',
  }),
  'to-kubeconfig': Flags.file({description: 'kubeconfig of the cluster to restore into', helpGroup: TARGET}),
  'map-namespace': Flags.string({
    description: 'restore a namespace under another name, with all that names it',
    multiple: true,
    helpGroup: TARGET,
    helpValue: 'FROM=TO',
  }),
  existing: Flags.string({
    description:
      'what becomes of objects that are there and differ: skip (default), update, recreate, prune (update, and delete what the snapshot does not have); for one kind with KIND=',
    multiple: true,
    helpGroup: TARGET,
    helpValue: '[KIND=]POLICY',
  }),
  mode: Flags.option({options: ['recover', 'drill'] as const})({
    description:
      'drill puts the guards of a drill on: nothing is published, schedules are suspended, hosts lead nowhere',
    default: 'recover' as const,
    helpGroup: TARGET,
  }),
};

export interface SelectionFlags {
  namespace?: string[] | undefined;
  'exclude-namespace'?: string[] | undefined;
  kind?: string[] | undefined;
  'exclude-kind'?: string[] | undefined;
  name?: string[] | undefined;
  'exclude-name'?: string[] | undefined;
  selector?: string | undefined;
  'exclude-selector'?: string | undefined;
  'cluster-scoped'?: 'referenced' | 'all' | 'none' | undefined;
}

/** The selection of the flags; everything when there is none. */
export function selectOfFlags(flags: SelectionFlags): SnapshotSelect {
  const isPart = [flags.namespace, flags.kind, flags.name, flags.selector].some(
    flag => flag !== undefined && flag.length > 0,
  );
  return {
    namespaces: flags.namespace ?? ['*'],
    excludeNamespaces: flags['exclude-namespace'],
    clusterScoped: flags['cluster-scoped'] ?? (isPart ? 'referenced' : 'all'),
    kinds: flags.kind,
    excludeKinds: flags['exclude-kind'],
    names: flags.name,
    excludeNames: flags['exclude-name'],
    selector: flags.selector,
    excludeSelector: flags['exclude-selector'],
  };
}

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** @throws PraError USAGE for what is not FROM=TO, or no name of a namespace */
export function parseNamespaceMap(texts: readonly string[]): NamespaceMap {
  return Object.fromEntries(
    texts.map(text => {
      const [from = '', to = '', ...more] = text.split('=');
      if (more.length > 0 || !NAME.test(from) || !NAME.test(to))
        throw new PraError('USAGE', `--map-namespace ${text} is not FROM=TO`, {
          next: ['such as --map-namespace shop=shop-copy'],
        });
      return [from, to];
    }),
  );
}
