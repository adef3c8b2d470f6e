/**
 * A process of csi.test.ts: saves a claim by a CSI snapshot into a store that takes no data, until it is killed.
 * usage: endless-save.ts KUBECONFIG URL NAMESPACE CLAIM SNAPSHOT-CLASS KEEP
 */
import {connectCluster} from '../../src/cluster/client.ts';
import {openStore} from '../../src/repository/open.ts';
import {openRepository} from '../../src/repository/repository.ts';
import {openRestic} from '../../src/volume/restic.ts';
import {atData, makeFaulty} from '../bed/faulty-store.ts';
import {PASSPHRASE} from '../bed/volume-bed.ts';
import {saveVolume} from './saving.ts';

const [kubeconfig = '', url = '', namespace = '', claim = '', snapshotClass = '', keep = ''] =
  process.argv.slice(2);
const store = makeFaulty(await openStore(url));
const repository = await openRepository(store, {passphrase: PASSPHRASE});
const restic = await openRestic({repository, signal: new AbortController().signal});
store.before = atData('put', 1, () => {
  process.stdout.write('moving\n');
  return new Promise(() => undefined);
});
await saveVolume(
  {cluster: await connectCluster({kubeconfig})},
  {
    restic,
    namespace,
    rules: [
      {select: {app: claim}, method: 'csi', csi: {snapshotClass, timeoutMs: 30_000, keep: keep === 'true'}},
      {method: 'none'},
    ],
    settings: {times: {idleMs: 3000, endedMs: 1000}},
  },
);
