import type {ClaimRecord} from '../repository/snapshot-root.ts';
import {formatBytes} from '../std/bytes.ts';
import type {VolumeFile} from '../volume/files.ts';
import {renderTable} from './table.ts';

const LETTER: Readonly<Record<string, string>> = {
  dir: 'd',
  file: '-',
  symlink: 'l',
  fifo: 'p',
  chardev: 'c',
  dev: 'b',
};

/** Files as `ls -l` shows them; what a name could do to a terminal is taken out of it. */
export const renderFiles = (files: readonly VolumeFile[]): string =>
  files.length === 0
    ? 'the folder is empty'
    : renderTable(
        ['NAME', 'TYPE', 'MODE', 'OWNER', 'SIZE', 'MODIFIED'],
        files.map(({path, type, mode, uid, gid, size, modified}) => [
          printable(path),
          LETTER[type] ?? type,
          mode,
          `${uid}:${gid}`,
          type === 'file' ? formatBytes(size) : '',
          modified.slice(0, 19).replace('T', ' '),
        ]),
      );

export const renderVolumes = (volumes: readonly ClaimRecord[]): string =>
  volumes.length === 0
    ? 'the snapshot holds no volume that was saved file by file'
    : renderTable(
        ['CLAIM', 'METHOD', 'WORKLOAD', 'FILES', 'SIZE'],
        volumes.map(({namespace, pvcs, method, workload = '', files, bytes}) => [
          `${namespace}/${pvcs[0]}`,
          method,
          workload,
          String(files),
          formatBytes(bytes),
        ]),
      );

const printable = (text: string) =>
  [...text].map(char => (/\p{C}/u.test(char) ? JSON.stringify(char).slice(1, -1) : char)).join('');
