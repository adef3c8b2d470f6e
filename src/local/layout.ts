import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {stateDir} from '../std/paths.ts';

/** Fixed inside each cluster; clusters do not see one another, so all may use the same. */
export const SERVICE_CIDR = '10.96.0.0/16';
export const SERVICE_IP = '10.96.0.1';
export const DNS_IP = '10.96.0.10';
export const POD_CIDR = '10.244.0.0/24';
export const CLUSTER_DOMAIN = 'cluster.local';

/** Where the parts of one local cluster lie and what they are called. */
export interface Layout {
  name: string;
  dir: string;
  stateFile: string;
  pki: string;
  logs: string;
  etc: string;
  /** Sockets have short paths: the kernel allows 107 bytes. */
  run: string;
  netns: string;
  netnsPath: string;
  hostLink: string;
  cgroup: string;
  kubeconfig: string;
  /** What Terraform's outputs are read from. */
  outputs: string;
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/;

/** @throws PraError USAGE for a name that cannot be part of paths and links. */
export function layoutOf(name: string, hash: string): Layout {
  if (!NAME.test(name)) {
    throw new PraError('USAGE', `"${name}" is not a name for a local cluster`, {
      why: 'it must be lower-case letters, digits and dashes, 52 at most',
    });
  }
  const dir = join(stateDir(), 'local', name);
  return {
    name,
    dir,
    stateFile: join(dir, 'state.json'),
    pki: join(dir, 'pki'),
    logs: join(dir, 'log'),
    etc: join(dir, 'etc'),
    run: join('/run/pra', hash),
    netns: `pra-${hash}`,
    netnsPath: `/var/run/netns/pra-${hash}`,
    hostLink: `pra-${hash}`,
    cgroup: `pra-${hash}`,
    kubeconfig: join(dir, 'kubeconfig'),
    outputs: join('/run/pra', `${name}.json`),
  };
}
