import type {KeyInfo, KeyList} from '../repository/key/list.ts';
import {formatDuration} from '../std/duration.ts';
import {renderTable} from './table.ts';

/** `pra repository key list`. */
export function renderKeyList(list: KeyList, now: Date): string {
  const table = renderTable(
    ['ID', 'KIND', 'FOR', 'OPENS', 'AGE'],
    list.items.map(item => [
      item.id,
      item.kind ?? '-',
      forWhom(item),
      item.opens === undefined ? '-' : item.opens ? 'yes' : 'no',
      item.createdAt === undefined ? '-' : formatDuration(now.getTime() - Date.parse(item.createdAt)),
    ]),
  );
  return list.fingerprint === undefined ? table : `${table}\n\nfingerprint  ${list.fingerprint}`;
}

/** One key slot in a sentence: `age key slot 1a2b… for age1…`. */
export function nameOfKey(item: KeyInfo): string {
  const whom = forWhom(item);
  return `${item.kind ?? 'unreadable'} key slot ${item.id}${whom === '-' ? '' : ` (${whom})`}`;
}

function forWhom(item: KeyInfo): string {
  if (item.state === 'damaged') return 'damaged';
  if (item.state === 'unknown') return 'made by a newer pra';
  const parts = [item.label, item.recipient && shorten(item.recipient)].filter(part => part !== undefined);
  return parts.join(', ') || '-';
}

/** A recipient of the post-quantum kind has 1,959 characters. */
const shorten = (recipient: string) =>
  recipient.length > 70 ? `${recipient.slice(0, 24)}…${recipient.slice(-8)}` : recipient;
