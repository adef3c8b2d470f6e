import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {clusterFlags, repositoryFlags} from '../../cli/flags.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {connectSource} from '../../cli/wiring.ts';
import {EXIT, PraError} from '../../errors.ts';
import {findRoot, type SnapshotRoot} from '../../repository/snapshot-root.ts';
import {captureLive, diffSnapshots, type ObjectDiff} from '../../snapshot/diff.ts';
import {groupKind} from '../../snapshot/exclude.ts';
import {selectOfPlan} from '../../snapshot/plan-select.ts';
import {formatPath} from '../../std/json-diff.ts';
import {renderDiff} from '../../view/diff.ts';

export default class SnapshotDiff extends BaseCommand<typeof SnapshotDiff> {
  static override summary = 'show what changed between two snapshots, or since one in the live cluster';
  static override description =
    `Objects that were added (+), removed (-) and changed (~), with the fields that did. With --live the cluster is captured as a snapshot
would be, in memory, which needs the plan. Values of Secrets are never shown.

Exit codes: 0; 7 something differs, with --exit-code; 2 no such snapshot; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> snapshot diff 20261122T150000Z latest -f plan.yaml',
    '<%= config.bin %> snapshot diff latest --live -f plan.yaml --exit-code',
    '<%= config.bin %> snapshot diff 20261122T150000Z --stat -f plan.yaml',
  ];
  static override args = {
    before: Args.string({description: 'the older snapshot', required: true}),
    after: Args.string({description: 'the newer one; latest by default'}),
  };
  static override flags = {
    ...repositoryFlags,
    ...clusterFlags,
    live: Flags.boolean({description: 'compare with the live cluster'}),
    namespace: Flags.string({char: 'n', description: 'only in these namespaces', multiple: true}),
    kind: Flags.string({description: 'only these kinds, such as Deployment', multiple: true}),
    name: Flags.string({description: 'only objects of these names', multiple: true}),
    stat: Flags.boolean({description: 'only how many, by namespace and kind'}),
    'exit-code': Flags.boolean({description: 'end with 7 when something differs'}),
  };

  async run(): Promise<void> {
    const {live} = this.flags;
    if (live && this.args.after !== undefined)
      throw new PraError('USAGE', 'either a second snapshot or --live');
    const opened = await openByFlags(this.flags, {usage: 'pra snapshot diff A B', signal: this.signal});
    const plan = opened.loaded?.plan.metadata.name;
    const find = (reference: string) => findRoot(opened.repository, reference, {plan, signal: this.signal});
    const before = await find(this.args.before);
    const {repository, after} = live
      ? await this.captureLive(opened, before)
      : {repository: opened.repository, after: await find(this.args.after ?? 'latest')};
    const diffs: ObjectDiff[] = [];
    const {namespace: namespaces, kind: kinds, name: names} = this.flags;
    for await (const diff of diffSnapshots(repository, before, after, {
      namespaces,
      kinds,
      names,
      withoutFields: this.flags.stat,
      signal: this.signal,
    }))
      diffs.push(diff);
    const items = diffs.map(({type, namespace, name, change, fields}) => ({
      kind: groupKind(type),
      namespace,
      name,
      change,
      fields: fields.map(field => ({...field, path: formatPath(field.path)})),
    }));
    const document = {apiVersion: 'pra/v1', kind: 'SnapshotDiff', before: before.id, after: after.id, items};
    this.print(document, () =>
      renderDiff(diffs, {before: before.id, after: after.id, stat: this.flags.stat, color: this.color}),
    );
    if (diffs.length > 0 && this.flags['exit-code']) this.finish(EXIT.different);
  }

  private async captureLive(
    {repository, loaded}: Awaited<ReturnType<typeof openByFlags>>,
    parent: SnapshotRoot,
  ) {
    if (!loaded)
      throw new PraError('USAGE', '--live needs the plan, which says what to capture', {
        next: ['pra snapshot diff latest --live -f plan.yaml'],
      });
    const cluster = await connectSource(loaded, this.flags, `pra/${this.config.version}`);
    try {
      const select = selectOfPlan(loaded.plan);
      const captured = await captureLive({repository, parent, cluster, select, signal: this.signal});
      return {repository: captured.repository, after: captured.live};
    } finally {
      await cluster.close();
    }
  }
}
