import {readFile} from 'node:fs/promises';
import {PraError} from '../errors.ts';
import {parseIdentities} from './key/age.ts';
import type {Secrets} from './key/secrets.ts';

/**
 * What this call can open repositories with, from variables: PRA_PASSPHRASE_FILE or PRA_PASSPHRASE, PRA_AGE_IDENTITY_FILE,
 * PRA_KMS_COMMAND. Secrets are never flags, which every process of the machine could read.
 * @param kms the program that the plan says, when no variable does
 * @throws PraError REPOSITORY_KEY_MISSING for a file that cannot be used
 */
export async function readSecrets(kms?: readonly string[]): Promise<Secrets> {
  const {PRA_PASSPHRASE_FILE, PRA_PASSPHRASE, PRA_AGE_IDENTITY_FILE, PRA_KMS_COMMAND} = process.env;
  return {
    passphrase: PRA_PASSPHRASE_FILE
      ? await readPassphraseFile(PRA_PASSPHRASE_FILE)
      : PRA_PASSPHRASE || undefined,
    identities: PRA_AGE_IDENTITY_FILE
      ? await parseIdentities(await read(PRA_AGE_IDENTITY_FILE, 'identity file'), PRA_AGE_IDENTITY_FILE)
      : undefined,
    kms: PRA_KMS_COMMAND ? splitCommand(PRA_KMS_COMMAND) : kms,
  };
}

/**
 * A passphrase: the first line of a file.
 * @throws PraError REPOSITORY_KEY_MISSING
 */
export async function readPassphraseFile(file: string): Promise<string> {
  const line = (await read(file, 'passphrase file')).split('\n', 1)[0] ?? '';
  if (line !== '') return line;
  throw new PraError('REPOSITORY_KEY_MISSING', `the passphrase file ${file} is empty`);
}

/** A program and its arguments, by white space: no shell reads it, so nothing in it is expanded. */
export const splitCommand = (text: string): string[] => text.split(/\s+/).filter(word => word !== '');

function read(file: string, what: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new PraError('REPOSITORY_KEY_MISSING', `the ${what} ${file} cannot be read`, {cause: error});
  });
}
