import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {connectTarget, planByFlags, pruneScope} from '../../cli/restore.ts';
import {parseNamespaceMap, restoreFlags, selectOfFlags} from '../../cli/restore-flags.ts';
import {EXIT} from '../../errors.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {compareWithTarget, type PreviewedObject} from '../../restore/compare.ts';
import {existingPolicyOf, parseExisting} from '../../restore/existing-policy.ts';
import {imagineTarget, readTargetFacts} from '../../restore/target-facts.ts';
import {renderPreview} from '../../view/restore.ts';
import {previewDocument} from '../../view/restore-document.ts';

export default class RestorePreview extends BaseCommand<typeof RestorePreview> {
  static override summary = 'show what a restore would do, object by object, and what stands against it';
  static override description =
    `What would be created, changed (field by field, by a server-side dry run), left and deleted, in which waves, what is altered on the
way and why, and every finding: a storage class or kind that the target does not have, an API version that Kubernetes serves no longer,
a field that cannot be changed in place, node ports that are taken, quotas, volumes without data, images that only the source can
name, webhooks without a backend. Nothing is written. Values of Secrets are never shown.

Without a cluster, --target-version tells from the snapshot alone what that version of Kubernetes would not take.

Exit codes: 0 nothing stands against it; 3 a finding is an error; 7 something would change, with --exit-code; 2 no such snapshot or
context; 10 no repository; 12 wrong key.`;
  static override examples = [
    '<%= config.bin %> restore preview latest -f plan.yaml --to dr-cluster',
    '<%= config.bin %> restore preview latest -f plan.yaml --to prod -n shop --existing update',
    '<%= config.bin %> restore preview latest -f plan.yaml --to prod -n shop --map-namespace shop=shop-copy --mode drill',
    '<%= config.bin %> restore preview latest -f plan.yaml --target-version 1.35 --json',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
  };
  static override flags = {
    ...restoreFlags,
    'target-version': Flags.string({
      description: 'judge without a cluster, for this version of Kubernetes',
      exclusive: ['to', 'to-kubeconfig'],
      helpGroup: 'TARGET',
      helpValue: '1.35',
    }),
    all: Flags.boolean({description: 'tell of every object, also of those that are created or unchanged'}),
    'exit-code': Flags.boolean({description: 'end with 7 when something would change'}),
  };

  async run(): Promise<void> {
    const {flags, signal} = this;
    const existing = parseExisting(flags.existing ?? [], 'skip');
    const namespaces = parseNamespaceMap(flags['map-namespace'] ?? []);
    const select = selectOfFlags(flags);
    const version = flags['target-version'];
    const imagined = version === undefined ? undefined : imagineTarget(version);
    const usage = `pra restore preview ${this.args.snapshot}`;
    const {repository, loaded} = await openByFlags(flags, {usage, signal});
    const root = await findRoot(repository, this.args.snapshot, {plan: loaded?.plan.metadata.name, signal});
    const planOptions = {
      repository,
      root,
      loaded,
      mode: flags.mode,
      select,
      namespaces,
      allowEmptyVolumes: false,
      signal,
    };
    if (imagined) {
      const plan = await planByFlags({...planOptions, target: imagined});
      this.tell({
        plan,
        snapshot: root.id,
        target: {version: imagined.version},
        objects: undefined,
        findings: plan.findings,
      });
      return;
    }
    const named = {context: flags.to, kubeconfig: flags['to-kubeconfig']};
    const open = await connectTarget(named, `pra/${this.config.version} restore-preview`, signal);
    const {cluster, uid} = open;
    try {
      const target = await readTargetFacts(cluster, {signal});
      const plan = await planByFlags({...planOptions, target});
      const compared = await compareWithTarget({
        cluster,
        plan,
        target,
        existing: existingPolicyOf(existing),
        scope: pruneScope(plan, select, existing),
        signal,
        onProgress: (looked, all) => this.tellProgress(looked, all),
      });
      this.tell({
        plan,
        snapshot: root.id,
        target: {context: cluster.context, server: cluster.server, uid, version: target.version},
        objects: compared.objects,
        findings: [...compared.findings, ...plan.findings],
      });
    } finally {
      await cluster.close();
    }
  }

  private toldAt = performance.now();
  private tellProgress(looked: number, all: number): void {
    if (performance.now() - this.toldAt < 2000) return;
    this.toldAt = performance.now();
    this.note(`compared ${looked} of ${all} objects`);
  }

  private tell(found: Omit<Parameters<typeof previewDocument>[0], never>): void {
    const {plan, snapshot, target, objects, findings} = found;
    const where =
      'context' in target ? `${target.context} (${target.server})` : `Kubernetes ${target.version}`;
    this.print(previewDocument(found), () =>
      renderPreview({
        plan,
        snapshot,
        target: where,
        objects,
        findings,
        all: this.flags.all,
        color: this.color,
      }),
    );
    if (findings.some(({severity}) => severity === 'error')) this.finish(EXIT.failed);
    else if (this.flags['exit-code'] && changes(objects)) this.finish(EXIT.different);
  }
}

const changes = (objects: readonly PreviewedObject[] | undefined) =>
  objects === undefined || objects.some(({action}) => action !== 'unchanged' && action !== 'leave');
