import type {KubeObject} from '../cluster/object.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import type {JsonObject} from '../std/json.ts';
import {arrayAt, at, stringAt} from '../std/json-at.ts';

/** Something that an object names and cannot do without. */
export interface ObjectReference {
  /** As kubectl writes it: `Secret`, `Role.rbac.authorization.k8s.io`. */
  kind: string;
  namespace?: string | undefined;
  name: string;
  /** Without it pods do not start (true), or a part of the object has no effect (false). */
  essential: boolean;
}

/** Everything in the snapshot that an object names: what its pods mount and run as, and what it points at. */
export function referencesOf(object: KubeObject): ObjectReference[] {
  const template = podSpecIn(object);
  const namespace = object.metadata.namespace;
  return [
    ...(template ? podReferences(template, namespace) : []),
    ...(BY_KIND[groupKindOf(object)]?.(object, namespace) ?? []),
  ].filter(reference => reference.name !== '');
}

function podReferences(spec: JsonObject, namespace: string | undefined): ObjectReference[] {
  const found: ObjectReference[] = [];
  const need = (kind: string, name: string | undefined, optional: unknown = false) => {
    if (name !== undefined && optional !== true) found.push({kind, namespace, name, essential: true});
  };
  for (const volume of arrayAt(spec, 'volumes')) {
    need('Secret', stringAt(volume, 'secret', 'secretName'), at(volume, 'secret', 'optional'));
    need('ConfigMap', stringAt(volume, 'configMap', 'name'), at(volume, 'configMap', 'optional'));
    need('PersistentVolumeClaim', stringAt(volume, 'persistentVolumeClaim', 'claimName'));
    for (const source of arrayAt(volume, 'projected', 'sources')) {
      need('Secret', stringAt(source, 'secret', 'name'), at(source, 'secret', 'optional'));
      need('ConfigMap', stringAt(source, 'configMap', 'name'), at(source, 'configMap', 'optional'));
    }
  }
  for (const container of [...arrayAt(spec, 'initContainers'), ...arrayAt(spec, 'containers')]) {
    for (const source of arrayAt(container, 'envFrom')) {
      need('Secret', stringAt(source, 'secretRef', 'name'), at(source, 'secretRef', 'optional'));
      need('ConfigMap', stringAt(source, 'configMapRef', 'name'), at(source, 'configMapRef', 'optional'));
    }
    for (const variable of arrayAt(container, 'env')) {
      const from = at(variable, 'valueFrom');
      need('Secret', stringAt(from, 'secretKeyRef', 'name'), at(from, 'secretKeyRef', 'optional'));
      need('ConfigMap', stringAt(from, 'configMapKeyRef', 'name'), at(from, 'configMapKeyRef', 'optional'));
    }
  }
  for (const pull of arrayAt(spec, 'imagePullSecrets')) {
    found.push({kind: 'Secret', namespace, name: stringAt(pull, 'name') ?? '', essential: false});
  }
  need('ServiceAccount', stringAt(spec, 'serviceAccountName'));
  const clusterWide = (kind: string, name: string | undefined) => {
    if (name !== undefined) found.push({kind, name, essential: true});
  };
  clusterWide('PriorityClass.scheduling.k8s.io', stringAt(spec, 'priorityClassName'));
  clusterWide('RuntimeClass.node.k8s.io', stringAt(spec, 'runtimeClassName'));
  return found;
}

type Finder = (object: KubeObject, namespace: string | undefined) => ObjectReference[];

const useful = (kind: string, namespace: string | undefined, name: string | undefined): ObjectReference[] =>
  name === undefined ? [] : [{kind, namespace, name, essential: false}];

const roleRef: Finder = (object, namespace) => {
  const kind = stringAt(object, 'roleRef', 'kind');
  const name = stringAt(object, 'roleRef', 'name');
  return useful(`${kind}.rbac.authorization.k8s.io`, kind === 'ClusterRole' ? undefined : namespace, name);
};

/** What kinds without pods point at. */
const BY_KIND: Readonly<Record<string, Finder>> = {
  'RoleBinding.rbac.authorization.k8s.io': roleRef,
  'ClusterRoleBinding.rbac.authorization.k8s.io': roleRef,
  'HorizontalPodAutoscaler.autoscaling': (object, namespace) => {
    const target = at(object, 'spec', 'scaleTargetRef');
    const version = stringAt(target, 'apiVersion') ?? 'v1';
    const kind = groupKindOf({
      apiVersion: version,
      kind: stringAt(target, 'kind') ?? '',
      metadata: {name: ''},
    });
    return useful(kind, namespace, stringAt(target, 'name'));
  },
  'StatefulSet.apps': (object, namespace) =>
    useful('Service', namespace, stringAt(object, 'spec', 'serviceName')),
  'Ingress.networking.k8s.io': (object, namespace) => [
    ...[at(object, 'spec', 'defaultBackend'), ...ingressBackends(object)].flatMap(backend =>
      useful('Service', namespace, stringAt(backend, 'service', 'name')),
    ),
    ...arrayAt(object, 'spec', 'tls').flatMap(entry =>
      useful('Secret', namespace, stringAt(entry, 'secretName')),
    ),
    ...useful('IngressClass.networking.k8s.io', undefined, stringAt(object, 'spec', 'ingressClassName')),
  ],
};

const ingressBackends = (object: KubeObject) =>
  arrayAt(object, 'spec', 'rules').flatMap(rule =>
    arrayAt(rule, 'http', 'paths').map(path => at(path, 'backend')),
  );
