import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import type {KubeObject} from '../../../src/cluster/object.ts';
import {at} from '../../../src/std/json-at.ts';
import {place, RestoreBed, type RestoreCase, type RestoredCase} from './bed.ts';

/** restore-rules.md, "Stripped and kept" and "Per kind": a row for each behaviour, on real API servers. */

vi.setConfig({testTimeout: 900_000, hookTimeout: 900_000});

let bed: RestoreBed;
beforeAll(async () => {
  bed = await RestoreBed.start();
});
afterAll(() => bed?.stop());

interface Row extends RestoreCase {
  rule: string;
  check(result: RestoredCase): Promise<void> | void;
}

const rows = (table: readonly (() => Row)[]) =>
  table.map(row => {
    const made = row();
    return [made.rule, made] as const;
  });

const run = async (_: string, row: Row) => row.check(await bed.restore(row));

const outcomeOf = ({outcomes}: RestoredCase, kind: string, name: string) =>
  outcomes.find(({ref}) => ref.split('/').at(-1) === name && ref.includes(`${kind} `))?.outcome;
const skippedOf = ({plan}: RestoredCase) => plan.skipped.map(({kind, reason}) => `${kind}: ${reason}`);
const reasonsOf = ({plan}: RestoredCase) => plan.changes.map(({reason}) => reason);

describe('stripped and kept', () => {
  test.each(
    rows([
      () => {
        const {namespace, config} = place();
        const object = config('plain', {
          data: {a: '1'},
          metadata: {labels: {team: 'a'}, annotations: {note: 'kept'}, finalizers: ['example.com/hold']},
        });
        return {
          rule: 'uid, resourceVersion, generation, times, managedFields and status are the target’s; labels, annotations and finalizers stay, no label is added',
          given: [namespace(), object],
          async check({messages}) {
            const {metadata, data} = await bed.need(object);
            expect(metadata).toMatchObject(object.metadata);
            expect(Object.keys(metadata.labels ?? {})).toEqual(['team']);
            expect(Object.keys(metadata.annotations ?? {})).toEqual(['note']);
            expect(data).toEqual({a: '1'});
            const managers = JSON.stringify(at(await bed.need(object), 'metadata', 'managedFields'));
            expect(managers).toContain('"manager":"pra"');
            expect(messages.join('\n')).toContain('keeps the finalizers example.com/hold');
          },
        };
      },
      () => {
        const {ns, namespace, config, kind} = place();
        const {definition, make} = kind('Owner');
        const owned = config('owned', {
          metadata: {
            ownerReferences: [
              {apiVersion: `${ns}.example/v1`, kind: 'Owner', name: 'first', uid: 'of-the-source'},
            ],
          },
        });
        return {
          rule: 'ownerReferences get the new UIDs, also along a chain',
          given: [definition, namespace(), make('first'), make('second')],
          raw: [
            owned,
            make('third', {
              metadata: {
                ownerReferences: [{apiVersion: 'v1', kind: 'ConfigMap', name: 'owned', uid: 'of-the-source'}],
              },
            }),
          ],
          async check({outcomes}) {
            expect(outcomes.filter(({outcome}) => outcome === 'failed')).toEqual([]);
            const first = await bed.need(make('first'));
            const middle = await bed.need(owned);
            const last = await bed.need(make('third'));
            expect(middle.metadata.ownerReferences?.map(({uid}) => uid)).toEqual([first.metadata.uid]);
            expect(last.metadata.ownerReferences?.map(({uid}) => uid)).toEqual([middle.metadata.uid]);
          },
        };
      },
      () => {
        const {namespace, config} = place();
        const owned = config('orphan', {
          metadata: {ownerReferences: [{apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'x'}]},
        });
        return {
          rule: 'an owner that does not come back is dropped, with a finding',
          given: [namespace()],
          raw: [owned],
          async check({messages}) {
            expect((await bed.need(owned)).metadata.ownerReferences).toBeUndefined();
            expect(messages.join('\n')).toMatch(/owner/);
          },
        };
      },
      () => {
        const {namespace, config} = place();
        const annotations = {'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"a":"1"}}'};
        const [altered, untouched] = ['altered', 'untouched'].map(name =>
          config(name, {data: {a: '1'}, metadata: {annotations}}),
        );
        if (!altered || !untouched) throw new Error('two objects');
        return {
          rule: 'what kubectl last applied is dropped from what a transform altered, and stays elsewhere',
          given: [namespace(), altered, untouched],
          policy: {transforms: [{match: {name: 'altered'}, merge: {data: {a: '2'}}}]},
          async check() {
            expect((await bed.need(altered)).metadata.annotations).toBeUndefined();
            expect((await bed.need(untouched)).metadata.annotations).toEqual(annotations);
          },
        };
      },
    ]),
  )('%s', run);
});

