import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {z} from 'zod';
import {createObject, readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {runProcess} from '../../src/std/process.ts';
import {waitFor} from '../../src/std/wait.ts';
import {killChild, startChild} from '../bed/child.ts';
import {startVersitygw} from '../bed/versitygw.ts';

const NAMESPACE = 'velero';
const START_MS = 120_000;
const BACKUP_MS = 2 * 3_600_000;

const backupStatus = z.object({
  phase: z.string().default(''),
  failureReason: z.string().optional(),
  progress: z.object({itemsBackedUp: z.int().default(0)}).default({itemsBackedUp: 0}),
});

/**
 * Has Velero back up the same objects, without volumes, as it is installed by default but for the place where it runs:
 * `velero server` beside the API server, with an S3 server on loopback.
 * @param options.velero path of the program
 * @param options.plugins folder with velero-plugin-for-aws
 * @returns objects that were backed up, and how long it took by the clock of this process
 */
export async function backUpWithVelero(options: {
  velero: string;
  plugins: string;
  kubeconfig: string;
}): Promise<{ms: number; objects: number; peakMiB: number}> {
  const {velero, plugins, kubeconfig} = options;
  const dir = await mkdtemp(join(tmpdir(), 'pra-velero-'));
  await using s3 = await startVersitygw();
  const env = {...process.env, KUBECONFIG: kubeconfig, ...s3.env, AWS_PROFILE: s3.profiles.right};
  await runProcess(velero, ['install', '--crds-only', '--kubeconfig', kubeconfig], {env});
  const cluster = await connectCluster({kubeconfig});
  await createObject(cluster, CORE_TYPES.Namespace, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {name: NAMESPACE},
  });
  const types = await veleroTypes(cluster);
  const create = (object: KubeObject) => createObject(cluster, types.of(object), object);
  await create({
    ...own('BackupStorageLocation', 'default'),
    spec: {
      provider: 'aws',
      default: true,
      objectStorage: {bucket: s3.bucket},
      config: {region: s3.region, s3ForcePathStyle: 'true', s3Url: s3.endpoint, profile: s3.profiles.right},
    },
  });
  const log = join(dir, 'velero.log');
  const args = ['server', '--namespace', NAMESPACE, '--plugin-dir', plugins, '--kubeconfig', kubeconfig];
  const server = await startChild(velero, args, {log, env});
  const failed = async (what: string) =>
    new Error(`velero ${what}:\n${(await readFile(log, 'utf8')).split('\n').slice(-20).join('\n')}`);
  try {
    await waitFor(
      async () => {
        if (server.exitCode !== null) throw await failed('ended');
        const location = await readObject(cluster, types.of(own('BackupStorageLocation', 'default')), {
          name: 'default',
          namespace: NAMESPACE,
        });
        return z.object({phase: z.literal('Available')}).safeParse(location?.status).success || undefined;
      },
      {waitingFor: 'velero to find its bucket', timeoutMs: START_MS},
    );
    const began = performance.now();
    const backup = own('Backup', 'bench');
    await create({
      ...backup,
      spec: {includedNamespaces: ['*'], storageLocation: 'default', snapshotVolumes: false, ttl: '24h0m0s'},
    });
    const objects = await waitFor(
      async () => {
        const found = await readObject(cluster, types.of(backup), {name: 'bench', namespace: NAMESPACE});
        const {phase, progress, failureReason} = backupStatus.parse(found?.status ?? {});
        if (/Fail|Invalid/.test(phase)) throw await failed(`${phase}: ${failureReason ?? ''}`);
        return phase === 'Completed' ? progress.itemsBackedUp : undefined;
      },
      {waitingFor: 'the backup of velero', timeoutMs: BACKUP_MS, intervalMs: 100},
    );
    const ms = performance.now() - began;
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    const peakMiB = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    return {ms, objects, peakMiB};
  } finally {
    await killChild(server);
    await cluster.close();
    await rm(dir, {recursive: true, force: true});
  }
}

const own = (kind: string, name: string): KubeObject => ({
  apiVersion: 'velero.io/v1',
  kind,
  metadata: {name, namespace: NAMESPACE},
});

async function veleroTypes(cluster: Cluster): Promise<ResourceMap> {
  return waitFor(
    async () => {
      const types = new ResourceMap(await discoverResources(cluster));
      return types.find('velero.io/v1', 'Backup') && types;
    },
    {waitingFor: 'the kinds of velero', timeoutMs: 30_000},
  );
}
