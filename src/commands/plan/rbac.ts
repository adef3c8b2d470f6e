import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {clusterFlags} from '../../cli/flags.ts';
import {subjectFlags, subjectOf} from '../../cli/subject-flags.ts';
import {connectSource} from '../../cli/wiring.ts';
import {discoverResources} from '../../cluster/discover.ts';
import {listNamespaces} from '../../cluster/namespaces.ts';
import {loadPlan} from '../../plan/load.ts';
import {sourcePermissions} from '../../snapshot/permissions.ts';

export default class PlanRbac extends BaseCommand<typeof PlanRbac> {
  static override summary = 'print the least RBAC that snapshots of a plan need in the source';
  static override description =
    `Asks the source what it serves and prints Roles and bindings: lists of what is captured, commands in the pods that are dumped
or have hooks, the Secrets with DSNs, the canary. Apply them as an administrator, then run pra as the subject. A plan with at most four
namespaces, named without globs, needs no right to read others. Run it again after a change of the plan or a new CRD.`;
  static override examples = [
    '<%= config.bin %> plan rbac plan.yaml | kubectl apply -f -',
    '<%= config.bin %> plan rbac plan.yaml --user pra@example.com',
  ];
  static override args = {plan: Args.string({description: 'plan file', required: true})};
  static override flags = {
    ...clusterFlags,
    follow: Flags.boolean({description: 'also the right to watch, for pra snapshot create --follow'}),
    ...subjectFlags,
  };

  async run(): Promise<void> {
    const loaded = await loadPlan(this.args.plan);
    const subject = subjectOf(this.flags);
    const cluster = await connectSource(loaded, this.flags, `pra/${this.config.version}`);
    try {
      const [types, namespaces] = await Promise.all([
        discoverResources(cluster, {signal: this.signal}),
        listNamespaces(cluster, {signal: this.signal}),
      ]);
      const items = sourcePermissions({
        plan: loaded.plan,
        types,
        namespaces,
        subject,
        follow: this.flags.follow,
      });
      // JSON is YAML: kubectl takes it as it is.
      const list = {apiVersion: 'v1', kind: 'List', items};
      this.print(list, () => JSON.stringify(list, undefined, 2));
    } finally {
      await cluster.close();
    }
  }
}