describe('Service', () => {
  test.each(
    rows([
      () => {
        const {namespace, service} = place();
        const object = service('web', {clusterIP: '10.96.77.77'});
        return {
          rule: 'the cluster IP is the target’s',
          given: [namespace(), object],
          async check(result) {
            const {spec} = await bed.need(object);
            expect(spec?.clusterIP).toBeTruthy();
            expect(reasonsOf(result)).toContain('the target allots a cluster IP of its own');
          },
        };
      },
      () => {
        const {namespace, service} = place();
        const object = service('headless', {clusterIP: 'None'});
        return {
          rule: 'headless stays headless',
          given: [namespace(), object],
          async check() {
            expect((await bed.need(object)).spec?.clusterIP).toBe('None');
          },
        };
      },
      () => {
        const {namespace, service} = place();
        const object = service('node', {type: 'NodePort', ports: [{port: 80, nodePort: 30_101}]});
        return {
          rule: 'a node port is kept on a fresh target',
          given: [namespace(), object],
          async check() {
            expect(at((await bed.need(object)).spec, 'ports')).toMatchObject([{nodePort: 30_101}]);
          },
        };
      },
      () => {
        const {namespace, service} = place();
        const other = place();
        const object = service('node', {type: 'NodePort', ports: [{port: 80, nodePort: 30_102}]});
        const holder = other.service('holder', {type: 'NodePort', ports: [{port: 80, nodePort: 30_102}]});
        return {
          rule: 'a node port that is taken is found by the preview, and another one is allotted',
          given: [namespace(), object],
          there: [other.namespace(), holder],
          async check({messages}) {
            expect(messages.join('\n')).toContain(`node port 30102 is taken by Service ${other.ns}/holder`);
            const ports = at((await bed.need(object)).spec, 'ports');
            expect(JSON.stringify(ports)).not.toContain('30102');
          },
        };
      },
      () => {
        const {namespace, service} = place();
        const object = service('public', {type: 'LoadBalancer'});
        return {
          rule: 'that a load balancer gets a new address is told, for DNS',
          given: [namespace(), object],
          async check({messages}) {
            expect((await bed.need(object)).spec?.type).toBe('LoadBalancer');
            expect(messages.join('\n')).toContain('the load balancer gets a new address: DNS has to follow');
          },
        };
      },
      () => {
        const {namespace, object} = place();
        const external = object('v1', 'Service', 'elsewhere', {
          spec: {type: 'ExternalName', externalName: 'db.example.com'},
        });
        return {
          rule: 'an external name comes back as it is',
          given: [namespace(), external],
          async check() {
            expect((await bed.need(external)).spec).toMatchObject({
              type: 'ExternalName',
              externalName: 'db.example.com',
            });
          },
        };
      },
    ]),
  )('%s', run);
});

