#!/usr/bin/env node
// Brings a local cluster up or down. terraform/local runs this; it needs Node.js 24.
import {existsSync} from 'node:fs';

const compiled = new URL('../lib/local/command.js', import.meta.url);
const {runLocalCommand} = existsSync(compiled)
  ? await import(compiled.href)
  : await import(new URL('../src/local/command.ts', import.meta.url).href);
process.exitCode = await runLocalCommand(process.argv.slice(2), line => process.stdout.write(`${line}\n`));
