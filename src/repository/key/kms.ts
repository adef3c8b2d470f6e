import {randomBytes} from 'node:crypto';
import {PraError} from '../../errors.ts';
import {withDeadline} from '../../std/wait.ts';
import {KEY_BYTES} from '../key.ts';
import {type Answer, askProgram} from './ask-program.ts';
import {kmsTextSchema} from './slot.ts';
import type {KeyWrapper} from './wrapper.ts';

const ANSWERS_MS = 30_000;

/**
 * A key management service behind a program of the user, which is called with `wrap` or `unwrap` as its last argument: text on
 * stdin, text on stdout. The slot keeps what it answered and never how it is called: whoever can write to a store would
 * otherwise choose what runs here.
 */
export function kmsKey(command: readonly string[], deadlineMs = ANSWERS_MS): KeyWrapper {
  const [file = '', ...args] = command;
  const ask = async (verb: 'wrap' | 'unwrap', text: string, signal: AbortSignal | undefined) => {
    const limit = withDeadline(deadlineMs, signal);
    const answer = await askProgram(file, [...args, verb], text, limit);
    if (signal?.aborted) throw new PraError('INTERRUPTED', `${file} ${verb} was stopped`);
    if (answer.exitCode !== 0) throw failed(file, verb, answer, limit.aborted ? deadlineMs : undefined);
    return answer.stdout.trim();
  };
  const unwrap = async (text: string, signal: AbortSignal | undefined) => {
    const key = Buffer.from(await ask('unwrap', text, signal), 'base64');
    if (key.length === KEY_BYTES) return key;
    throw new PraError('REPOSITORY_KMS_FAILED', `${file} unwrap did not answer with a key`, {
      why: `what it printed is not the base64 of ${KEY_BYTES} bytes`,
      next: ['it must print exactly what wrap was given on stdin: docs/keys.md'],
    });
  };
  return {
    kind: 'kms',
    async wrap(signal) {
      const key = randomBytes(KEY_BYTES);
      const text = kmsTextSchema.safeParse(await ask('wrap', key.toString('base64'), signal));
      if (!text.success) {
        throw new PraError('REPOSITORY_KMS_FAILED', `${file} wrap did not answer with the wrapped key`, {
          why: 'it must print up to 16 KiB of plain text, such as base64',
          next: ['see docs/keys.md for what is asked of it'],
        });
      }
      // A slot that nobody can open must not be made, and one that hides nothing neither.
      const plain = Buffer.from(text.data, 'base64').equals(key);
      if (!plain && key.equals(await unwrap(text.data, signal)))
        return {key, fields: {kind: 'kms', kms: {key: text.data}}};
      throw new PraError('REPOSITORY_KMS_FAILED', `${file} does not keep keys`, {
        why: plain
          ? 'wrap printed the key itself, not encrypted'
          : 'unwrap gave another key than wrap was given',
        next: ['see docs/keys.md for what is asked of it'],
      });
    },
    async unwrap(slot, signal) {
      return slot.kind === 'kms' ? unwrap(slot.kms.key, signal) : undefined;
    },
    opensItsOwn: async () => true,
  };
}

function failed(file: string, verb: string, answer: Answer, timedOutMs: number | undefined): PraError {
  const next = [
    `run it by hand: ${file} … ${verb}; it gets its credentials from the same variables and files as pra`,
  ];
  if (timedOutMs !== undefined) {
    const what = `${file} ${verb} did not end within ${timedOutMs / 1000} s`;
    return new PraError('REPOSITORY_KMS_FAILED', what, {why: 'it must not ask anything', next});
  }
  if (answer.systemCode !== undefined) {
    const why = answer.systemCode === 'ENOENT' ? 'there is no such program' : answer.systemCode;
    return new PraError('REPOSITORY_KMS_FAILED', `${file} could not be started`, {
      why,
      next: ['check PRA_KMS_COMMAND, or spec.repository.encryption.kms of the plan'],
    });
  }
  const how = answer.exitCode === undefined ? 'was killed' : `failed with exit code ${answer.exitCode}`;
  return new PraError('REPOSITORY_KMS_FAILED', `${file} ${verb} ${how}`, {
    why: withoutKeys(answer.stderr) || undefined,
    next,
  });
}

/** The end of what a program said, without anything as long as a key: it may trace what it does. */
function withoutKeys(stderr: string): string {
  const lines = stderr.replaceAll(/[A-Za-z0-9+/=_-]{32,}/g, '…').trim();
  return lines.split('\n').slice(-4).join('\n').slice(-1000);
}