describe('ServiceAccount and Secret', () => {
  test.each(
    rows([
      () => {
        const {namespace, object} = place();
        const account = object('v1', 'ServiceAccount', 'default', {
          automountServiceAccountToken: false,
          imagePullSecrets: [{name: 'registry'}],
          metadata: {annotations: {team: 'a'}},
        });
        return {
          rule: 'an existing default account is merged with, automount and pull secrets included',
          given: [namespace(), account],
          there: [namespace(), object('v1', 'ServiceAccount', 'default')],
          existing: ['skip'],
          async check() {
            expect(await bed.need(account)).toMatchObject({
              automountServiceAccountToken: false,
              imagePullSecrets: [{name: 'registry'}],
              metadata: {annotations: {team: 'a'}},
            });
          },
        };
      },
      () => {
        const {namespace, object} = place();
        const account = object('v1', 'ServiceAccount', 'cloud', {
          metadata: {annotations: {'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/shop'}},
        });
        return {
          rule: 'annotations that bind a cloud role are reported',
          given: [namespace(), account],
          async check({messages}) {
            expect(messages.join('\n')).toContain('bound to a cloud role by eks.amazonaws.com/role-arn');
            expect((await bed.need(account)).metadata.annotations).toBeDefined();
          },
        };
      },
      ...(
        [
          ['Opaque', {password: 'aHVudGVyMg=='}],
          ['kubernetes.io/tls', {'tls.crt': 'eA==', 'tls.key': 'eA=='}],
          ['kubernetes.io/dockerconfigjson', {'.dockerconfigjson': 'e30='}],
          ['helm.sh/release.v1', {release: 'eA=='}],
        ] as const
      ).map(([type, data]) => () => {
        const {namespace, object} = place();
        const secret = object('v1', 'Secret', 'kept', {type, data});
        return {
          rule: `a Secret of type ${type} comes back as it is`,
          given: [namespace(), secret],
          async check() {
            expect(await bed.need(secret)).toMatchObject({type, data});
          },
        };
      }),
    ]),
  )('%s', run);

  test('cert-manager’s Secrets are there before its Certificates', async () => {
    const {namespace, object, kind} = place();
    const {definition, make} = kind('Certificate');
    const secret = object('v1', 'Secret', 'tls-web', {
      type: 'kubernetes.io/tls',
      data: {'tls.crt': 'eA==', 'tls.key': 'eA=='},
    });
    const {written} = await bed.restore({
      given: [definition, namespace(), make('web', {spec: {secretName: 'tls-web'}}), secret],
    });
    const order = written.map(ref => ref.split('/').at(-1));
    expect(order.indexOf('tls-web')).toBeLessThan(order.indexOf('web'));
  });
});

