import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {clusterFlags} from '../../cli/flags.ts';
import {connectSource, openPlanRepository, repositoryOf, requireSource} from '../../cli/wiring.ts';
import {tellSnapshot} from '../../drill/stage/snapshot.ts';
import {takeSnapshot} from '../../drill/take-snapshot.ts';
import {PraError} from '../../errors.ts';
import {loadPlan} from '../../plan/load.ts';
import type {Capture} from '../../snapshot/capture.ts';
import type {SnapshotEvent} from '../../snapshot/event.ts';
import {type FollowEvent, followCluster} from '../../snapshot/follow.ts';
import {selectOfPlan} from '../../snapshot/plan-select.ts';
import {parseDuration} from '../../std/duration.ts';
import {renderFollow, summaryOfFollow} from '../../view/follow.ts';
import {renderSnapshot} from '../../view/snapshot.ts';
import {openRestic} from '../../volume/restic.ts';

export default class SnapshotCreate extends BaseCommand<typeof SnapshotCreate> {
  static override summary = 'take a snapshot of the objects and volumes of a plan';
  static override description =
    `Writes the canary, measures the baselines of the probes, saves the volumes, captures the objects, and writes the root last: a
snapshot that was broken off does not exist, and what it had stored is used again. Hooks run before the baselines and after the
objects, also when something failed or was interrupted. The repository is made where there is none.

With --follow it then watches the cluster, and writes a snapshot of what changed every few seconds. Volumes and canary are those of the
last whole snapshot, and drills measure the RPO of such a snapshot by them. It needs the right to watch: pra plan rbac --follow.

Exit codes: 0 taken; 1 error; 2 invalid plan; 3 a volume, dump or hook failed; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot create plan.yaml',
    '<%= config.bin %> snapshot create plan.yaml --repository s3://dr/shop --json',
    '<%= config.bin %> snapshot create plan.yaml --follow --every 5s --whole-every 30m',
  ];
  static override args = {plan: Args.string({description: 'plan file', required: true})};
  static override flags = {
    ...clusterFlags,
    repository: Flags.string({description: 'URL of the repository, instead of that of the plan'}),
    full: Flags.boolean({description: 'compare with no earlier snapshot, and write everything'}),
    follow: Flags.boolean({
      description: 'go on: watch the cluster and write what changes, until Ctrl-C',
      helpGroup: 'FOLLOW',
    }),
    every: Flags.string({
      description: 'how often what changed is written: the RPO of objects',
      default: '10s',
      helpGroup: 'FOLLOW',
    }),
    'whole-every': Flags.string({
      description:
        'how often a whole snapshot is taken, with volumes, hooks, canary and baselines: the RPO of data',
      default: '1h',
      helpGroup: 'FOLLOW',
    }),
  };

  private toldAt = performance.now();

  async run(): Promise<void> {
    const loaded = await loadPlan(this.args.plan);
    const where = repositoryOf(loaded, this.flags);
    if (!where) throw new PraError('USAGE', 'no repository was given');
    const [everyMs, wholeEveryMs] = [this.durationOf('every'), this.durationOf('whole-every')];
    const cluster = await connectSource(loaded, this.flags, `pra/${this.config.version}`);
    try {
      await requireSource(cluster, this.signal);
      const {repository, options, created} = await openPlanRepository(where, {
        create: true,
        signal: this.signal,
      });
      if (created) this.note(`made a new repository at ${where.url}`);
      const restic = await openRestic({repository, store: options, signal: this.signal});
      const tool = `pra/${this.config.version}`;
      const take = (onCapture?: (capture: Capture) => void) =>
        takeSnapshot({
          loaded,
          cluster,
          repository,
          restic,
          tool,
          full: this.flags.full,
          signal: this.signal,
          onEvent: event => this.tellProgress(event),
          onCapture,
        });
      if (!this.flags.follow) {
        const root = await take();
        this.print(root, () => renderSnapshot(root));
        return;
      }
      await followCluster({
        cluster,
        repository,
        select: selectOfPlan(loaded.plan),
        tool,
        takeWhole: take,
        everyMs,
        wholeEveryMs,
        signal: this.signal,
        onEvent: event => this.tell(event),
      });
    } finally {
      await cluster.close();
    }
  }

  /** Counts come many times a second; one of them a second is enough. */
  private tellProgress(event: SnapshotEvent): void {
    if (event.type === 'progress') {
      if (performance.now() - this.toldAt < 1000) return;
      this.toldAt = performance.now();
    }
    tellSnapshot({progress: message => this.note(message)}, event);
  }

  /** One line for each event; with `--json` one document. */
  private tell(event: FollowEvent): void {
    const at = new Date();
    const text = this.flags.json
      ? JSON.stringify({at: at.toISOString(), ...summaryOfFollow(event)})
      : renderFollow(event, at);
    process.stdout.write(`${text}\n`);
  }

  private durationOf(name: 'every' | 'whole-every'): number {
    const text = this.flags[name];
    const ms = parseDuration(text);
    if (ms === undefined || ms < 1000)
      throw new PraError('USAGE', `--${name} ${text} is not a duration of a second or more`, {
        next: ['such as 10s, 5m or 1h'],
      });
    return ms;
  }
}
