import {createHash} from 'node:crypto';
import type {KubeObject} from '../../src/cluster/object.ts';
import {configMap} from './snapshots.ts';

export const PASSPHRASE = 'churn';

const OBJECTS = 40;
const hash = (text: string) => createHash('sha256').update(text).digest();

/** What a writer saves at a step: some objects change at each, and some come and go. */
export function stateOf(seed: string, step: number): KubeObject[] {
  const objects: KubeObject[] = [];
  for (let i = 0; i < OBJECTS; i += 1) {
    // The last step at which this object changed.
    let changed = step;
    while (changed > 0 && (hash(`${seed} ${changed} ${i}`)[0] ?? 0) > 24) changed -= 1;
    if ((hash(`${seed} ${changed} ${i}`)[1] ?? 0) < 20) continue;
    const text = hash(`${seed} ${changed} ${i} text`).toString('hex').repeat(20);
    objects.push(configMap(`ns-${i % 3}`, `m-${i}`, {seed, changed: `${changed}`, text}));
  }
  return objects;
}