describe('volumes', () => {
  const disk = (name: string, claim: KubeObject): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {name},
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: {storage: '1Gi'},
      claimRef: {namespace: claim.metadata.namespace ?? '', name: claim.metadata.name},
      csi: {driver: 'example.com', volumeHandle: 'disk-of-production'},
    },
  });
  const storageClass = (name: string, isDefault = false): KubeObject => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: {
      name,
      ...(isDefault ? {annotations: {'storageclass.kubernetes.io/is-default-class': 'true'}} : {}),
    },
    provisioner: 'example.com/disk',
  });

  test.each(
    rows([
      () => {
        const {ns, namespace, claim} = place();
        const object = claim(
          'data',
          {volumeName: `pv-${ns}`, dataSource: {kind: 'PersistentVolumeClaim', name: 'other'}},
          {
            annotations: {
              'pv.kubernetes.io/bind-completed': 'yes',
              'pv.kubernetes.io/bound-by-controller': 'yes',
              'volume.kubernetes.io/selected-node': 'node-1',
            },
          },
        );
        return {
          rule: 'a claim comes back unbound: bind annotations, selected node, volume name and data source are cleared',
          given: [namespace()],
          raw: [object],
          async check() {
            const {metadata, spec} = await bed.need(object);
            expect(metadata.annotations).toBeUndefined();
            expect(spec?.volumeName).toBeUndefined();
            expect(spec?.dataSource).toBeUndefined();
          },
        };
      },
      ...(['recover', 'drill'] as const).map(mode => () => {
        const {ns, namespace, claim} = place();
        const object = claim('data');
        const volume = disk(`disk-${ns}`, object);
        return {
          rule: `a PersistentVolume with the source’s disk is never made again (${mode})`,
          mode,
          given: [namespace(), object, volume],
          async check(result: RestoredCase) {
            expect(await bed.live(volume)).toBeUndefined();
            expect(skippedOf(result).join('\n')).toContain('PersistentVolume: it names a disk of the source');
          },
        };
      }),
      () => {
        const {ns, namespace, claim} = place();
        return {
          rule: 'a claim whose data nobody saved is an error of the preview, by name',
          given: [namespace(), claim('data')],
          volumes: [],
          check({messages}) {
            expect(messages.join('\n')).toMatch(new RegExp(`^error: .*holds no data of .*${ns}/data`, 'm'));
          },
        };
      },
      () => {
        const {namespace, claim} = place();
        const object = claim('data', {storageClassName: 'premium'});
        return {
          rule: 'a storage class is mapped by the plan, and one that the target lacks is an error',
          given: [namespace(), object],
          policy: {storageClasses: {premium: 'none-such'}},
          check({messages}) {
            expect(messages.join('\n')).toContain(
              'the plan maps storage class premium to none-such, which the target does not have',
            );
          },
        };
      },
      () => {
        const {namespace, claim} = place();
        const object = claim('data', {storageClassName: 'premium'});
        return {
          rule: 'without class and default of the target a claim is an error that says what to do',
          given: [namespace(), object],
          check({messages}) {
            expect(messages.join('\n')).toContain('map it under target.requires.storageClasses');
          },
        };
      },
      () => {
        const {namespace, claim} = place();
        const object = claim('data', {storageClassName: 'premium'});
        return {
          rule: 'a storage class that the target lacks becomes its default, with a finding',
          given: [namespace(), object],
          there: [storageClass('standard', true)],
          async check({messages}) {
            expect((await bed.need(object)).spec?.storageClassName).toBe('standard');
            expect(messages.join('\n')).toContain(
              'the target has no storage class premium: its default standard is used',
            );
          },
        };
      },
      () => {
        const {namespace, claim} = place();
        const object = claim('data', {storageClassName: 'premium'});
        return {
          rule: 'a storage class is the one that the plan maps it to',
          given: [namespace(), object],
          there: [storageClass('gold')],
          policy: {storageClasses: {premium: 'gold'}},
          async check() {
            expect((await bed.need(object)).spec?.storageClassName).toBe('gold');
          },
        };
      },
    ]),
  )('%s', run);
});

