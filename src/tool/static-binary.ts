import {open} from 'node:fs/promises';

const PT_INTERP = 3;

/** Whether a Linux program is linked statically, so that it runs in a container image that has nothing else in it. */
export async function isStaticBinary(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const header = Buffer.alloc(64);
    await file.read(header, 0, 64, 0);
    if (header.toString('latin1', 0, 4) !== '\x7fELF' || header[4] !== 2) return false;
    const offset = Number(header.readBigUInt64LE(32));
    const entryBytes = header.readUInt16LE(54);
    const table = Buffer.alloc(entryBytes * header.readUInt16LE(56));
    await file.read(table, 0, table.length, offset);
    for (let at = 0; at < table.length; at += entryBytes) {
      if (table.readUInt32LE(at) === PT_INTERP) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}
