import {Flags} from '@oclif/core';
import {BaseCommand} from '../cli/base-command.ts';
import {clusterFlags} from '../cli/flags.ts';
import {connectSource, sourceOf} from '../cli/wiring.ts';
import {PraError} from '../errors.ts';
import {inspectCluster} from '../init/inspect.ts';
import {planName} from '../init/names.ts';
import {type Skeleton, writeSkeleton} from '../init/skeleton.ts';
import {refuseExisting, writePlan} from '../init/write-plan.ts';

export default class Init extends BaseCommand<typeof Init> {
  static override summary = 'write a plan from what a live cluster runs';
  static override description =
    `Writes a plan to begin with: namespaces, rules for the databases that it recognises, groups in a likely order, probes. What it
cannot decide, such as a volume that is no known database, becomes a question in the plan, which is not valid until it is answered.

It only reads. It gets the version and the namespace kube-system, and lists Namespaces, Pods, ReplicaSets, Deployments, StatefulSets,
DaemonSets, CronJobs, PersistentVolumeClaims and Services. With less rights the plan knows less: Ingresses, custom resources and their
definitions, and Secrets of the chosen namespaces, in which it looks for DSNs of PostgreSQL. No value of a Secret is written.

Exit codes: 0 written; 1 error; 2 the file is there already, or no such namespace.`;
  static override examples = [
    '<%= config.bin %> init',
    '<%= config.bin %> init --context prod --namespace "shop*" --name shop --output plans/shop.yaml',
    '<%= config.bin %> init --dry-run',
  ];
  static override flags = {
    ...clusterFlags,
    namespace: Flags.string({
      char: 'n',
      description: 'namespace or glob to protect; all but those of the system by default',
      multiple: true,
      multipleNonGreedy: true,
      helpGroup: 'CLUSTER',
    }),
    name: Flags.string({description: 'name of the plan; that of the context by default'}),
    output: Flags.string({char: 'o', description: 'file to write', default: 'plan.yaml'}),
    force: Flags.boolean({description: 'overwrite the file if it is there'}),
    'dry-run': Flags.boolean({description: 'print the plan on stdout instead of writing it'}),
  };

  async run(): Promise<void> {
    const {output: file, force, name} = this.flags;
    const isDryRun = this.flags['dry-run'];
    if (name !== undefined && planName(name) !== name)
      throw new PraError('USAGE', `"${name}" cannot be the name of a plan`, {
        next: [`--name ${planName(name)}`],
      });
    if (!force && !isDryRun) await refuseExisting(file);
    const cluster = await connectSource(undefined, this.flags, `pra/${this.config.version}`);
    try {
      const facts = await inspectCluster(cluster, {
        namespaces: this.flags.namespace ?? [],
        signal: this.signal,
      });
      for (const sentence of facts.unread) this.note(sentence);
      const {context} = sourceOf(undefined, this.flags);
      const skeleton = writeSkeleton(facts, {name: name ?? planName(cluster.context), context});
      if (!isDryRun) await writePlan(file, skeleton.text, {force});
      const {text, databases, questions} = skeleton;
      const namespaces = facts.scope.names;
      const where = isDryRun ? {plan: text} : {file};
      const result = {apiVersion: 'pra/v1', kind: 'PlanSkeleton', ...where, namespaces, databases, questions};
      this.print(result, () => (isDryRun ? text.trimEnd() : renderResult(file, skeleton)));
    } finally {
      await cluster.close();
    }
  }
}

function renderResult(file: string, {databases, questions}: Skeleton): string {
  const known = databases.map(({workload, database}) => `  ${database}: ${workload}`);
  const open = questions.map(question => `  ${question}`);
  return [
    `wrote ${file}`,
    ...(known.length > 0 ? ['databases that it saves:', ...known] : []),
    ...(open.length > 0 ? ['to decide, before it is valid:', ...open] : []),
    `next: pra plan validate ${file}`,
  ].join('\n');
}
