/**
 * A process of kills.test.ts: writes snapshots, or prunes, until it is killed.
 * usage: churn.ts write|prune URL STORE-OPTIONS SEED
 */
import {PraError} from '../../src/errors.ts';
import {forgetSnapshots} from '../../src/repository/forget.ts';
import {Lock} from '../../src/repository/lock.ts';
import {ObjectSetWriter} from '../../src/repository/object-set-writer.ts';
import {openStore} from '../../src/repository/open.ts';
import {pruneRepository} from '../../src/repository/prune.ts';
import {openRepository, type Repository} from '../../src/repository/repository.ts';
import {listRoots, newSnapshotId, type SnapshotRoot, writeRoot} from '../../src/repository/snapshot-root.ts';
import {sleep} from '../../src/std/wait.ts';
import {PASSPHRASE, stateOf} from './churn-state.ts';
import {configMaps} from './snapshots.ts';

const [what = '', url = '', options = '{}', seed = ''] = process.argv.slice(2);
const {signal} = new AbortController();
const KEEP = 3;

async function write(repository: Repository): Promise<void> {
  // What an earlier life of this writer has left is gone on with.
  const own = (root: SnapshotRoot) => root.plan?.name.startsWith(`${seed}-`);
  let roots = (await listRoots(repository)).filter(own);
  for (let step = Number(roots[0]?.plan?.name.split('-')[1] ?? 0) + 1; ; step += 1) {
    const id = newSnapshotId(new Date());
    const lock = await Lock.take(repository, 'append', {run: id});
    try {
      const parent = (await listRoots(repository)).find(own);
      const writer = new ObjectSetWriter(repository, {parent, run: id});
      await writer.open();
      for (const object of stateOf(seed, step)) await writer.addObject(configMaps, object);
      const {trees, counts, namespaces, bytes} = await writer.finish();
      const now = new Date().toISOString();
      await lock.confirm();
      await writeRoot(
        repository,
        {
          apiVersion: 'pra/v1',
          kind: 'Snapshot',
          id,
          createdAt: now,
          finishedAt: now,
          tool: 'pra test',
          plan: {name: `${seed}-${step}`, hash: '0'.repeat(64)},
          source: {uid: 'u', version: 'v1.34.4', server: 'https://s', context: 'c'},
          namespaces,
          counts,
          trees,
          ...(parent ? {parent: parent.id} : {}),
          resourceVersions: {},
          volumes: [],
          baselines: [],
          bytes,
        },
        {},
      );
    } finally {
      await lock.release();
    }
    roots = (await listRoots(repository)).filter(own);
    // Nobody forgets while somebody prunes; the next time will do.
    const old = roots.slice(KEEP).map(({id}) => id);
    await forgetSnapshots(repository, old).catch((error: unknown) => {
      if (!(error instanceof PraError) || error.code !== 'REPOSITORY_LOCKED') throw error;
    });
  }
}

async function prune(repository: Repository): Promise<void> {
  for (;;) {
    try {
      await pruneRepository(repository, {waitMs: 5_000, signal});
    } catch (error) {
      if (!(error instanceof PraError) || error.code !== 'REPOSITORY_LOCKED') throw error;
    }
    await sleep(200);
  }
}

const store = await openStore(url, JSON.parse(options));
const repository = await openRepository(store, {passphrase: PASSPHRASE});
process.stdout.write('ready\n');
await (what === 'prune' ? prune(repository) : write(repository));
