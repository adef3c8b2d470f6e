import {PraError} from '../errors.ts';
import {apiVersionOf, groupOf, type KubeObject, objectRef, type ResourceType} from './object.ts';

export interface ObjectName {
  name: string;
  namespace?: string | undefined;
}

/** The path of all objects of a kind, or of those in one namespace. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const inside = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${inside}/${type.plural}`;
}

export function objectPath(type: ResourceType, {name, namespace}: ObjectName): string {
  return `${collectionPath(type, namespace)}/${encodeURIComponent(name)}`;
}

/** An object that is known by name only, as people read it: `apps/Deployment shop/web`. */
export function nameRef(type: ResourceType, {name, namespace}: ObjectName): string {
  const metadata = type.namespaced && namespace ? {name, namespace} : {name};
  return objectRef({apiVersion: apiVersionOf(type), kind: type.kind, metadata});
}

/** Finds kinds among those that a cluster serves. */
export class ResourceMap {
  readonly types: readonly ResourceType[];
  readonly #byKind: ReadonlyMap<string, ResourceType>;

  constructor(types: readonly ResourceType[]) {
    this.types = types;
    // The first of a group comes from its preferred version.
    this.#byKind = new Map([...types].reverse().map(type => [`${type.group}/${type.kind}`, type]));
  }

  /** The kind in whichever version of its group the cluster prefers; undefined when it does not serve it. */
  find(apiVersion: string, kind: string): ResourceType | undefined {
    return this.#byKind.get(`${groupOf(apiVersion)}/${kind}`);
  }

  /** @throws PraError CLUSTER_REQUEST_FAILED when the cluster does not serve the kind of the object */
  of(object: KubeObject): ResourceType {
    const type = this.find(object.apiVersion, object.kind);
    if (type) return type;
    throw new PraError(
      'CLUSTER_REQUEST_FAILED',
      `the cluster does not serve the kind of ${objectRef(object)}`,
      {
        why: `${object.apiVersion} ${object.kind} is not among its API resources`,
        next: [
          'install the CustomResourceDefinition or the API server that provides it',
          'kubectl api-resources',
        ],
      },
    );
  }

  /** A kind as people write it, in any case: `Deployment`, `deployments`, `deployments.apps`, `deploy`. */
  named(name: string): ResourceType | undefined {
    const wanted = name.toLowerCase();
    return this.types.find(type => spellings(type).includes(wanted));
  }
}

function spellings(type: ResourceType): string[] {
  const names = [type.kind, type.plural, ...type.shortNames].map(name => name.toLowerCase());
  return [...names, ...names.map(name => `${name}.${type.group}`)];
}
