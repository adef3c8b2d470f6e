import {Args, Flags} from '@oclif/core';
import {BaseCommand} from '../../cli/base-command.ts';
import {openByFlags} from '../../cli/open-repository.ts';
import {connectTarget, type OpenTarget} from '../../cli/restore.ts';
import {parseNamespaceMap, restoreFlags, selectOfFlags} from '../../cli/restore-flags.ts';
import {endOf, exitOf, type FinishedRestore, runRestore} from '../../cli/restore-run.ts';
import {repositoryOf} from '../../cli/wiring.ts';
import {PraError} from '../../errors.ts';
import type {LoadedPlan} from '../../plan/load.ts';
import {findRoot} from '../../repository/snapshot-root.ts';
import {parseExisting} from '../../restore/existing-policy.ts';
import {type ReadRestore, readRestore} from '../../restore/journal.ts';
import type {RestoreRequest} from '../../restore/request.ts';
import {parseDuration} from '../../std/duration.ts';
import {renderResult} from '../../view/restore.ts';

export default class RestoreRun extends BaseCommand<typeof RestoreRun> {
  static override summary = 'restore objects of a snapshot into a cluster';
  static override description =
    `Checks every byte of the snapshot, plans the order, and creates: definitions, namespaces, classes, identities, configuration, volumes,
network, operators, custom resources, workloads, routes, autoscalers when what they scale is healthy, and admission webhooks last, when
what answers them is ready. With the plan of -f its transforms, storage classes and groups count too.

Before the first write it refuses what would not be whole, and asks for the name of a target that is not empty. Every write is in a
journal: a restore that was broken off goes on with --resume. Ctrl-C ends it in order, and says what was and was not restored.

Claims of methods csi and filesystem that it creates get their data before anything mounts them, each file compared with the manifest
that was taken in the source; a claim that was there keeps what it holds. Dumps come back with pra recover or a drill.

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
      default: false,
    }),
    volumes: Flags.boolean({
      description: 'bring the data of claims back; --no-volumes leaves them empty',
      default: true,
      allowNo: true,
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
    const earlier = flags.resume === undefined ? undefined : await resumable(flags.resume);
    const {
      repository,
      loaded,
      options: store,
    } = await openByFlags(
      {
        plan: earlier?.request.planFile ?? flags.plan,
        repository: flags.repository ?? earlier?.request.repository,
      },
      {usage: `pra restore run ${this.args.snapshot} --to CONTEXT`, signal},
    );
    refuseChangedPlan(earlier, loaded);
    const reference = earlier?.request.snapshot ?? this.args.snapshot;
    const root = await findRoot(repository, reference, {plan: loaded?.plan.metadata.name, signal});
    const named = earlier?.request.target ?? {context: flags.to, kubeconfig: flags['to-kubeconfig']};
    const target = await connectTarget(named, `pra/${this.config.version} restore/${root.id}`, signal);
    try {
      refuseOtherTarget(earlier, target);
      const request: RestoreRequest = earlier?.request ?? {
        ...this.requestOf(target, root.id),
        repository: repositoryOf(loaded, flags)?.url ?? '',
        planFile: loaded?.file,
        planHash: loaded?.hash,
      };
      const finished = await runRestore({
        repository,
        store,
        root,
        loaded,
        target,
        request,
        earlier,
        confirm: flags.confirm,
        despiteFindings: flags['despite-findings'],
        readyTimeoutMs: timeoutMs,
        waitMs: flags.wait ? timeoutMs : undefined,
        signal,
        view: this.view,
        note: text => this.note(text),
        onId: id => {
          this.restoreId = id;
        },
      });
      this.tell(finished, request, target.cluster.context);
    } finally {
      await target.cluster.close();
    }
  }

  private tell(finished: FinishedRestore, {snapshot, target}: RestoreRequest, context: string): void {
    const {id, result, summary, error, plan} = finished;
    const endedBy = endOf(finished);
    const document = {
      apiVersion: 'pra/v1',
      kind: 'Restore',
      id,
      result,
      ...(endedBy === undefined ? {} : {endedBy}),
      snapshot,
      target,
      findings: plan.findings,
      changes: plan.changes,
      ...summary,
    };
    this.print(document, () =>
      renderResult({id, result, snapshot, target: context, summary, endedBy, color: this.color}),
    );
    if (error !== undefined && endedBy === undefined && result !== 'interrupted') throw error;
    this.finish(exitOf(finished));
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
      withoutVolumes: !flags.volumes,
    };
  }

  protected override lastWords(): string | undefined {
    return this.restoreId && `stopped at once; go on with: pra restore run --resume ${this.restoreId}`;
  }
}

/** @throws PraError USAGE while it runs, RESTORE_NOT_FOUND */
async function resumable(id: string): Promise<ReadRestore> {
  const earlier = await readRestore(id);
  if (earlier.state === 'running')
    throw new PraError('USAGE', `restore ${earlier.id} is still running`, {next: ['pra restore list']});
  return earlier;
}

function refuseChangedPlan(earlier: ReadRestore | undefined, loaded: LoadedPlan | undefined): void {
  if (earlier?.request.planHash === undefined || earlier.request.planHash === loaded?.hash) return;
  throw new PraError('USAGE', `the plan was changed since restore ${earlier.id} began`, {
    next: ['begin a new restore: what is there already is found and left'],
  });
}

function refuseOtherTarget(earlier: ReadRestore | undefined, {uid}: OpenTarget): void {
  if (!earlier || earlier.request.target.uid === uid) return;
  throw new PraError('USAGE', `the target is another cluster than the one of restore ${earlier.id}`, {
    why: `kube-system was ${earlier.request.target.uid}, and is ${uid}`,
  });
}
