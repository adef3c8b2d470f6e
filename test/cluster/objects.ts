import type {KubeObject} from '../../src/cluster/object.ts';

/** Objects that tests of the cluster write. */
export const namespaceObject = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {name},
});

export const configMap = (
  namespace: string,
  name: string,
  data: Record<string, string> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {name, namespace},
  data,
});
