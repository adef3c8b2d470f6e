import type {KubeObject} from '../../src/cluster/object.ts';
import {BUSYBOX_IMAGE} from '../../src/image/busybox.ts';

const SECURE = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: {drop: ['ALL']},
};

const NAMESPACE = 'shop';

/** A web server under the restricted Pod Security Standard, on a volume, behind a Service. */
export const SHOP: KubeObject[] = [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {name: NAMESPACE, labels: {'pod-security.kubernetes.io/enforce': 'restricted'}},
  },
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {name: 'data', namespace: NAMESPACE},
    spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '10Mi'}}},
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {name: 'front', namespace: NAMESPACE},
    spec: {selector: {app: 'web'}, ports: [{port: 80, targetPort: 8080}]},
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name: 'web', namespace: NAMESPACE, labels: {app: 'web'}},
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: 'RuntimeDefault'}},
      containers: [
        {
          name: 'web',
          image: BUSYBOX_IMAGE,
          command: ['sh', '-c', 'echo open > /data/index.html && exec httpd -f -p 8080 -h /data'],
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1},
          securityContext: SECURE,
          volumeMounts: [{name: 'data', mountPath: '/data'}],
        },
      ],
      volumes: [{name: 'data', persistentVolumeClaim: {claimName: 'data'}}],
    },
  },
];

/** All privileges that there are, on the node's own network: what an attacker would wish for. */
export const PRIVILEGED: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {name: 'intruder', namespace: 'kube-system'},
  spec: {
    hostNetwork: true,
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'intruder',
        image: BUSYBOX_IMAGE,
        command: ['sleep', '1000'],
        securityContext: {privileged: true},
      },
    ],
  },
};
