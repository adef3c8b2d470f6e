import {PraError} from '../errors.ts';

/** The error for work that a signal ended: TIMEOUT when it was a deadline, INTERRUPTED otherwise. */
export function interruption(signal: AbortSignal, action: string): PraError {
  const {reason} = signal;
  if (reason instanceof PraError) return reason;
  const deadline = reason instanceof Error && reason.name === 'TimeoutError';
  return deadline
    ? new PraError('TIMEOUT', `could not ${action} before the deadline`, {cause: reason})
    : new PraError('INTERRUPTED', `stopped before the end: ${action}`, {cause: reason});
}
