import type {PraError} from '../errors.ts';
import {errorDocument, renderError} from '../view/error.ts';

/** Shows an error as every command does: for people on stderr, and with `json` as a document on stdout too. */
export function printError(error: PraError, {json, color}: {json: boolean; color: boolean}): void {
  if (json) process.stdout.write(`${JSON.stringify(errorDocument(error), undefined, 2)}\n`);
  process.stderr.write(`${renderError(error, {color})}\n`);
}
