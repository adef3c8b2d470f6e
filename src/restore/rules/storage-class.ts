import type {RuleContext, RuleRemark} from './rule.ts';

/** The class that a claim gets in the target: undefined keeps what it has. */
export interface StorageClassChoice {
  storageClass: string | undefined;
  note: RuleRemark;
}

/**
 * Chooses a storage class in the target for one of the source: by the plan's map, the same name if it exists or comes
 * with the snapshot, else the target's default with a finding.
 * @returns undefined when the claim keeps its class.
 */
export function chooseStorageClass(
  source: string,
  path: string,
  context: RuleContext,
): StorageClassChoice | undefined {
  const mapped = context.policy.storageClasses[source];
  const known = (name: string) =>
    context.target.storageClasses.some(storageClass => storageClass.name === name);
  if (mapped !== undefined) {
    const note: RuleRemark = {
      path,
      reason: `storage class ${source} is ${mapped} in the target, by the plan`,
    };
    return {
      storageClass: mapped,
      note: known(mapped)
        ? note
        : {
            ...note,
            severity: 'error',
            reason: `the plan maps storage class ${source} to ${mapped}, which the target does not have`,
          },
    };
  }
  if (source === '' || known(source)) return undefined;
  const byDefault = context.target.storageClasses.find(storageClass => storageClass.isDefault);
  if (byDefault) {
    const reason = `the target has no storage class ${source}: its default ${byDefault.name} is used`;
    return {storageClass: byDefault.name, note: {path, reason, severity: 'warning'}};
  }
  if (context.find('StorageClass.storage.k8s.io', undefined, source)) return undefined;
  const reason = `the target has neither storage class ${source} nor a default: map it under target.requires.storageClasses`;
  return {storageClass: undefined, note: {path, reason, severity: 'error'}};
}
