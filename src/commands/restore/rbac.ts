import {Args} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {planByFlags} from '../../cli/restore.ts';
import {parseNamespaceMap, restoreFlags, selectOfFlags} from '../../cli/restore-flags.ts';
import {subjectFlags, subjectOf} from '../../cli/subject-flags.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {planClaims} from '../../restore/claim-groups.ts';
import {parseExisting} from '../../restore/existing-policy.ts';
import {restorePermissions} from '../../restore/permissions.ts';
import {imagineTarget} from '../../restore/target-facts.ts';

const {to: _to, 'to-kubeconfig': _kubeconfig, ...flags} = restoreFlags;

export default class RestoreRbac extends BaseCommand<typeof RestoreRbac> {
  static override summary = 'print the least RBAC that a restore needs in its target';
  static override description =
    `Works out the restore from the snapshot, with the same selection, plan and policies as pra restore run, and prints a ClusterRole and its
binding: what it creates, what it reads, and what it may change or delete of what is there. Where roles are restored it must be allowed
to grant what they grant (escalate, bind): who has that is an administrator in all but name, so bind it for the restore only.

Exit codes: 0 printed; 2 no such snapshot; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> restore rbac latest -f plan.yaml | kubectl --context dr-cluster apply -f -',
    '<%= config.bin %> restore rbac latest -f plan.yaml -n shop --kind Secret --existing update --user oncall@example.com',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
  };
  static override flags = {...flags, ...subjectFlags};

  async run(): Promise<void> {
    const {flags, signal} = this;
    const usage = `pra restore rbac ${this.args.snapshot}`;
    const {repository, loaded} = await openByFlags(flags, {usage, signal});
    const root = await findRoot(repository, this.args.snapshot, {plan: loaded?.plan.metadata.name, signal});
    const plan = await planByFlags({
      repository,
      root,
      loaded,
      target: imagineTarget(root.source.version),
      mode: flags.mode,
      select: selectOfFlags(flags),
      namespaces: parseNamespaceMap(flags['map-namespace'] ?? []),
      allowEmptyVolumes: true,
      signal,
    });
    const items = restorePermissions({
      plan,
      existing: parseExisting(flags.existing ?? [], 'skip'),
      name: `pra-restore-${loaded?.plan.metadata.name ?? root.id}`,
      subject: subjectOf(flags),
      fillsVolumes: (await planClaims(plan, root.volumes)).length > 0,
    });
    // JSON is YAML: kubectl takes it as it is.
    const list = {apiVersion: 'v1', kind: 'List', items};
    this.print(list, () => JSON.stringify(list, undefined, 2));
  }
}
