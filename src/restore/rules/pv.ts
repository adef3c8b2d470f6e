import {type Rule, skip} from './rule.ts';

/**
 * A volume of the source is never made again: with the source's volumeHandle a recovered cluster would attach, and on
 * deletion destroy, the disk of production. Guard 9; it holds in every mode.
 */
export const persistentVolume: Rule = {
  name: 'no-source-volume',
  kinds: ['PersistentVolume'],
  guard: 9,
  when: () => true,
  apply: () => skip('it names a disk of the source; the target provisions its own for each claim'),
};
