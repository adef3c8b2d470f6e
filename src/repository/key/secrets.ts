import {PraError} from '../../errors.ts';
import {ageKey} from './age.ts';
import {kmsKey} from './kms.ts';
import {passphraseKey} from './passphrase.ts';
import type {KeyKind} from './slot.ts';
import type {KeyWrapper} from './wrapper.ts';

/** What can open a repository. */
export interface Secrets {
  passphrase?: string | undefined;
  /** Secret keys of age. */
  identities?: readonly string[] | undefined;
  /** The program that stands for a key management service, and its arguments. */
  kms?: readonly string[] | undefined;
}

/** For whom a new repository gets key slots. */
export interface FirstKeys extends Secrets {
  recipients?: readonly string[] | undefined;
}

/**
 * In the order in which they are tried. The passphrase first: nobody who lacks it can make a slot for it, whereas anyone can
 * encrypt to a recipient.
 */
export function wrappersOf({passphrase, identities = [], kms}: Secrets): KeyWrapper[] {
  return [
    ...(passphrase === undefined ? [] : [passphraseKey(passphrase)]),
    ...(kms === undefined ? [] : [kmsKey(kms)]),
    ...(identities.length === 0 ? [] : [ageKey(identities)]),
  ];
}

/** One for each slot of a new repository. An identity has none unless it is among the recipients. */
export function firstWrappersOf({recipients = [], ...secrets}: FirstKeys): KeyWrapper[] {
  const {identities = []} = secrets;
  return [
    ...wrappersOf({...secrets, identities: []}),
    ...[...new Set(recipients)].map(recipient => ageKey(identities, recipient)),
  ];
}

/** How a secret of each kind is given. */
export const HOW_TO_GIVE: Record<KeyKind, string> = {
  passphrase: 'export PRA_PASSPHRASE_FILE=/path/of/a/file, or PRA_PASSPHRASE',
  age: 'export PRA_AGE_IDENTITY_FILE=/path/of/a/file with AGE-SECRET-KEY-1…',
  kms: 'export PRA_KMS_COMMAND="/path/of/the/program and its arguments", or spec.repository.encryption.kms of the plan',
};

export const noSecret = (what: string) =>
  new PraError('REPOSITORY_KEY_MISSING', what, {
    next: [HOW_TO_GIVE.passphrase, HOW_TO_GIVE.age, HOW_TO_GIVE.kms],
  });
