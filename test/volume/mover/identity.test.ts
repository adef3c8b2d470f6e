import {describe, expect, test} from 'vitest';
import {identityOfPod, identityText, ROOT, securityOf} from '../../../src/volume/mover/identity.ts';

const pod = (
  securityContext: Record<string, unknown>,
  ...containers: {user?: number; group?: number; mounts?: string}[]
) => ({
  securityContext,
  containers: containers.map(({user, group, mounts = 'data'}) => ({
    securityContext: {
      ...(user === undefined ? {} : {runAsUser: user}),
      ...(group === undefined ? {} : {runAsGroup: group}),
    },
    volumeMounts: [{name: mounts}],
  })),
});
const of = (...about: Parameters<typeof pod>) => identityOfPod(pod(...about), new Set(['data']));

describe('who a pod reads its volume as', () => {
  test.each([
    ['its containers', of({}, {user: 999}), {uid: 999, groups: []}],
    [
      'the pod',
      of({runAsUser: 999, runAsGroup: 998, fsGroup: 2000}, {}),
      {uid: 999, gid: 998, groups: [2000]},
    ],
    ['a container before the pod', of({runAsUser: 1}, {user: 999}), {uid: 999, groups: []}],
    ['only those that mount it', of({}, {user: 999}, {user: 5, mounts: 'other'}), {uid: 999, groups: []}],
    [
      'all its groups once',
      of({fsGroup: 7, supplementalGroups: [7, 8]}, {user: 999}),
      {uid: 999, groups: [7, 8]},
    ],
    ['no group when they differ', of({}, {user: 9, group: 1}, {user: 9, group: 2}), {uid: 9, groups: []}],
  ])('is said by %s', (_by, found, expected) => {
    expect(found).toEqual({kind: 'user', ...expected});
  });

  test.each([
    ['nobody says it', of({}, {})],
    ['it is root', of({runAsUser: 0}, {})],
    ['they differ', of({}, {user: 1}, {user: 2})],
    ['one does not say it', of({}, {user: 1}, {})],
    ['nothing mounts it', of({}, {user: 1, mounts: 'other'})],
    ['there is no spec', identityOfPod(undefined, new Set(['data']))],
  ])('is not known when %s', (_why, found) => {
    expect(found).toBeUndefined();
  });
});

test.each(['save', 'restore'] as const)(
  'a user that is to %s has what the restricted standard asks for',
  purpose => {
    const {pod: ofPod, container} = securityOf({kind: 'user', uid: 999, groups: [2000]}, purpose);
    expect(ofPod).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 999,
      seccompProfile: {type: 'RuntimeDefault'},
    });
    expect(container).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: {drop: ['ALL']},
    });
    // The kubelet would change the groups of all files of a volume that is only read.
    expect(ofPod.fsGroup).toBe(purpose === 'save' ? undefined : 2000);
  },
);

test('root has the few capabilities that its task needs, all of which the baseline standard allows', () => {
  const baseline = ['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD'];
  baseline.push('NET_BIND_SERVICE', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT');
  for (const [purpose, wanted] of [
    ['save', ['DAC_OVERRIDE']],
    ['restore', ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETFCAP']],
  ] as const) {
    expect(securityOf(ROOT, purpose).container.capabilities).toEqual({drop: ['ALL'], add: wanted});
    for (const capability of wanted) expect(baseline).toContain(capability);
  }
});

test('it reads as people say it', () => {
  expect(identityText(ROOT)).toBe('root');
  expect(identityText({kind: 'user', uid: 1, gid: 2, groups: [3, 4]})).toBe('user 1, group 2, groups 3, 4');
});
