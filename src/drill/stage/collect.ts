import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {z} from 'zod';
import type {Cluster} from '../../cluster/client.ts';
import type {StepDefinition} from '../graph.ts';
import type {DrillRun} from '../run-state.ts';

const COLLECT_TIMEOUT_MS = 30_000;
const LOG_TAIL_LINES = 500;

const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({name: z.string(), namespace: z.string()}),
      spec: z.object({containers: z.array(z.object({name: z.string()}))}),
    }),
  ),
});

/**
 * Keeps what the target would take with it when it is destroyed: events and the tails of the pods' logs, in the run's
 * folder. Logs may hold personal data, so they are no part of the evidence bundle.
 */
export function collectStep(run: DrillRun, dependsOn: string[]): StepDefinition {
  return {
    id: 'collect',
    name: 'finally: collect events and logs',
    phase: 'finally',
    dependsOn,
    always: true,
    run: async step => {
      const {target} = run;
      const wanted = new Set((run.plan.spec.finally ?? []).flatMap(entry => entry.collect));
      if (!target || wanted.size === 0) return 'nothing to collect';
      const dir = join(run.dir, 'collected');
      await mkdir(dir, {recursive: true, mode: 0o700});
      if (wanted.has('events')) await collectEvents(target, dir, step.signal);
      const logs = wanted.has('podLogs')
        ? await collectLogs(target, dir, new Set(run.snapshot?.namespaces), step.signal)
        : 0;
      return `events${wanted.has('podLogs') ? ` and ${logs} logs` : ''} in ${dir}`;
    },
  };
}

async function collectEvents(target: Cluster, dir: string, signal: AbortSignal): Promise<void> {
  const events = await target.request('GET', '/api/v1/events', {
    query: {limit: '5000'},
    signal,
    timeoutMs: COLLECT_TIMEOUT_MS,
  });
  await writeFile(join(dir, 'events.json'), JSON.stringify(events), {mode: 0o600});
}

async function collectLogs(
  target: Cluster,
  dir: string,
  namespaces: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<number> {
  const pods = podList.parse(
    await target.request('GET', '/api/v1/pods', {signal, timeoutMs: COLLECT_TIMEOUT_MS}),
  );
  let kept = 0;
  for (const pod of pods.items.filter(item => namespaces.has(item.metadata.namespace))) {
    const {name, namespace} = pod.metadata;
    for (const container of pod.spec.containers) {
      const query = {container: container.name, tailLines: String(LOG_TAIL_LINES)};
      // A container that never started has no log.
      const log = await target
        .requestText('GET', `/api/v1/namespaces/${namespace}/pods/${name}/log`, {
          query,
          signal,
          timeoutMs: COLLECT_TIMEOUT_MS,
        })
        .catch(() => undefined);
      if (log === undefined) continue;
      await writeFile(join(dir, `${namespace}_${name}_${container.name}.log`), log, {mode: 0o600});
      kept += 1;
    }
  }
  return kept;
}
