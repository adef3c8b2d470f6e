import type {ClaimFact, ClusterFacts, ContainerFact, WorkloadFact} from '../../src/init/facts.ts';

/** Facts of a cluster as tests want them. */
export const container = (image: string, rest: Partial<ContainerFact> = {}): ContainerFact => ({
  name: 'main',
  image,
  env: new Map(),
  hasEnvFrom: false,
  mountsClaim: true,
  ports: [],
  readiness: undefined,
  ...rest,
});

export const workload = (
  name: string,
  containers: ContainerFact[],
  rest: Partial<WorkloadFact> = {},
): WorkloadFact => ({
  kind: 'StatefulSet',
  namespace: 'shop',
  name,
  replicas: 1,
  labels: {app: name},
  podLabels: {app: name},
  matchLabels: {app: name},
  containers,
  claims: [],
  ...rest,
});

export const claim = (name: string, labels: Record<string, string> = {}, namespace = 'shop'): ClaimFact => ({
  namespace,
  name,
  size: '1Gi',
  labels,
});

export const cluster = (facts: Partial<ClusterFacts> = {}): ClusterFacts => ({
  clusterUID: '00000000-0000-0000-0000-000000000001',
  scope: {include: ['shop'], exclude: [], names: ['shop'], leftOut: ['kube-system']},
  workloads: [],
  claims: [],
  webServices: [],
  customResources: [],
  dsns: [],
  remadeKinds: [],
  unread: [],
  ...facts,
});
