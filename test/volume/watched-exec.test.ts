import {Readable} from 'node:stream';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import type {JsonObject} from '../../src/std/json.ts';
import {sleep, withDeadline} from '../../src/std/wait.ts';
import {dumpVolume, type Exec, restoreDump} from '../../src/volume/dump.ts';
import {execWatched} from '../../src/volume/watched-exec.ts';
import {errorOf} from '../bed/error-of.ts';
import {type FakeApi, startFakeApi} from '../bed/fake-api.ts';
import {dumpRequest as request} from './dump-request.ts';

const {Pod} = CORE_TYPES;
const {namespace, pod: name} = request;
const LOOK_MS = 20;

let api: FakeApi;
beforeEach(async () => {
  api = await startFakeApi();
  put({});
});
afterEach(() => api.stop());

interface Change {
  uid?: string;
  deletionTimestamp?: string;
  phase?: string;
  conditions?: JsonObject[];
}

const READY = [
  {type: 'Ready', status: 'True'},
  {type: 'ContainersReady', status: 'True'},
];

function put({phase = 'Running', conditions = READY, uid = 'first', ...metadata}: Change): void {
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name, namespace, uid, ...metadata},
    spec: {nodeName: 'node-1'},
    status: {phase, conditions},
  };
  api.put(Pod, pod);
}

/** A command that never ends, as one on a node that was cut off: the connection stays, and nothing comes. */
const exec: Exec = execution => execWatched(api.cluster, execution, LOOK_MS);
const endless = () => exec({namespace, pod: name, command: ['pg_dump'], signal: AbortSignal.timeout(5000)});
async function lose(change: Change): Promise<void> {
  await sleep(300);
  put(change);
}

test.each<[string, Change, string]>([
  [
    'is on a node that does not answer',
    {conditions: [{type: 'Ready', status: 'False'}, ...READY.slice(1)]},
    'its node node-1 does not answer',
  ],
  [
    'is being evicted',
    {conditions: [...READY, {type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager'}]},
    'DeletionByTaintManager',
  ],
  ['is being deleted', {deletionTimestamp: '2026-01-01T00:00:00Z'}, 'is being deleted'],
  ['has failed', {phase: 'Failed'}, 'failed'],
  ['was replaced', {uid: 'second'}, 'it was deleted, and another one has taken its place'],
])('a command whose pod %s is waited for no longer', async (_what, change, why) => {
  const [error] = await Promise.all([errorOf(endless(), {limitMs: 4000}), lose(change)]);
  expect(error).toMatchObject({
    code: 'EXEC_FAILED',
    message: 'pod shop-db/db-0 was lost while pg_dump was run in it',
  });
  expect(error.why?.toLowerCase()).toContain(why.toLowerCase());
});

test('a pod that is deleted is lost too', async () => {
  const losing = sleep(300).then(() => api.remove(Pod, {name, namespace}));
  const [error] = await Promise.all([errorOf(endless(), {limitMs: 4000}), losing]);
  expect(error.why).toBe('it was deleted');
});

test.each<[string, JsonObject[]]>([
  [
    'a probe fails',
    [
      {type: 'Ready', status: 'False', reason: 'ContainersNotReady'},
      {type: 'ContainersReady', status: 'False', reason: 'ContainersNotReady'},
    ],
  ],
  [
    'a readiness gate is closed',
    [{type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady'}, ...READY.slice(1)],
  ],
])('a pod of which %s is not lost, nor one that cannot be looked at', async (_what, conditions) => {
  const stop = new AbortController();
  const running = errorOf(exec({namespace, pod: name, command: ['pg_restore'], signal: stop.signal}));
  await lose({conditions});
  await sleep(10 * LOOK_MS);
  api.before = line => (line.startsWith('GET') ? 403 : undefined);
  await sleep(10 * LOOK_MS);
  stop.abort();
  expect((await running).code).toBe('INTERRUPTED');
});

test('a dump and its restore end, and say that the node does not answer', async () => {
  const conditions = [{type: 'Ready', status: 'False'}, ...READY.slice(1)];
  const signal = withDeadline(8000);
  const dumping = dumpVolume({
    exec,
    restic: {
      backup: async stream => {
        for await (const _ of stream);
        return {snapshotId: 'fake', bytes: 0, sha256: ''};
      },
    },
    request,
    tags: [],
    signal,
  });
  const [dump] = await Promise.all([errorOf(dumping, {limitMs: 4000}), lose({conditions})]);
  expect(dump.code).toBe('VOLUME_DUMP_FAILED');
  expect(dump.why).toContain('does not answer');
  put({});
  const restoring = restoreDump({
    exec,
    restic: {
      restore: () => ({
        stream: Readable.from([Buffer.from('rows')]),
        done: Promise.resolve({bytes: 4, sha256: ''}),
      }),
    },
    record: {
      method: 'dump',
      namespace,
      workload: request.workload,
      pvcs: [],
      container: 'db',
      dumpCommand: ['dump'],
      restoreCommand: ['restore'],
      resticSnapshot: 'fake',
      bytes: 4,
      sha256: '',
      durationMs: 0,
    },
    pod: name,
    signal,
  });
  const [restore] = await Promise.all([errorOf(restoring, {limitMs: 4000}), lose({conditions})]);
  expect(restore.code).toBe('VOLUME_RESTORE_FAILED');
  expect(restore.why).toContain('does not answer');
});
