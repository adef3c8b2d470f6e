import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {connectTarget, type OpenTarget, planByFlags, pruneScope} from '../../cli/restore.ts';
import {confirmRisks, risksOf} from '../../cli/restore-confirm.ts';
import {parseNamespaceMap, restoreFlags, selectOfFlags} from '../../cli/restore-flags.ts';
import {repositoryOf} from '../../cli/wiring.ts';
import {EXIT, PraError} from '../../errors.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {verifyPacks} from '../../repository/verify.ts';
import {executeRestore} from '../../restore/execute.ts';
import {existingPolicyOf, parseExisting} from '../../restore/existing-policy.ts';
import {RestoreJournal, readRestore} from '../../restore/journal.ts';
import type {RestorePlan} from '../../restore/preview.ts';
import type {RestoreRequest} from '../../restore/request.ts';
import {readTargetFacts} from '../../restore/target-facts.ts';
import {parseDuration} from '../../std/duration.ts';
import {renderResult} from '../../view/restore.ts';
import {openRestoreProgress} from '../../view/restore-progress.ts';

export default class RestoreRun extends BaseCommand<typeof RestoreRun> {
  static override summary = 'restore objects of a snapshot into a cluster';
  static override description =
    `Checks every byte of the snapshot, plans the order, and creates: definitions, namespaces, classes, identities, configuration, volumes,
network, operators, custom resources, workloads, routes, autoscalers when what they scale is healthy, and admission webhooks last, when
what answers them is ready. With the plan of -f its transforms, storage classes and groups count too.

Before the first write it refuses what would not be whole, and asks for the name of a target that is not empty. Every write is in a
journal: a restore that was broken off goes on with --resume. Ctrl-C ends it in order, and says what was and was not restored. Data of
volumes comes back with a drill or a recovery (pra drill run, pra recover).

Exit codes: 0 complete; 3 incomplete, or refused before the first write; 1 error; 2 usage; 10 no repository; 12 wrong key;
130 interrupted.`;
  static override examples = [
    '<%= config.bin %> restore run latest -f plan.yaml --to dr-cluster --wait',
    '<%= config.bin %> restore run latest -f plan.yaml --to prod --confirm prod --name Secret/db-credentials --existing update',
    '<%= config.bin %> restore run latest -f plan.yaml --to prod -n shop --map-namespace shop=shop-copy --mode drill',
    '<%= config.bin %> restore run --resume latest',
  ];
  static override args = {
    snapshot: Args.string({description: 'id, a unique beginning of it, or latest', default: 'latest'}),
  };
  static override flags = {
    ...restoreFlags,
    resume: Flags.string({
      description: 'go on with a restore that was broken off, with the same selection, target and policies',
      helpValue: 'ID|latest',
      exclusive: [
        'to',
        'to-kubeconfig',
        'map-namespace',
        'existing',
        'namespace',
        'kind',
        'name',
        'selector',
      ],
    }),
    confirm: Flags.string({
      description: 'context of the target, typed out, for a target that is not empty',
      helpValue: 'CONTEXT',
    }),
    'despite-findings': Flags.boolean({
      description: 'begin although findings are errors: a part will not come back whole',
    }),
    'allow-empty-volumes': Flags.boolean({
      description: 'let claims come back empty whose data the snapshot does not hold',
    }),
    wait: Flags.boolean({description: 'wait at the end until all workloads are healthy'}),
    timeout: Flags.string({
      description: 'how long --wait waits, and how long what others need to be ready is waited for',
      default: '5m',
      helpValue: 'DURATION',
    }),
  };

  private restoreId: string | undefined;

