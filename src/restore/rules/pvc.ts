import type {KubeObject} from '../../cluster/object.ts';
import {stringAt, withAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from './rule.ts';
import {chooseStorageClass} from './storage-class.ts';

/** Written by the controllers that bound the claim in the source. */
const BINDING = [
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'volume.kubernetes.io/selected-node',
  'volume.kubernetes.io/storage-provisioner',
  'volume.beta.kubernetes.io/storage-provisioner',
];

/** A claim comes back unbound, so that the target provisions a volume of its own, which the volume engine fills. */
export const pvc: Rule = {
  name: 'volume-claim',
  kinds: ['PersistentVolumeClaim'],
  apply: (object, context) => {
    const change = new Change(object);
    const unbound = BINDING.reduce<KubeObject>(
      (claim, name) => withoutAt(claim, ['metadata', 'annotations', name]),
      object,
    );
    change.to(withoutAt(unbound, ['spec', 'volumeName']), {
      path: 'spec.volumeName',
      reason: 'the claim is bound to a new volume of the target',
    });
    for (const field of ['dataSource', 'dataSourceRef']) {
      change.to(withoutAt(change.object, ['spec', field]), {
        path: `spec.${field}`,
        reason: 'the data comes from the snapshot, not from a volume of the source',
      });
    }
    const path = 'spec.storageClassName';
    const choice = chooseStorageClass(stringAt(object, 'spec', 'storageClassName') ?? '', path, context);
    if (choice?.storageClass !== undefined) {
      change.to(withAt(change.object, ['spec', 'storageClassName'], choice.storageClass), choice.note);
    } else if (choice) change.remark(choice.note);
    return change.verdict();
  },
};
