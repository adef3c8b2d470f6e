import {expect} from 'vitest';
import {PraError} from '../../src/errors.ts';

/** The error of something that must fail, after checks that hold for every error: it comes in time, without a stack or a secret. */
export async function errorOf(
  action: Promise<unknown>,
  {limitMs = 10_000, secrets = []}: {limitMs?: number | undefined; secrets?: readonly string[]} = {},
): Promise<PraError> {
  const began = performance.now();
  const error = await action.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PraError)) throw error;
  expect(performance.now() - began).toBeLessThan(limitMs);
  const shown = [error.message, error.why ?? '', ...error.next].join('\n');
  expect(shown).not.toMatch(/\n\s+at |node_modules|file:\/\/\S+\.[jt]s/);
  for (const secret of secrets) expect(shown).not.toContain(secret);
  return error;
}