describe('workloads', () => {
  const set = ({workload}: ReturnType<typeof place>, storageClassName?: string) =>
    workload('StatefulSet', 'db', {
      serviceName: 'db',
      podManagementPolicy: 'OrderedReady',
      volumeClaimTemplates: [
        {
          metadata: {name: 'data'},
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: {requests: {storage: '1Gi'}},
            ...(storageClassName === undefined ? {} : {storageClassName}),
          },
        },
      ],
    });

  test.each(
    rows([
      () => {
        const made = place();
        const object = set(made);
        return {
          rule: 'the claims of a StatefulSet come before it, and OrderedReady stays',
          given: [made.namespace(), object, made.claim('data-db-0'), made.claim('data-db-1')],
          async check({written}) {
            const order = written.map(ref => ref.split('/').at(-1));
            expect(order.indexOf('data-db-1')).toBeLessThan(order.indexOf('db'));
            expect((await bed.need(object)).spec).toMatchObject({
              podManagementPolicy: 'OrderedReady',
              replicas: 2,
            });
          },
        };
      },
      () => {
        const made = place();
        const object = set(made, 'premium');
        return {
          rule: 'the storage class of claim templates is mapped',
          given: [made.namespace(), object],
          policy: {storageClasses: {premium: 'gold'}},
          async check() {
            expect(JSON.stringify(at((await bed.need(object)).spec, 'volumeClaimTemplates'))).toContain(
              '"gold"',
            );
          },
        };
      },
      () => {
        const {namespace, workload} = place();
        const [web, agent, idle] = [
          workload('Deployment', 'web', {replicas: 3}),
          workload('DaemonSet', 'agent'),
          workload('Deployment', 'idle', {replicas: 0}),
        ];
        return {
          rule: 'in a recovery without groups workloads come back as they were',
          given: [namespace(), web, agent, idle],
          async check() {
            expect((await bed.need(web)).spec?.replicas).toBe(3);
            expect((await bed.need(idle)).spec?.replicas).toBe(0);
            expect(at((await bed.need(agent)).spec, 'template', 'spec', 'nodeSelector')).toBeUndefined();
          },
        };
      },
      () => {
        const {namespace, workload} = place();
        const [web, agent] = [workload('Deployment', 'web', {replicas: 3}), workload('DaemonSet', 'agent')];
        return {
          rule: 'at rest, replicas are kept in an annotation, and a DaemonSet fits no node',
          mode: 'drill',
          given: [namespace(), web, agent],
          async check({plan}) {
            const live = await bed.need(web);
            expect(live.spec?.replicas).toBe(0);
            expect(JSON.stringify(live.metadata.annotations)).toContain('3');
            const selector = at((await bed.need(agent)).spec, 'template', 'spec', 'nodeSelector');
            expect(Object.keys(Object(selector))).toHaveLength(1);
            expect(plan.groups.flatMap(group => group.workloads).map(({replicas}) => replicas)).toContain(3);
          },
        };
      },
      () => {
        const {namespace, job} = place();
        const object = job('import');
        return {
          rule: 'a Job that had not ended comes back with selector and labels of its own',
          given: [namespace(), object],
          async check(result) {
            const {metadata, spec} = await bed.need(object);
            expect(at(spec, 'selector', 'matchLabels', 'batch.kubernetes.io/controller-uid')).toBe(
              metadata.uid,
            );
            expect(reasonsOf(result)).toContain('made from the UID of the new Job');
          },
        };
      },
      ...(['drill', 'recover'] as const).map(mode => () => {
        const {namespace, object} = place();
        const spec = {
          schedule: '0 3 * * *',
          jobTemplate: {
            spec: {
              template: {spec: {restartPolicy: 'Never', containers: [{name: 'm', image: 'localhost/a:1'}]}},
            },
          },
        };
        const [running, paused] = [
          object('batch/v1', 'CronJob', 'mail', {spec}),
          object('batch/v1', 'CronJob', 'paused', {spec: {...spec, suspend: true}}),
        ];
        return {
          rule: `a CronJob ${mode === 'drill' ? 'is suspended' : 'goes on'} in ${mode === 'drill' ? 'a drill' : 'a recovery'}, and one that was suspended stays so`,
          mode,
          given: [namespace(), running, paused],
          async check() {
            expect((await bed.need(running)).spec?.suspend).toBe(mode === 'drill');
            expect((await bed.need(paused)).spec?.suspend).toBe(true);
          },
        };
      }),
      () => {
        const {namespace, object} = place();
        const pod = object('v1', 'Pod', 'bare', {
          spec: {
            nodeName: 'node-of-the-source',
            containers: [
              {
                name: 'main',
                image: 'localhost/app:1',
                volumeMounts: [{name: 'kube-api-access-x', mountPath: '/token'}],
              },
            ],
            volumes: [{name: 'kube-api-access-x', emptyDir: {}}],
          },
        });
        return {
          rule: 'a pod without an owner comes back free of its node and of the token volume of the source',
          given: [namespace()],
          raw: [pod],
          async check() {
            const {spec} = await bed.need(pod);
            expect(spec?.nodeName).toBeUndefined();
            expect(JSON.stringify(spec)).not.toContain('kube-api-access-x');
          },
        };
      },
    ]),
  )('%s', run);
});

