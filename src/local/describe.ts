import {rename, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {Cluster} from '../cluster/client.ts';
import {readIdentity} from '../cluster/identity.ts';
import {ADMIN_GROUP} from './addon.ts';
import type {BringUp} from './bring-up.ts';
import {auditLog} from './control-plane.ts';
import {POD_CIDR, SERVICE_CIDR} from './layout.ts';
import {type Pki, writeKubeconfig} from './pki.ts';

export interface LocalCluster {
  kubeconfigPath: string;
  endpoint: string;
  facts: Record<string, string | boolean | number>;
}

/** Writes the administrator's kubeconfig and what Terraform outputs, and throws the bootstrap credentials away. */
export async function describeCluster(bringUp: BringUp, pki: Pki, admin: Cluster): Promise<LocalCluster> {
  const {layout, options, server} = bringUp;
  const identity = await readIdentity(admin, {signal: bringUp.signal});
  await writeKubeconfig(layout.kubeconfig, {
    server,
    ca: pki.ca.cert,
    client: await pki.client('admin', 'pra:admin', ADMIN_GROUP),
    user: 'pra:admin',
    cluster: options.name,
  });
  for (const leftover of ['pki/client-bootstrap.crt', 'pki/client-bootstrap.key', 'etc/bootstrap.kubeconfig'])
    await rm(join(layout.dir, leftover), {force: true});
  const cluster: LocalCluster = {
    kubeconfigPath: layout.kubeconfig,
    endpoint: server,
    facts: {
      provider: 'local',
      isolated: options.isolated,
      node: options.node,
      kubernetes: identity.version,
      clusterUid: identity.uid,
      anonymousAuth: false,
      authorization: 'Node,RBAC',
      auditLog: auditLog(layout),
      encryptionAtRest: 'secretbox',
      podSecurityDefault: 'baseline',
      podCidr: POD_CIDR,
      serviceCidr: SERVICE_CIDR,
    },
  };
  const partial = join(layout.run, 'outputs.json');
  await writeFile(partial, JSON.stringify(cluster), {mode: 0o600});
  await rename(partial, layout.outputs);
  bringUp.record({ready: true});
  return cluster;
}
