import {createObject} from '../../src/cluster/apply.ts';
import {connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {sleep} from '../../src/std/wait.ts';
import {startControlPlane} from '../bed/control-plane.ts';
import {WIDGET_CRD} from './mixed-objects.ts';

/** The API server holds back creates of a kind whose definition is new, for two seconds and more. */
const NEW_DEFINITION_MS = 4000;

export interface Timing {
  ms: number;
  objects: number;
  peakMiB: number;
}

export interface RestoreMeasured {
  raw: Timing[];
  restore: Timing[];
  /** Mean of the rounds: objects per second of a restore to those of raw creates in the same control plane. */
  ratio: number;
}

/**
 * Measures restores against raw creates of the same objects, each round in a new control plane, in one order and then the
 * other: whoever comes second finds a larger etcd.
 * @param phase runs one phase in a process of its own
 */
export async function measureRestore(
  phase: (name: 'raw-create' | 'restore', kubeconfig: string) => Promise<Timing>,
  rounds: number,
  note: (text: string) => void,
): Promise<RestoreMeasured> {
  const raw: Timing[] = [];
  const restore: Timing[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order =
      round % 2 === 0 ? (['raw-create', 'restore'] as const) : (['restore', 'raw-create'] as const);
    note(`== restore, round ${round + 1} of ${rounds}: ${order.join(', ')}`);
    const plane = await startControlPlane();
    try {
      const cluster = await connectCluster({kubeconfig: plane.kubeconfig});
      await createObject(cluster, CORE_TYPES.CustomResourceDefinition, WIDGET_CRD);
      await cluster.close();
      await sleep(NEW_DEFINITION_MS);
      for (const name of order) {
        const measured = await phase(name, plane.kubeconfig);
        (name === 'restore' ? restore : raw).push(measured);
      }
    } finally {
      await plane.stop();
    }
  }
  const rate = (one: Timing | undefined) => (one ? one.objects / one.ms : 0);
  const ratios = restore.map((one, index) => rate(one) / rate(raw[index]));
  return {raw, restore, ratio: ratios.reduce((a, b) => a + b, 0) / Math.max(1, ratios.length)};
}