describe('definitions and admission', () => {
  const hooked = (service: JsonService, caBundle?: string) => ({
    conversion: {
      strategy: 'Webhook',
      webhook: {
        conversionReviewVersions: ['v1'],
        clientConfig: {service: {...service, port: 443}, ...(caBundle === undefined ? {} : {caBundle})},
      },
    },
  });
  interface JsonService {
    namespace: string;
    name: string;
  }
  const PEM = Buffer.from(
    '-----BEGIN CERTIFICATE-----\nMIIBZTCCAQugAwIBAgIUYQ==\n-----END CERTIFICATE-----\n',
  ).toString('base64');

  test.each(
    rows([
      () => {
        const {ns, namespace, service, kind} = place();
        const {definition, make} = kind('Cart', hooked({namespace: ns, name: 'hook'}));
        return {
          rule: 'a conversion webhook is off while its objects are written, then put back, and told',
          given: [definition, namespace(), service('hook')],
          raw: [make('first')],
          async check(result) {
            expect(result.summary.failures).toEqual([]);
            expect(await bed.live(make('first'))).toBeDefined();
            expect(at((await bed.need(definition)).spec, 'conversion', 'strategy')).toBe('Webhook');
            expect(reasonsOf(result).join('\n')).toContain('its conversion webhook is put back');
          },
        };
      },
      () => {
        const {kind} = place();
        const {definition} = kind('Old');
        const versions = [
          {name: 'v1', served: true, storage: true, schema: {openAPIV3Schema: {type: 'object'}}},
        ];
        const old = {...definition, spec: {...definition.spec, versions, preserveUnknownFields: true}};
        return {
          rule: 'preserveUnknownFields, which a new definition may not have, is said per version',
          raw: [old],
          async check(result) {
            expect(result.summary.failures).toEqual([]);
            expect(JSON.stringify((await bed.need(definition)).spec)).toContain(
              '"x-kubernetes-preserve-unknown-fields":true',
            );
          },
        };
      },
      () => {
        const {ns, namespace, service, object} = place();
        const configuration = object(
          'admissionregistration.k8s.io/v1',
          'ValidatingWebhookConfiguration',
          `hooks-${ns}`,
          {
            metadata: {annotations: {'cert-manager.io/inject-ca-from': `${ns}/ca`}},
            webhooks: [
              {
                name: 'a.example.com',
                failurePolicy: 'Fail',
                sideEffects: 'None',
                admissionReviewVersions: ['v1'],
                clientConfig: {service: {namespace: ns, name: 'hook'}, caBundle: PEM},
                rules: [
                  {apiGroups: ['none.example'], apiVersions: ['*'], operations: ['*'], resources: ['x']},
                ],
              },
            ],
          },
        );
        return {
          rule: 'the CA of a webhook is left to its injector',
          given: [namespace(), service('hook'), configuration],
          async check() {
            expect(JSON.stringify(await bed.need(configuration))).not.toContain('caBundle":"');
          },
        };
      },
      () => {
        const {ns, namespace, service, kind} = place();
        const {definition} = kind('Injected', hooked({namespace: ns, name: 'hook'}, PEM));
        const annotations = {'cert-manager.io/inject-ca-from': `${ns}/ca`};
        const injected = {...definition, metadata: {...definition.metadata, annotations}};
        return {
          rule: 'the CA of a conversion webhook is left to its injector',
          given: [namespace(), service('hook')],
          raw: [injected],
          async check(result) {
            expect(result.summary.failures).toEqual([]);
            const {spec} = await bed.need(definition);
            expect(at(spec, 'conversion', 'strategy')).toBe('Webhook');
            expect(at(spec, 'conversion', 'webhook', 'clientConfig', 'caBundle')).toBeUndefined();
          },
        };
      },
      () => {
        const {ns, namespace, object} = place();
        const configuration = object(
          'admissionregistration.k8s.io/v1',
          'MutatingWebhookConfiguration',
          `orphan-${ns}`,
          {
            webhooks: [
              {
                name: 'a.example.com',
                failurePolicy: 'Fail',
                sideEffects: 'None',
                admissionReviewVersions: ['v1'],
                clientConfig: {service: {namespace: ns, name: 'absent'}},
                rules: [
                  {apiGroups: ['none.example'], apiVersions: ['*'], operations: ['*'], resources: ['x']},
                ],
              },
            ],
          },
        );
        return {
          rule: 'a blocking webhook whose backend does not come back is an error of the preview',
          given: [namespace(), configuration],
          check({messages}) {
            expect(messages.join('\n')).toContain(
              `its backend, Service ${ns}/absent, is not in the snapshot: with failurePolicy Fail`,
            );
          },
        };
      },
    ]),
  )('%s', run);
});

