import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {repositoryOf} from '../../cli/wiring.ts';
import {PraError} from '../../errors.ts';
import {loadPlan} from '../../plan/load.ts';
import {bucketOf} from '../../repository/open.ts';
import {POLICY_ROLES, repositoryPolicy} from '../../repository/policy.ts';

export default class RepoPolicy extends BaseCommand<typeof RepoPolicy> {
  static override summary = 'print the least IAM policy for a repository in a bucket';
  static override description =
    `A reader lists and restores. A writer adds snapshots, and can neither delete nor, on AWS, overwrite what is there.
A pruner also deletes what no snapshot needs. A mover is restic in the pods that read and fill volumes (spec.mover.credentials):
it has the volumes, and deletes nothing but its own locks. It contacts nothing. With -f, the policy also has what Object Lock and
encryption of the plan need. docs/object-storage.md says what each statement is for.`;
  static override examples = [
    '<%= config.bin %> repository policy --for writer -f plan.yaml > writer.json',
    '<%= config.bin %> repository policy --for reader --repository s3://dr/shop',
    '<%= config.bin %> repository policy --for mover -f plan.yaml > mover.json',
  ];
  static override flags = {
    ...repositoryFlags,
    for: Flags.option({
      description: 'who gets the policy',
      options: POLICY_ROLES,
      required: true,
    })(),
  };

  async run(): Promise<void> {
    const loaded = this.flags.plan === undefined ? undefined : await loadPlan(this.flags.plan);
    const where = repositoryOf(loaded, this.flags);
    if (!where)
      throw new PraError('USAGE', 'no repository was given', {
        next: [
          'pra repository policy --for writer -f plan.yaml',
          'pra repository policy --for writer --repository URL',
        ],
      });
    const bucket = bucketOf(where.url);
    if (!bucket)
      throw new PraError('USAGE', `${where.url} is in no bucket, so there is no policy for it`, {
        next: ['give a folder to those who may use it: chown, chmod'],
      });
    const policy = repositoryPolicy(this.flags.for, bucket, where.options);
    this.print(policy, () => JSON.stringify(policy, undefined, 2));
  }
}
