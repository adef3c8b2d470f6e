import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {connectCluster} from '../../cluster/client.ts';
import {singleContext} from '../../cluster/kubeconfig.ts';
import type {StepDefinition} from '../graph.ts';
import {type Destination, TARGET_KUBECONFIG} from '../recovery.ts';
import type {DrillRun} from '../run-state.ts';

/** Connects to a cluster that is there. The plan's own steps get a kubeconfig that knows this cluster only. */
export function connectStep(
  run: DrillRun,
  {context, kubeconfig}: Extract<Destination, {kind: 'cluster'}>,
  dependsOn: string[],
): StepDefinition {
  return {
    id: 'target',
    name: 'target: connect to the cluster',
    phase: 'target',
    dependsOn,
    run: async () => {
      const target = await connectCluster({context, kubeconfig, userAgent: run.userAgent});
      run.target = target;
      const kubeconfigPath = join(run.dir, TARGET_KUBECONFIG);
      run.onEnd(kubeconfigPath);
      await writeFile(kubeconfigPath, await singleContext(target.kubeConfig), {flag: 'wx', mode: 0o600});
      run.outputs = {
        kubeconfigPath,
        endpoint: target.server,
        facts: {provider: 'existing', isolated: false},
      };
      return `${target.context} at ${target.server}`;
    },
  };
}
