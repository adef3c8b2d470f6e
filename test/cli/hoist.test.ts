import {describe, expect, it} from 'vitest';
import {hoistGlobalFlags} from '../../src/cli/hoist.ts';

describe('hoistGlobalFlags', () => {
  it.each([
    [
      ['--context', 'x', 'drill', 'run', 'p'],
      ['drill', 'run', 'p', '--context', 'x'],
    ],
    [
      ['--json', '--kubeconfig=f', 'drill', 'list'],
      ['drill', 'list', '--json', '--kubeconfig=f'],
    ],
    [
      ['drill', 'run', '--json'],
      ['drill', 'run', '--json'],
    ],
    [['--help'], ['--help']],
    [['--json'], ['--json']],
    [[], []],
  ])('%j becomes %j', (given, wanted) => expect(hoistGlobalFlags(given)).toEqual(wanted));
});
