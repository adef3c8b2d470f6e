/** Who cannot do without it: every use of pra, drills with the built-in local target, or only the tests. */
export type Need = 'always' | 'local target' | 'volumes' | 'tests';

/** One line of `pra doctor`. */
export interface Check {
  name: string;
  group: 'pra' | 'machine' | 'programs' | 'packages';
  /** `warning`: not there or not as it should be, but pra has another way. */
  state: 'ok' | 'missing' | 'warning';
  needed: Need;
  /** What was found, for people. */
  found?: string;
  version?: string;
  path?: string;
  from?: 'env' | 'cache' | 'path' | 'download' | 'build';
  /** The command that mends it, to paste. */
  fix?: string;
}
