import {randomBytes} from 'node:crypto';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {removeLocalCluster} from '../../src/local/down.ts';
import {type LocalClusterOptions, makeLocalCluster} from '../../src/local/up.ts';

export interface TestCluster {
  name: string;
  kubeconfig: string;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 150_000;

/**
 * A real single-node cluster with a kubelet, for tests that need pods that run (about 5 s; Linux and root). It keeps
 * its state in a temporary folder, so that nothing is seen of the user's own clusters. One at a time in a process.
 */
export async function startLocalCluster(
  options: Partial<Pick<LocalClusterOptions, 'node' | 'isolated' | 'images'>> = {},
): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'pra-cluster-'));
  const before = process.env.PRA_STATE_DIR;
  process.env.PRA_STATE_DIR = dir;
  const name = `test-${randomBytes(3).toString('hex')}`;
  const stop = async () => {
    await removeLocalCluster({name});
    if (before === undefined) delete process.env.PRA_STATE_DIR;
    else process.env.PRA_STATE_DIR = before;
    await rm(dir, {recursive: true, force: true});
  };
  try {
    const {kubeconfigPath} = await makeLocalCluster({
      name,
      node: options.node ?? 'kubelet',
      isolated: options.isolated ?? true,
      images: options.images ?? [],
      signal: AbortSignal.timeout(START_TIMEOUT_MS),
    });
    return {name, kubeconfig: kubeconfigPath, stop};
  } catch (error) {
    await stop();
    throw error;
  }
}
