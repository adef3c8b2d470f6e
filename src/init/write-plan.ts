import {access, writeFile} from 'node:fs/promises';
import {PraError, systemCodeOf} from '../errors.ts';

/**
 * Refuses a file that is there already, before any work is done for it.
 * @throws PraError PLAN_EXISTS
 */
export async function refuseExisting(file: string): Promise<void> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) throw exists(file);
}

/**
 * Writes a plan; a file that is there already is overwritten only with `force`.
 * @throws PraError PLAN_EXISTS, USAGE when the file cannot be written.
 */
export async function writePlan(file: string, text: string, options: {force: boolean}): Promise<void> {
  try {
    await writeFile(file, text, {flag: options.force ? 'w' : 'wx'});
  } catch (error) {
    const code = systemCodeOf(error) ?? 'unknown';
    if (code === 'EEXIST') throw exists(file);
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new PraError('DISK_FULL', `the plan ${file} could not be written`, {cause: error});
    throw new PraError('USAGE', `the plan ${file} cannot be written`, {
      why: code === 'ENOENT' ? 'its folder does not exist' : code,
      cause: error,
    });
  }
}

const exists = (file: string) =>
  new PraError('PLAN_EXISTS', `${file} is there already`, {
    next: ['choose another file: pra init --output FILE', 'or overwrite it: pra init --force'],
  });
