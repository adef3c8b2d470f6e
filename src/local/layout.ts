import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {stateDir} from '../std/paths.ts';

/** Fixed inside each cluster; clusters do not see one another, so all may use the same. */
export const SERVICE_CIDR = '10.96.0.0/16';
export const SERVICE_IP = '10.96.0.1';
export const DNS_IP = '10.96.0.10';
export const POD_CIDR = '10.244.0.0/24';
export const CLUSTER_DOMAIN = 'cluster.local';

/** In memory, gone after a restart of the machine, as are the namespaces and links that it speaks of. */
export const RUN_DIR = '/run/pra';

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

/** The longest socket path that the kubelet makes below the cluster's folder. */
const LONGEST_SOCKET = 'kubelet/device-plugins/kubelet.sock';
const SOCKET_PATH_BYTES = 107;

/** @throws PraError USAGE for a name that cannot be part of paths and links, or a folder too deep for sockets. */
export function layoutFor(name: string): Layout {
  if (!NAME.test(name)) {
    throw new PraError('USAGE', `"${name}" is not a name for a local cluster`, {
      why: 'it must be lower-case letters, digits and dashes, 52 at most',
    });
  }
  const dir = join(stateDir(), 'local', name);
  if (Buffer.byteLength(join(dir, LONGEST_SOCKET)) > SOCKET_PATH_BYTES) {
    throw new PraError('USAGE', `the path ${dir} is too long for a local cluster`, {
      why: `the kubelet makes sockets in it, whose paths may have ${SOCKET_PATH_BYTES} bytes`,
      next: ['set PRA_STATE_DIR to a shorter path, such as /var/lib/pra'],
    });
  }
  // Short enough for a link's name, and the same for the same name.
  const id = `pra-${sha256(name).slice(0, 8)}`;
  return {
    name,
    dir,
    stateFile: join(dir, 'state.json'),
    pki: join(dir, 'pki'),
    logs: join(dir, 'log'),
    etc: join(dir, 'etc'),
    run: join(RUN_DIR, id.slice('pra-'.length)),
    netns: id,
    netnsPath: `/run/netns/${id}`,
    hostLink: id,
    cgroup: id,
    kubeconfig: join(dir, 'kubeconfig'),
    outputs: join(RUN_DIR, `${name}.json`),
  };
}
