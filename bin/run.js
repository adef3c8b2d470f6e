#!/usr/bin/env node
// `pra --version` answers from package.json alone: scripts ask it often, and loading a CLI framework for it costs more than Node itself.
import {readFileSync} from 'node:fs';

const args = process.argv.slice(2);
const root = new URL('..', import.meta.url);

if (args.length === 1 && args[0] === '--version') {
  const {name, version} = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  process.stdout.write(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
} else {
  const [{execute}, {hoistGlobalFlags}] = await Promise.all([
    import('@oclif/core'),
    import('../lib/cli/hoist.js'),
  ]);
  // Not awaited: a closed pipe (`pra --help | head -1`) must end the process quietly, not with exit code 13.
  void execute({args: hoistGlobalFlags(args), dir: import.meta.url});
}
