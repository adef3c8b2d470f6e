import {readFile} from 'node:fs/promises';
import {PraError} from '../errors.ts';

/**
 * The passphrase of the repository: the first line of the file in PRA_PASSPHRASE_FILE, or PRA_PASSPHRASE.
 * Never a flag, which every process of the machine could read.
 * @throws PraError REPOSITORY_KEY_MISSING
 */
export async function readPassphrase(): Promise<string> {
  const file = process.env.PRA_PASSPHRASE_FILE;
  if (file) {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new PraError('REPOSITORY_KEY_MISSING', `the passphrase file ${file} cannot be read`, {
        cause: error,
      });
    });
    const line = text.split('\n', 1)[0] ?? '';
    if (line !== '') return line;
    throw new PraError('REPOSITORY_KEY_MISSING', `the passphrase file ${file} is empty`);
  }
  const given = process.env.PRA_PASSPHRASE;
  if (given) return given;
  throw new PraError('REPOSITORY_KEY_MISSING', 'no passphrase was given for the repository', {
    next: ['export PRA_PASSPHRASE_FILE=/path/of/a/file', 'or export PRA_PASSPHRASE'],
  });
}