describe('namespaces and versions', () => {
  test('namespace mapping covers metadata, subjects, bindings that would collide, and webhook references', async () => {
    const {ns, namespace, object, service, config} = place();
    const rbac = 'rbac.authorization.k8s.io';
    const account = object('v1', 'ServiceAccount', 'operator');
    const role = object(`${rbac}/v1`, 'ClusterRole', `role-${ns}`, {rules: []});
    const subjects = [{kind: 'ServiceAccount', namespace: ns, name: 'operator'}];
    const roleRef = {apiGroup: rbac, kind: 'ClusterRole', name: `role-${ns}`};
    const binding = object(`${rbac}/v1`, 'ClusterRoleBinding', `binding-${ns}`, {roleRef, subjects});
    const inside = object(`${rbac}/v1`, 'RoleBinding', 'inside', {roleRef, subjects});
    const hook = object('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', `hook-${ns}`, {
      webhooks: [
        {
          name: 'a.example.com',
          failurePolicy: 'Ignore',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          clientConfig: {service: {namespace: ns, name: 'hook'}},
          rules: [{apiGroups: ['none.example'], apiVersions: ['*'], operations: ['*'], resources: ['x']}],
        },
      ],
    });
    const objects = [namespace(), account, role, binding, inside, service('hook'), config('plain'), hook];
    await bed.put(role, binding);
    const result = await bed.restore({given: objects, namespaces: {[ns]: `${ns}-copy`}});
    expect(result.summary.failures).toEqual([]);
    const moved = (made: KubeObject): KubeObject => ({
      ...made,
      metadata: {...made.metadata, namespace: `${ns}-copy`},
    });
    expect(await bed.live(moved(config('plain')))).toBeDefined();
    expect(await bed.live(config('plain'))).toBeUndefined();
    expect(await bed.need(moved(inside))).toMatchObject({subjects: [{namespace: `${ns}-copy`}]});
    // The binding of the original keeps its subjects; the copy has a name of its own.
    expect(await bed.need(binding)).toMatchObject({subjects: [{namespace: ns}]});
    const copies = result.plan.waves
      .flatMap(({items}) => items)
      .filter(({object: made}) => made.kind === 'ClusterRoleBinding');
    expect(copies.map(({object: made}) => made.metadata.name)).not.toContain(binding.metadata.name);
    for (const {object: made} of copies)
      expect(await bed.need(made)).toMatchObject({subjects: [{namespace: `${ns}-copy`}]});
    expect(await bed.need(hook)).toMatchObject({
      webhooks: [{clientConfig: {service: {namespace: `${ns}-copy`}}}],
    });
  });

  test('a version that the target does not serve is converted where both versions have the same shape', async () => {
    const {namespace, object} = place();
    const budget = object('policy/v1beta1', 'PodDisruptionBudget', 'web', {
      spec: {minAvailable: 1, selector: {matchLabels: {app: 'web'}}},
    });
    const result = await bed.restore({given: [namespace()], raw: [budget]});
    expect(result.summary.failures).toEqual([]);
    expect(await bed.need({...budget, apiVersion: 'policy/v1'})).toMatchObject({spec: {minAvailable: 1}});
  });

  test('an API that is gone is found before anything is written', async () => {
    const {namespace, object} = place();
    const policy = object('policy/v1beta1', 'PodSecurityPolicy', 'restricted', {spec: {}});
    const cluster = {...policy, metadata: {name: 'restricted'}};
    const {messages, summary, outcomes} = await bed.restore({given: [namespace()], raw: [cluster]});
    expect(messages.join('\n')).toMatch(/^error: .*1\.25/m);
    expect(outcomes.find(({kind}) => kind === 'PodSecurityPolicy')?.outcome).toBe('failed');
    expect(summary.failures).toMatchObject([{ref: 'policy/PodSecurityPolicy restricted'}]);
  });
});

