import {Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {retentionFlags, retentionOf} from '../../cli/retention-flags.ts';
import {PraError} from '../../errors.ts';
import {forgetByRetention, forgetSnapshots} from '../../repository/forget.ts';
import type {Repository} from '../../repository/repository.ts';
import type {RetentionDecision} from '../../repository/retention.ts';
import {findRoot, rootKey, type SnapshotRoot} from '../../repository/snapshot-root.ts';
import {renderForgotten} from '../../view/repository.ts';

export default class SnapshotForget extends BaseCommand<typeof SnapshotForget> {
  static override summary = 'forget snapshots, by id or by rules';
  static override description =
    `A forgotten snapshot is gone for every command; what only it held is deleted by pra repository prune. Rules (--keep-…) count for
each plan and cluster by themselves; the newest of each always stays, and so does one with the tag keep. A snapshot whose file is
damaged can be forgotten by its whole id.

Exit codes: 0; 2 no such snapshot, or neither ids nor rules; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot forget 20261123T154501Z-1a2b3c4d -f plan.yaml',
    '<%= config.bin %> snapshot forget -f plan.yaml --keep-last 3 --keep-daily 14 --dry-run',
  ];
  static override strict = false;
  static override usage = 'snapshot forget [ID...] [--keep-...]';
  static override flags = {
    ...repositoryFlags,
    ...retentionFlags,
    'dry-run': Flags.boolean({description: 'only tell what would be forgotten'}),
  };

  async run(): Promise<void> {
    const dryRun = this.flags['dry-run'];
    const {argv} = await this.parse(SnapshotForget);
    const ids = argv.map(String);
    const retention = retentionOf(this.flags);
    if (ids.length > 0 === (retention !== undefined)) {
      throw new PraError('USAGE', 'say which snapshots: either ids or rules', {
        next: [
          'pra snapshot forget ID -f plan.yaml',
          'pra snapshot forget -f plan.yaml --keep-last 3 --dry-run',
        ],
      });
    }
    const {repository, loaded} = await openByFlags(this.flags, {
      usage: 'pra snapshot forget',
      signal: this.signal,
    });
    const plan = loaded?.plan.metadata.name;
    let decisions: RetentionDecision<Forgettable>[] = [];
    if (retention) {
      decisions = await forgetByRetention(repository, retention, {plan, dryRun, signal: this.signal});
    } else {
      // All are looked up first, so that a wrong id forgets none.
      for (const id of ids)
        decisions.push({
          root: await findForgettable(repository, id, {plan, signal: this.signal}),
          reasons: [],
        });
      if (!dryRun)
        await forgetSnapshots(
          repository,
          decisions.map(({root}) => root.id),
          {signal: this.signal},
        );
    }
    const items = decisions.map(({root, reasons}) => ({
      id: root.id,
      forgotten: reasons.length === 0,
      reasons,
    }));
    this.print({apiVersion: 'pra/v1', kind: 'SnapshotForget', dryRun, items}, () =>
      renderForgotten(decisions, dryRun),
    );
  }
}

type Forgettable = Pick<SnapshotRoot, 'id'> & Partial<Pick<SnapshotRoot, 'plan' | 'createdAt'>>;

/** By its whole id one that is damaged can be forgotten too: until then, nothing can be pruned. */
async function findForgettable(
  repository: Repository,
  reference: string,
  options: {plan: string | undefined; signal: AbortSignal},
): Promise<Forgettable> {
  try {
    return await findRoot(repository, reference, options);
  } catch (error) {
    const damaged = error instanceof PraError && error.code === 'REPOSITORY_CORRUPT';
    if (damaged && (await repository.store.has(rootKey(reference), options))) return {id: reference};
    throw error;
  }
}
