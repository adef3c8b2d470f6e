import {type Finding, PraError} from '../../errors.ts';
import {fingerprintOf} from '../key.ts';
import type {Store} from '../store.ts';
import {readSlots, type SlotFile} from './read-slots.ts';
import {HOW_TO_GIVE, type Secrets, wrappersOf} from './secrets.ts';
import {KEY_KINDS, type KeySlot} from './slot.ts';
import {type KeyWrapper, openSlot} from './wrapper.ts';

export interface OpenKeyOptions extends Secrets {
  /** The only data key that is accepted; any by default. */
  fingerprint?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface OpenedSlot {
  dataKey: Buffer;
  slot: KeySlot;
}

/**
 * The data key, from the first slot that one of the secrets opens.
 * @throws PraError REPOSITORY_KEY_MISSING, REPOSITORY_WRONG_KEY, REPOSITORY_CORRUPT, REPOSITORY_KMS_FAILED, STORE_*
 */
export async function openDataKey(
  store: Store,
  repositoryId: string,
  options: OpenKeyOptions,
): Promise<OpenedSlot> {
  const files = await readSlots(store, options);
  const findings: Finding[] = [];
  const failures: PraError[] = [];
  const wrappers = wrappersOf(options);
  let tried = 0;
  for (const {wrapper, slot} of pairsOf(wrappers, files)) {
    tried += 1;
    try {
      const dataKey = await openSlot(wrapper, slot, {repositoryId, signal: options.signal});
      if (!dataKey) continue;
      if (options.fingerprint === undefined || options.fingerprint === fingerprintOf(dataKey))
        return {dataKey, slot};
      findings.push({message: `slot ${slot.id} has a key with another fingerprint than the plan says`});
    } catch (error) {
      if (!(error instanceof PraError) || error.code !== 'REPOSITORY_KMS_FAILED') throw error;
      failures.push(error);
      findings.push({message: `slot ${slot.id}: ${error.message}${error.why ? `: ${error.why}` : ''}`});
    }
  }
  const [failure] = failures;
  if (failure && failures.length === tried) throw failure;
  throw notOpened(store, files, wrappers, findings);
}

/** Which secret may open which slot, in the order of the secrets. */
export function pairsOf(
  wrappers: readonly KeyWrapper[],
  files: readonly SlotFile[],
): {wrapper: KeyWrapper; slot: KeySlot}[] {
  const slots = files.flatMap(file => (file.state === 'good' ? [file.slot] : []));
  return wrappers.flatMap(wrapper =>
    slots.filter(({kind}) => kind === wrapper.kind).map(slot => ({wrapper, slot})),
  );
}

function notOpened(
  store: Store,
  files: readonly SlotFile[],
  wrappers: readonly KeyWrapper[],
  findings: readonly Finding[],
): PraError {
  const [first] = files;
  if (!first) {
    return new PraError('REPOSITORY_CORRUPT', `keys/ in ${store.url} is empty`, {
      why: 'without a key slot nothing in the repository can be opened',
      next: ['bring keys/ back from a copy of the repository'],
    });
  }
  const damaged = files.filter(file => file.state === 'damaged');
  if (damaged.length === files.length) {
    return new PraError(
      'REPOSITORY_CORRUPT',
      `${damaged.map(({key}) => key).join(', ')} in ${store.url} is damaged`,
      {
        why: damaged[0]?.why,
        next: [`bring ${first.key} back from a copy of the repository`],
      },
    );
  }
  const kinds = KEY_KINDS.filter(kind =>
    files.some(file => file.state === 'good' && file.slot.kind === kind),
  );
  const given = wrappers.map(({kind}) => kind);
  const what =
    wrappers.length === 0
      ? `no key was given for the repository at ${store.url}`
      : `${listOf(given.map(kind => SECRETS[kind]))} opens none of the keys of ${store.url}`;
  return new PraError(wrappers.length === 0 ? 'REPOSITORY_KEY_MISSING' : 'REPOSITORY_WRONG_KEY', what, {
    why: `it has ${countsOf(files)}`,
    next: [
      ...kinds.map(kind => (given.includes(kind) ? HOW_TO_CHECK[kind] : HOW_TO_GIVE[kind])),
      ...(files.some(({state}) => state === 'unknown') ? ['update pra'] : []),
    ],
    findings: [...findings, ...damaged.map(({key, why}) => ({message: `${key} is damaged: ${why}`}))],
  });
}

const SECRETS = {passphrase: 'the passphrase', age: 'the identity of age', kms: 'the KMS'} as const;
const HOW_TO_CHECK = {
  passphrase: 'check PRA_PASSPHRASE_FILE or PRA_PASSPHRASE',
  age: 'check PRA_AGE_IDENTITY_FILE',
  kms: 'check PRA_KMS_COMMAND or spec.repository.encryption.kms of the plan',
} as const;

/** `2 key slots of kind passphrase, 1 of kind age, 1 of a kind that this pra does not know (tpm)`. */
function countsOf(files: readonly SlotFile[]): string {
  const counts = new Map<string, number>();
  for (const file of files) {
    const kind =
      file.state === 'good'
        ? `of kind ${file.slot.kind}`
        : file.state === 'unknown'
          ? `of kind ${file.kind}, which this pra does not know`
          : 'that cannot be read';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts]
    .map(
      ([kind, count], index) => `${count} ${index > 0 ? '' : count > 1 ? 'key slots ' : 'key slot '}${kind}`,
    )
    .join('; ');
}

const listOf = (words: readonly string[]) =>
  words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : words.join('');
