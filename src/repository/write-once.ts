import {PraError} from '../errors.ts';

/** What is named by the digest of its content may be there already: then somebody wrote the same bytes. */
export async function conflictIsFine(put: Promise<void>): Promise<boolean> {
  try {
    await put;
    return true;
  } catch (error) {
    if (error instanceof PraError && error.code === 'STORE_CONFLICT') return false;
    throw error;
  }
}
