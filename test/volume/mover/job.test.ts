import {expect, test} from 'vitest';
import {CORE_TYPES} from '../../../src/cluster/core-types.ts';
import {at, numberAt, stringAt} from '../../../src/std/json-at.ts';
import {type Identity, ROOT} from '../../../src/volume/mover/identity.ts';
import {
  claimsOfPod,
  type MoverJob,
  moverJob,
  moverName,
  placementOfPod,
  volumesOfClaim,
} from '../../../src/volume/mover/job.ts';
import {MOVER_TIMES, moverTimes, startingWithin} from '../../../src/volume/mover/settings.ts';
import {SETTINGS} from '../../bed/volume-bed.ts';

const user: Identity = {kind: 'user', uid: 999, groups: [2000]};
const job = (more: Partial<MoverJob> = {}): MoverJob => ({
  run: '20260101T000000Z-0000abcd',
  purpose: 'save',
  namespace: 'shop',
  claims: [{name: 'data', path: '/pra/shop/data'}],
  identity: user,
  placement: {},
  settings: SETTINGS,
  ...more,
});
const specOf = (more: Partial<MoverJob> = {}) => at(moverJob('name', job(more)), 'spec', 'template', 'spec');

test('its pod has what the restricted standard asks for, and neither a token nor anything secret', () => {
  const spec = specOf({
    settings: {...SETTINGS, credentials: {profile: 'scoped', credentialsEnv: 'MOVER'}},
  });
  expect(spec).toMatchObject({
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: 'RuntimeDefault'}},
    containers: [
      {
        env: [{name: 'TMPDIR', value: '/tmp'}],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: {drop: ['ALL']},
        },
      },
    ],
  });
  expect(JSON.stringify(spec)).not.toMatch(
    /secret|envFrom|hostPath|hostNetwork|hostPID|privileged|scoped|MOVER_/,
  );
});

test('what is saved is mounted for reading only', () => {
  const mounts = (purpose: 'save' | 'restore') =>
    JSON.stringify(at(specOf({purpose, identity: ROOT}), 'containers')).match(/"readOnly":true/g)?.length ??
    0;
  expect([mounts('save'), mounts('restore')]).toEqual([1, 0]);
});

test('it ends by itself: when nobody uses it, when it takes too long, and when it has ended', () => {
  const made = moverJob('name', job({settings: {...SETTINGS, timeoutMs: 90_500}}));
  expect(numberAt(made, 'spec', 'activeDeadlineSeconds')).toBe(91);
  expect(numberAt(made, 'spec', 'ttlSecondsAfterFinished')).toBe(180);
  // Another Job may have to take over what it owns, after it was waited for.
  expect(MOVER_TIMES.endedMs).toBeGreaterThan(MOVER_TIMES.goneMs + 60_000);
  expect(numberAt(made, 'spec', 'backoffLimit')).toBe(0);
  expect(JSON.stringify(made)).toContain('["/pra-mover","wait","600000ms"]');
  const soon = moverJob('name', job({settings: {...SETTINGS, times: {idleMs: 5000, endedMs: 1500}}}));
  expect(numberAt(soon, 'spec', 'ttlSecondsAfterFinished')).toBe(2);
  expect(JSON.stringify(soon)).toContain('["/pra-mover","wait","5000ms"]');
});

test('each of its volumes has its time, and that of those before which it has to wait for', () => {
  const deadline = (more: Partial<MoverJob>) =>
    numberAt(
      moverJob('name', job({settings: {...SETTINGS, timeoutMs: 60_000}, ...more})),
      'spec',
      'activeDeadlineSeconds',
    );
  const claims = ['data', 'wal', 'logs'].map(name => ({name, path: `/pra/shop/${name}`}));
  expect(deadline({claims})).toBe(180);
  expect(deadline({turns: 4})).toBe(240);
});

test('what is copied first may take longer to start, and nothing takes less', () => {
  const starting = (startMs: number, times = {}) =>
    moverTimes(startingWithin({...SETTINGS, times}, startMs)).startMs;
  expect(starting(3_600_000)).toBe(3_600_000);
  expect(starting(1000)).toBe(MOVER_TIMES.startMs);
  expect(starting(1000, {startMs: 20})).toBe(1000);
});

test('it runs on the node of the volume, or where the workload would', () => {
  const workload = {
    nodeSelector: {disk: 'fast', 'pra.dev/inert': 'yes'},
    affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}},
  };
  const placement = placementOfPod(workload, new Set(['pra.dev/inert']));
  expect(specOf({placement})).toMatchObject({nodeSelector: {disk: 'fast'}, affinity: workload.affinity});
  const onNode = specOf({placement: {...placement, node: 'node-1'}});
  expect(at(onNode, 'nodeSelector')).toBeUndefined();
  expect(JSON.stringify(at(onNode, 'affinity'))).toContain(
    '"key":"metadata.name","operator":"In","values":["node-1"]',
  );
  expect(at(specOf(), 'affinity')).toBeUndefined();
  // A volume is read also on a node that is being emptied; a new one is made where the workload can run.
  expect(at(onNode, 'tolerations')).toEqual([{operator: 'Exists'}]);
  expect(at(specOf(), 'tolerations')).toBeUndefined();
  const tolerations = [{key: 'dedicated', operator: 'Equal', value: 'db'}];
  expect(at(specOf({placement: placementOfPod({tolerations}, new Set())}), 'tolerations')).toEqual(
    tolerations,
  );
  const spread = specOf({placement: {spread: 'shop'}});
  expect(JSON.stringify(at(spread, 'topologySpreadConstraints'))).toContain('topology.kubernetes.io/zone');
  expect(at(onNode, 'topologySpreadConstraints')).toBeUndefined();
});

test('names are those of objects, and of no two movers', () => {
  const names = Array.from({length: 100}, () => moverName(job({namespace: 'n'.repeat(63)})));
  expect(new Set(names).size).toBe(100);
  for (const name of names) expect(name).toMatch(/^[a-z][-a-z0-9]{1,50}[a-z0-9]$/);
  const made = moverJob('name', job());
  expect(stringAt(made, 'metadata', 'labels', 'pra.dev/mover')).toBe('save');
  expect([made.apiVersion, made.kind]).toEqual(['batch/v1', CORE_TYPES.Job.kind]);
});

test('the claims of a pod are found by name', () => {
  const spec = {
    volumes: [
      {name: 'a', persistentVolumeClaim: {claimName: 'data'}},
      {name: 'b', emptyDir: {}},
      {name: 'c', persistentVolumeClaim: {claimName: 'data'}},
    ],
  };
  expect(claimsOfPod(spec)).toEqual(['data', 'data']);
  expect(volumesOfClaim(spec, 'data')).toEqual(['a', 'c']);
});
