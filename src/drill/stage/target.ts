import {join} from 'node:path';
import {connectCluster} from '../../cluster/client.ts';
import {readIdentity} from '../../cluster/identity.ts';
import {listNamespaces} from '../../cluster/namespaces.ts';
import type {DrillGuard} from '../../evidence/record.ts';
import {MOVER_IMAGE, moverImage} from '../../image/mover.ts';
import {pidStartedAt} from '../../std/pid.ts';
import {applyTarget} from '../../terraform/run.ts';
import {prepareWorkspace} from '../../terraform/workspace.ts';
import {resolveTerraform} from '../../tool/terraform.ts';
import type {StepDefinition, StepHandle} from '../graph.ts';
import {refuseOtherTarget} from '../guard/confirmed-target.ts';
import {refuseWrongTarget} from '../guard/wrong-target.ts';
import type {DrillRun} from '../run-state.ts';

const APPLY_TIMEOUT_MS = 45 * 60_000;

/** Brings up the target by Terraform. What is about to be made is in the journal before it is made. */
export function applyStep(run: DrillRun, dependsOn: string[]): StepDefinition {
  return {
    id: 'target',
    name: 'target: terraform apply',
    phase: 'target',
    dependsOn,
    run: async step => {
      const {terraform} = run.plan.spec.target;
      const tool = await resolveTerraform({signal: step.signal, onProgress: step.progress});
      run.log.tools.push({name: tool.name, version: tool.version});
      const workspace = await prepareWorkspace({
        binary: tool.path,
        moduleDir: terraform.dir,
        dir: join(run.dir, 'terraform'),
        vars: terraform.vars,
        varFile: terraform.varFile,
        offered: {
          name: `pra-${run.drillId}`,
          pra_drill_id: run.drillId,
          node_binary: process.execPath,
          ...(await moverImageFor(run, step)),
        },
      });
      run.journal.append({act: 'target', ...workspace});
      run.workspace = workspace;
      run.log.target = {
        provider: 'unknown',
        module: terraform.dir,
        facts: {},
        segregation: {isolated: false, proof: []},
      };
      const outputs = await applyTarget(workspace, {
        signal: step.signal,
        timeoutMs: APPLY_TIMEOUT_MS,
        onLine: step.progress,
        onSpawn: pid =>
          run.journal.append({act: 'terraform', pid, pidStartedAt: pidStartedAt(pid) ?? 'gone'}),
      });
      run.outputs = outputs;
      run.target = await connectCluster({kubeconfig: outputs.kubeconfigPath, userAgent: run.userAgent});
      return `${outputs.facts.provider} at ${outputs.endpoint}`;
    },
  };
}

/** The image of movers, when the plan has none of its own and volumes are to be filled; for modules that want it. */
async function moverImageFor(run: DrillRun, {signal, progress}: StepHandle): Promise<Record<string, string>> {
  const isOurs = run.plan.spec.mover.image === undefined || run.plan.spec.mover.image === MOVER_IMAGE;
  if (!isOurs || !run.hasClaims) return {};
  return {mover_image: await moverImage({signal, onProgress: progress})};
}

/** Guards that look at the target before anything is written to it. */
export function guardStep(run: DrillRun): StepDefinition {
  return {
    id: 'guard',
    name: 'target: guards',
    phase: 'target',
    dependsOn: ['target', 'snapshot'],
    run: async step => {
      const {target, outputs} = run.needTarget();
      const snapshot = run.needSnapshot();
      const [identity, namespaces] = await Promise.all([
        readIdentity(target, {signal: step.signal}),
        listNamespaces(target, {signal: step.signal}),
      ]);
      const destination = run.recovery?.destination;
      run.log.guard(
        destination?.kind === 'cluster'
          ? refuseOtherTarget(identity.uid, destination.uid, snapshot.source.uid)
          : refuseWrongTarget({
              target: identity,
              source: {uid: snapshot.source.uid, server: snapshot.source.server},
              protectedUid: run.plan.spec.source.clusterUID,
              namespaces,
              wanted: snapshot.namespaces,
            }),
      );
      run.log.guard(egressGuard(run, outputs.facts.isolated));
      run.log.target = {
        provider: outputs.facts.provider,
        ...(destination?.kind === 'cluster' ? {} : {module: run.plan.spec.target.terraform.dir}),
        clusterUid: identity.uid,
        version: identity.version,
        endpoint: outputs.endpoint,
        facts: run.jsonFacts(),
        segregation: {isolated: false, proof: [segregationOf(run, outputs.facts.isolated)]},
      };
      if (run.mode === 'drill')
        run.log.notTested.push({
          what: 'isolation, from inside the target',
          reason: 'the module states it; no pod of the target tried to get out',
        });
      run.log.mark('T1');
      return `Kubernetes ${identity.version}, ${destination?.kind === 'cluster' ? 'the one that was confirmed' : 'not the source, empty'}`;
    },
  };
}

function egressGuard({mode}: DrillRun, isolated: boolean): DrillGuard {
  const guard = {number: 2, name: 'deny egress by infrastructure'};
  if (mode === 'recover')
    return {
      ...guard,
      state: 'notApplicable',
      detail: 'a recovery goes back into service: it is to reach the world',
    };
  if (!isolated)
    return {...guard, state: 'failed', detail: 'the Terraform module states that the target is not isolated'};
  return {
    ...guard,
    state: 'stated',
    detail: 'the Terraform module states that the target has no way out; no pod of the target tried',
  };
}

function segregationOf({mode}: DrillRun, isolated: boolean): string {
  if (mode === 'recover') return 'a recovery is not isolated: it goes back into service';
  return isolated
    ? 'the module states isolation; it was not probed from inside the target'
    : 'the module states no isolation';
}