  async run(): Promise<void> {
    const {flags, signal} = this;
    const timeoutMs = parseDuration(flags.timeout);
    if (timeoutMs === undefined)
      throw new PraError('USAGE', `--timeout ${flags.timeout} is not a duration`, {
        next: ['such as 5m or 1h'],
      });
    const earlier = flags.resume === undefined ? undefined : await readRestore(flags.resume);
    if (earlier?.state === 'running')
      throw new PraError('USAGE', `restore ${earlier.id} is still running`, {next: ['pra restore list']});
    const plan = earlier?.request.planFile ?? flags.plan;
    const {repository, loaded} = await openByFlags(
      {plan, repository: flags.repository ?? earlier?.request.repository},
      {usage: `pra restore run ${this.args.snapshot} --to CONTEXT`, signal},
    );
    if (earlier?.request.planHash !== undefined && earlier.request.planHash !== loaded?.hash)
      throw new PraError('USAGE', `the plan was changed since restore ${earlier.id} began`, {
        next: ['begin a new restore: what is there already is found and left'],
      });
    const root = await findRoot(repository, earlier?.request.snapshot ?? this.args.snapshot, {
      plan: loaded?.plan.metadata.name,
      signal,
    });
    const named = earlier
      ? {context: earlier.request.target.context, kubeconfig: earlier.request.target.kubeconfig}
      : {context: flags.to, kubeconfig: flags['to-kubeconfig']};
    const userAgent = `pra/${this.config.version} restore/${root.id}`;
    const target = await connectTarget(named, userAgent, signal);
    try {
      if (earlier && earlier.request.target.uid !== target.uid)
        throw new PraError('USAGE', `the target is another cluster than the one of restore ${earlier.id}`, {
          why: `kube-system was ${earlier.request.target.uid}, and is ${target.uid}`,
        });
      const request: RestoreRequest = earlier?.request ?? {
        ...this.requestOf(target, root.id),
        repository: repositoryOf(loaded, flags)?.url ?? '',
        planFile: loaded?.file,
        planHash: loaded?.hash,
      };
      this.note(`checking every byte of snapshot ${root.id}`);
      await verifyPacks(repository, root, {signal});
      const facts = await readTargetFacts(target.cluster, {signal});
      const restorePlan = await planByFlags({
        ...request,
        repository,
        root,
        loaded,
        target: facts,
        signal,
      });
      this.refuse(restorePlan);
      const isSource = root.source.uid === target.uid;
      const word = target.cluster.context;
      if (!earlier)
        await confirmRisks(
          risksOf({plan: restorePlan, target: facts, existing: request.existing, isSource}),
          {
            word,
            given: flags.confirm,
            where: `${word} (${target.cluster.server}, Kubernetes ${target.version}, kube-system ${target.uid})`,
            signal,
          },
        );
      const journal = earlier ? await RestoreJournal.resume(earlier.id) : await RestoreJournal.begin(request);
      this.restoreId = journal.id;
      const progress = openRestoreProgress(this.view, restorePlan);
      const {result, summary, error} = await executeRestore({
        cluster: target.cluster,
        plan: restorePlan,
        target: facts,
        existing: existingPolicyOf(request.existing),
        prune: pruneScope(restorePlan, request.select, request.existing),
        journal,
        done: earlier?.done,
        readyTimeoutMs: timeoutMs,
        waitMs: flags.wait ? timeoutMs : undefined,
        signal,
        onEvent: event => progress.listener(event),
        onHealth: health => progress.onHealth(health),
      }).finally(async () => {
        await progress.end();
        await journal.close();
      });
      const endedBy =
        error instanceof PraError ? [error.message, error.why].filter(Boolean).join(': ') : undefined;
      const document = {
        apiVersion: 'pra/v1',
        kind: 'Restore',
        id: journal.id,
        result,
        ...(endedBy === undefined ? {} : {endedBy}),
        snapshot: root.id,
        target: request.target,
        findings: restorePlan.findings,
        changes: restorePlan.changes,
        ...summary,
      };
      this.print(document, () =>
        renderResult({
          id: journal.id,
          result,
          snapshot: root.id,
          target: word,
          summary,
          endedBy,
          color: this.color,
        }),
      );
      if (error !== undefined && !(error instanceof PraError) && result !== 'interrupted') throw error;
      if (result === 'interrupted') this.finish(EXIT.interrupted);
      else if (result === 'incomplete') this.finish(EXIT.failed);
    } finally {
      await target.cluster.close();
    }
  }

  private requestOf({cluster, uid}: OpenTarget, snapshot: string) {
    const {flags} = this;
    return {
      snapshot,
      mode: flags.mode,
      target: {kubeconfig: flags['to-kubeconfig'], context: flags.to, uid, server: cluster.server},
      select: selectOfFlags(flags),
      namespaces: parseNamespaceMap(flags['map-namespace'] ?? []),
      existing: parseExisting(flags.existing ?? [], 'skip'),
      allowEmptyVolumes: flags['allow-empty-volumes'],
    };
  }

  /** @throws PraError RESTORE_REFUSED when the restore could not be whole, and nobody said to begin nevertheless */
  private refuse({findings}: RestorePlan): void {
    const errors = [
      ...new Set(findings.filter(({severity}) => severity === 'error').map(({message}) => message)),
    ];
    if (errors.length === 0) return;
    if (this.flags['despite-findings']) {
      for (const message of errors) this.note(`finding: ${message}`);
      return;
    }
    throw new PraError('RESTORE_REFUSED', `the restore would not be whole, so it was not begun`, {
      why: errors.slice(0, 5).join('; ') + (errors.length > 5 ? `; and ${errors.length - 5} more` : ''),
      next: [
        'see all of it: pra restore preview',
        ...(errors.some(message => message.includes('holds no data'))
          ? ['let volumes come back empty: --allow-empty-volumes']
          : []),
        'begin nevertheless: --despite-findings',
      ],
    });
  }

  protected override lastWords(): string | undefined {
    return this.restoreId && `stopped at once; go on with: pra restore run --resume ${this.restoreId}`;
  }
}
