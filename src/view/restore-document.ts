import type {PreviewedObject} from '../restore/compare.ts';
import type {RestoreFinding} from '../restore/findings.ts';
import type {RestorePlan} from '../restore/preview.ts';
import {groupKind} from '../snapshot/exclude.ts';
import {formatPath} from '../std/json-diff.ts';

export interface FoundPreview {
  plan: RestorePlan;
  snapshot: string;
  target: {version: string} | {context: string; server: string; uid: string; version: string};
  /** Undefined when there is no target to compare with. */
  objects: readonly PreviewedObject[] | undefined;
  findings: readonly RestoreFinding[];
}

/** What `pra restore preview --json` prints. */
export function previewDocument({plan, snapshot, target, objects, findings}: FoundPreview) {
  const count = (action: PreviewedObject['action']) =>
    objects?.filter(object => object.action === action).length ?? 0;
  return {
    apiVersion: 'pra/v1',
    kind: 'RestorePreview',
    snapshot,
    target,
    mode: plan.mode,
    counts: {
      selected: plan.expected,
      skipped: plan.skipped.length,
      ...(objects
        ? {
            create: count('create'),
            update: count('update'),
            recreate: count('recreate'),
            unchanged: count('unchanged'),
            leave: count('leave'),
            delete: count('delete'),
            refused: count('refused'),
          }
        : {}),
    },
    waves: plan.waves.map(({name, layer, when, items}) => ({
      name,
      layer,
      when,
      objects: items.map(({ref}) => ref),
    })),
    groups: plan.groups.map(({name, dependsOn, operators, workloads, late, resumed}) => ({
      name,
      dependsOn,
      starts: [...operators, ...workloads].map(({item, replicas}) => ({ref: item.ref, replicas})),
      late: late.map(({ref}) => ref),
      resumed: resumed.map(({item}) => item.ref),
    })),
    objects: objects?.map(({type, namespace, name, wave, action, reason, fields}) => ({
      kind: groupKind(type),
      namespace,
      name,
      wave,
      action,
      reason,
      fields: fields.map(field => ({...field, path: formatPath(field.path)})),
    })),
    skipped: plan.skipped,
    changes: plan.changes,
    guards: plan.guards,
    waived: plan.waived,
    findings,
    notTested: plan.notTested,
  };
}
