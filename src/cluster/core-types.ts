import type {ResourceType} from './object.ts';

const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

function core(groupVersion: string, kind: string, plural: string, namespaced = true): ResourceType {
  const [version = '', group = ''] = groupVersion.split('/').reverse();
  return {group, version, kind, plural, namespaced, verbs: VERBS, shortNames: []};
}

/** Kinds that every supported cluster serves in this version, so that they need no discovery. */
export const CORE_TYPES = {
  Namespace: core('v1', 'Namespace', 'namespaces', false),
  Node: core('v1', 'Node', 'nodes', false),
  Pod: core('v1', 'Pod', 'pods'),
  Service: core('v1', 'Service', 'services'),
  ServiceAccount: core('v1', 'ServiceAccount', 'serviceaccounts'),
  Secret: core('v1', 'Secret', 'secrets'),
  ConfigMap: core('v1', 'ConfigMap', 'configmaps'),
  Event: core('v1', 'Event', 'events'),
  PersistentVolume: core('v1', 'PersistentVolume', 'persistentvolumes', false),
  PersistentVolumeClaim: core('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  Deployment: core('apps/v1', 'Deployment', 'deployments'),
  StatefulSet: core('apps/v1', 'StatefulSet', 'statefulsets'),
  DaemonSet: core('apps/v1', 'DaemonSet', 'daemonsets'),
  ReplicaSet: core('apps/v1', 'ReplicaSet', 'replicasets'),
  Job: core('batch/v1', 'Job', 'jobs'),
  CronJob: core('batch/v1', 'CronJob', 'cronjobs'),
  EndpointSlice: core('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  Ingress: core('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  StorageClass: core('storage.k8s.io/v1', 'StorageClass', 'storageclasses', false),
  CustomResourceDefinition: core(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    false,
  ),
  APIService: core('apiregistration.k8s.io/v1', 'APIService', 'apiservices', false),
} as const satisfies Record<string, ResourceType>;
