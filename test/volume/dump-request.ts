import type {DumpRequest} from '../../src/volume/dump.ts';

/** What the tests of volumes save: the database of a shop, by commands that a fake answers. */
export const dumpRequest: DumpRequest = {
  namespace: 'shop-db',
  pod: 'db-0',
  container: 'db',
  workload: 'StatefulSet/db',
  pvcs: ['data-db-0'],
  command: ['dump'],
  restoreCommand: ['restore'],
};
