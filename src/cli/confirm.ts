import {createInterface} from 'node:readline/promises';
import {PraError} from '../errors.ts';

/**
 * Has a person type a word before something that cannot be undone. Without a terminal on both ends nobody can, and nothing
 * is done.
 * @throws PraError USAGE without a terminal or with another word, INTERRUPTED
 */
export async function confirmTyped(
  question: string,
  {word, next, signal}: {word: string; next: string[]; signal: AbortSignal},
): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new PraError('USAGE', 'this needs to be confirmed, and there is no terminal', {next});
  const terminal = createInterface({input: process.stdin, output: process.stderr});
  try {
    const typed = await terminal.question(`${question}\nType ${word} to go on: `, {signal});
    if (typed.trim() !== word) throw new PraError('USAGE', `${word} was not typed, so nothing was done`);
  } catch (error) {
    if (error instanceof PraError) throw error;
    throw new PraError('INTERRUPTED', 'stopped before anything was done', {cause: error});
  } finally {
    terminal.close();
  }
}

/**
 * Has a word confirmed: as `--confirm` gave it, or typed.
 * @throws PraError USAGE when another word was given or typed, or none and there is no terminal
 */
export async function confirmWord(options: {
  word: string;
  given: string | undefined;
  /** What the word is the name of. */
  what: string;
  signal: AbortSignal;
}): Promise<void> {
  const {word, given, what, signal} = options;
  if (given === word) return;
  const next = [`say it with --confirm ${word}`];
  if (given !== undefined)
    throw new PraError('USAGE', `--confirm ${given} is not the name of ${what}, ${word}`, {next});
  await confirmTyped('', {word, next, signal});
}
