#!/usr/bin/env node
// Runs the TypeScript sources as they are: Node strips the types, so nothing stale can be executed.
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {execute, settings} from '@oclif/core';
import {hoistGlobalFlags} from '../src/cli/hoist.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const pjson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
pjson.oclif.commands = {strategy: 'pattern', target: './src/commands'};
pjson.oclif.hooks = {command_not_found: './src/cli/command-not-found'};
settings.enableAutoTranspile = false;

void execute({
  args: hoistGlobalFlags(process.argv.slice(2)),
  development: true,
  loadOptions: {root, pjson, ignoreManifest: true},
});
