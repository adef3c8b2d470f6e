import type {KubeObject} from '../../cluster/object.ts';
import {at, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from './rule.ts';

const GENERATED = [
  'controller-uid',
  'job-name',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
];

/** The API server makes selector and labels of a Job from its UID, and refuses those of another one. */
export const job: Rule = {
  name: 'job-selector',
  kinds: ['Job.batch'],
  apply: object => {
    if (at(object, 'spec', 'manualSelector') === true) return undefined;
    const paths = [
      ['spec', 'selector'],
      ...GENERATED.flatMap(name => [
        ['metadata', 'labels', name],
        ['spec', 'template', 'metadata', 'labels', name],
      ]),
      ['metadata', 'annotations', 'batch.kubernetes.io/job-tracking'],
    ];
    const bare = paths.reduce<KubeObject>((result, path) => withoutAt(result, path), object);
    return new Change(object)
      .to(bare, {path: 'spec.selector', reason: 'made from the UID of the new Job'})
      .verdict();
  },
};
