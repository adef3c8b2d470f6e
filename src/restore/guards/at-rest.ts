import {inertForm} from '../inert.ts';
import {Change, type Rule} from '../rules/rule.ts';

/**
 * Guard 5: nothing runs before its group is started; CronJobs and Jobs do not run in a drill at all. A recovery that
 * starts by groups does the same, so that `dependsOn` holds there too.
 */
export const atRest: Rule = {
  name: 'at-rest',
  kinds: [
    'Deployment.apps',
    'StatefulSet.apps',
    'ReplicaSet.apps',
    'ReplicationController',
    'DaemonSet.apps',
    'CronJob.batch',
    'Job.batch',
  ],
  guard: 5,
  when: context => context.inert,
  apply: object => {
    const form = inertForm(object);
    return form && new Change(object).to(form.object, {path: form.path, reason: form.reason}).verdict();
  },
};