describe('objects that are there', () => {
  const two = () => {
    const made = place();
    return {
      ...made,
      before: made.config('it', {data: {a: 'old', extra: 'x'}}),
      after: made.config('it', {data: {a: 'new'}}),
    };
  };

  test.each(
    rows([
      () => {
        const {namespace, before, after} = two();
        return {
          rule: 'skip leaves what differs, and counts it as left out with the reason',
          given: [namespace(), after],
          there: [namespace(), before],
          existing: ['skip'],
          async check(result) {
            expect((await bed.need(before)).data).toEqual({a: 'old', extra: 'x'});
            expect(outcomeOf(result, 'ConfigMap', 'it')).toBe('skipped');
            expect(result.summary.skips.map(({reason}) => reason).join()).toMatch(/differs/);
          },
        };
      },
      () => {
        const {namespace, before, after} = two();
        return {
          rule: 'update is a server-side apply as pra: its fields are as in the snapshot, those of others stay',
          given: [namespace(), after],
          there: [namespace(), before],
          existing: ['update'],
          async check(result) {
            expect((await bed.need(before)).data).toEqual({a: 'new', extra: 'x'});
            expect(outcomeOf(result, 'ConfigMap', 'it')).toBe('changed');
          },
        };
      },
      () => {
        const {namespace, before, after} = two();
        return {
          rule: 'recreate of one kind replaces the object, and leaves other kinds',
          given: [namespace(), after],
          there: [namespace(), before],
          existing: ['skip', 'configmap=recreate'],
          async check(result) {
            expect((await bed.need(before)).data).toEqual({a: 'new'});
            expect(outcomeOf(result, 'ConfigMap', 'it')).toBe('recreated');
          },
        };
      },
      () => {
        const {namespace, before, after} = two();
        return {
          rule: 'a rule of the plan decides for a selector, over the policy of the kind',
          given: [namespace(), after],
          there: [namespace(), before],
          existing: ['update'],
          policy: {rules: [{match: {kind: 'ConfigMap', name: 'it'}, existing: 'skip'}]},
          async check() {
            expect((await bed.need(before)).data).toEqual({a: 'old', extra: 'x'});
          },
        };
      },
      () => {
        const {namespace, workload} = place();
        const [live, wanted] = [
          workload('Deployment', 'web', {}, {nodeSelector: {a: 'b'}}),
          workload('Deployment', 'web', {
            selector: {matchLabels: {app: 'web', tier: 'front'}},
            template: {
              metadata: {labels: {app: 'web', tier: 'front'}},
              spec: {containers: [{name: 'main', image: 'localhost/app:1'}]},
            },
          }),
        ];
        return {
          rule: 'a field that cannot be changed fails with the reason of the API server',
          given: [namespace(), wanted],
          there: [namespace(), live],
          async check(result) {
            expect(outcomeOf(result, 'Deployment', 'web')).toBe('failed');
            expect(result.summary.failures.map(({reason}) => reason).join()).toContain('field is immutable');
          },
        };
      },
      () => {
        const {namespace, config} = place();
        return {
          rule: 'an object that is immutable is made again where recreate is chosen',
          given: [namespace(), config('fixed', {immutable: true, data: {a: 'new'}})],
          there: [namespace(), config('fixed', {immutable: true, data: {a: 'old'}})],
          existing: ['recreate'],
          async check(result) {
            expect(outcomeOf(result, 'ConfigMap', 'fixed')).toBe('recreated');
            expect(await bed.need(config('fixed'))).toMatchObject({immutable: true, data: {a: 'new'}});
          },
        };
      },
    ]),
  )('%s', run);
});
