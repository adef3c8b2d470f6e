import type {Hook} from '@oclif/core';
import closest from 'fastest-levenshtein';
import {PraError} from '../errors.ts';
import {printError} from './print-error.ts';

/** How many letters of a command may be wrong for it to be proposed. */
const mistyped = (text: string) => Math.max(1, Math.floor(text.length / 4));

/**
 * Says what the nearest command is, as every other error is said. oclif's own plugin asks instead, and ends with an exit
 * code of its own.
 */
const commandNotFound: Hook.CommandNotFound = async ({id, argv, config}) => {
  const typed = id.split(':');
  const known = config.commands
    .filter(command => !command.hidden)
    .map(command => command.id.replaceAll(':', ' '));
  // `pra dril run` arrives as the command `dril:run`, `pra drill rum plan.yaml` with the file as a word of it.
  const guesses = [typed.slice(0, 2).join(' '), typed.slice(0, 1).join(' ')]
    .map(text => ({text, command: closest.closest(text, known)}))
    .filter(({text, command}) => command !== undefined && closest.distance(text, command) <= mistyped(text));
  const [topic = ''] = typed;
  if (guesses.length === 0 && known.some(command => command.startsWith(`${topic} `)))
    guesses.push({text: topic, command: topic});
  const error = new PraError('USAGE', `${typed.join(' ')} is not a command`, {
    next: [...new Set(guesses.slice(0, 1).map(({command}) => `pra ${command} --help`)), 'pra --help'],
  });
  printError(error, {json: argv?.includes('--json') === true, color: false});
  process.exitCode = error.exitCode;
};

export default commandNotFound;
