import type {Labels} from '../snapshot/selector.ts';

/** What `pra init` learns about a cluster. Values of Secrets and of variables that hold passwords are never among it. */
export interface ClusterFacts {
  /** UID of the namespace kube-system. */
  clusterUID: string;
  scope: Scope;
  workloads: readonly WorkloadFact[];
  claims: readonly ClaimFact[];
  webServices: readonly WebServiceFact[];
  customResources: readonly CustomResourceFact[];
  dsns: readonly DsnFact[];
  /** Kinds that the cluster serves and whose objects their controllers make again. */
  remadeKinds: readonly string[];
  /** What could not be read, each as a sentence. */
  unread: readonly string[];
}

/** Namespaces of the plan. */
export interface Scope {
  /** As the plan has them: names or globs. */
  include: readonly string[];
  exclude: readonly string[];
  /** The namespaces that these mean now. */
  names: readonly string[];
  /** Namespaces that belong to the cluster and not to its applications. */
  leftOut: readonly string[];
}

/** Something that makes pods. */
export interface WorkloadFact {
  kind: string;
  namespace: string;
  name: string;
  /** Undefined where pods are not counted. */
  replicas: number | undefined;
  labels: Labels;
  podLabels: Labels;
  /** Labels by which it finds its pods. */
  matchLabels: Labels;
  containers: readonly ContainerFact[];
  /** Names of the claims that its pods mount. */
  claims: readonly string[];
}

export interface ContainerFact {
  name: string;
  image: string;
  /** By name; undefined where the value is not in the pod itself. */
  env: ReadonlyMap<string, string | undefined>;
  /** Whether it has variables whose names are elsewhere. */
  hasEnvFrom: boolean;
  mountsClaim: boolean;
  ports: readonly PortFact[];
  readiness: {path: string; port: string} | undefined;
}

export interface PortFact {
  name: string;
  number: number;
}

export interface ClaimFact {
  namespace: string;
  name: string;
  size: string;
  labels: Labels;
}

/** A Service that speaks HTTP, as far as can be seen. */
export interface WebServiceFact {
  namespace: string;
  name: string;
  port: number;
  scheme: 'http' | 'https';
  path: string;
  /** What says that it speaks HTTP. */
  reason: string;
}

/** Custom resources of one kind in one namespace. */
export interface CustomResourceFact {
  /** `plural.group` */
  kind: string;
  plural: string;
  namespace: string;
  count: number;
}

/** A Secret that holds the DSN of a PostgreSQL database of the plan. */
export interface DsnFact {
  /** `namespace/name#key` */
  secretRef: string;
  namespace: string;
  /** `namespace/name` of the Service of the database. */
  service: string;
  database: string;
  /** `namespace/kind/name` of the workload behind the Service, if it was found. */
  workload: string | undefined;
}

/** `shop/Deployment/web` */
export const workloadKey = ({namespace, kind, name}: Pick<WorkloadFact, 'namespace' | 'kind' | 'name'>) =>
  `${namespace}/${kind}/${name}`;
