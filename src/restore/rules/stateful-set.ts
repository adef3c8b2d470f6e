import {arrayAt, isJsonObject, stringAt, withAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule, type RuleRemark} from './rule.ts';
import {chooseStorageClass} from './storage-class.ts';

/** The claims that a set makes later need a storage class of the target too. */
export const statefulSet: Rule = {
  name: 'claim-templates',
  kinds: ['StatefulSet.apps'],
  apply: (object, context) => {
    const notes: RuleRemark[] = [];
    const templates = arrayAt(object, 'spec', 'volumeClaimTemplates').map((template, index) => {
      if (!isJsonObject(template)) return template;
      const path = `spec.volumeClaimTemplates[${index}].spec.storageClassName`;
      const choice = chooseStorageClass(stringAt(template, 'spec', 'storageClassName') ?? '', path, context);
      if (choice) notes.push(choice.note);
      const bare = withoutAt(template, ['status']);
      return choice?.storageClass === undefined
        ? bare
        : withAt(bare, ['spec', 'storageClassName'], choice.storageClass);
    });
    if (notes.length === 0) return undefined;
    const [first, ...more] = notes;
    const change = new Change(object);
    if (first) change.to(withAt(object, ['spec', 'volumeClaimTemplates'], templates), first);
    for (const note of more) change.remark(note);
    return change.verdict();
  },
};
