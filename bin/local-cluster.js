#!/usr/bin/env node
// Brings a local cluster up or down. terraform/local runs this; it needs Node.js 24.
import {existsSync} from 'node:fs';

if (Number.parseInt(process.versions.node, 10) < 24) {
  process.stdout.write(
    `Error: local-cluster.js needs Node.js 24, this is ${process.version}\nnext: terraform's -var node_binary=PATH; bin/node24 prints the path of one\n`,
  );
  process.exit(2);
}

// The sources where they are, so that a checkout never runs what was compiled before the last change.
const source = new URL('../src/local/command.ts', import.meta.url);
const compiled = new URL('../lib/local/command.js', import.meta.url);
const {runLocalCommand} = await import((existsSync(source) ? source : compiled).href);
process.exitCode = await runLocalCommand(process.argv.slice(2), line => process.stdout.write(`${line}\n`));
