import type {Json} from '../std/json.ts';

/** Says which object owns another, so that the garbage collector removes it with its owner. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Metadata of an object; fields that pra does not name are kept as they are. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  [field: string]: unknown;
}

/** Any object of the Kubernetes API, as it goes over the wire. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: {[field: string]: Json};
  status?: {[field: string]: Json};
  [field: string]: unknown;
}

/** A kind as the API server serves it. The group of core kinds is the empty string. */
export interface ResourceType {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  verbs: string[];
  shortNames: string[];
}

/** `v1` or `apps/v1`, as written in apiVersion. */
export function apiVersionOf(type: Pick<ResourceType, 'group' | 'version'>): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** The group of an apiVersion; empty for core kinds. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? '' : apiVersion.slice(0, slash);
}

/** How people read an object in errors and reports: `apps/Deployment shop/web`, `Namespace shop`. */
export function objectRef(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): string {
  const group = groupOf(object.apiVersion);
  const {name, namespace} = object.metadata;
  return `${group === '' ? '' : `${group}/`}${object.kind} ${namespace ? `${namespace}/` : ''}${name}`;
}
