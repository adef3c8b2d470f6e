import {describe, expect, it} from 'vitest';
import {refuseWrongTarget, type WrongTargetInput} from '../../src/drill/guard/wrong-target.ts';

const fresh: WrongTargetInput = {
  target: {uid: 'b', server: 'https://10.0.0.2:6443'},
  source: {uid: 'a', server: 'https://10.0.0.1:6443'},
  protectedUid: 'a',
  namespaces: ['default', 'kube-system'],
  wanted: ['shop'],
};

describe('guard 1: refuse the wrong target', () => {
  it('lets a fresh cluster through and says why', () => {
    expect(refuseWrongTarget(fresh)).toMatchObject({number: 1, state: 'applied'});
  });

  it.each([
    [
      'the UID of the source',
      {target: {uid: 'a', server: 'https://10.0.0.9:6443'}},
      'has the UID of the source',
    ],
    [
      'the UID that the plan protects',
      {target: {uid: 'p', server: 'https://10.0.0.9:6443'}, protectedUid: 'p'},
      'spec.source.clusterUID',
    ],
    [
      'the address of the source',
      {target: {uid: 'c', server: 'https://10.0.0.1:6443'}},
      'address of the source',
    ],
    ['what it is about to restore', {namespaces: ['default', 'shop']}, 'not empty'],
  ])('refuses a target with %s', (_what, change, why) => {
    expect(() => refuseWrongTarget({...fresh, ...change})).toThrow(
      expect.objectContaining({code: 'TARGET_REFUSED', message: expect.stringContaining(why)}),
    );
  });
});
