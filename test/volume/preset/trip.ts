import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {FileStore} from '../../../src/repository/file.ts';
import {initRepository} from '../../../src/repository/repository.ts';
import type {DumpRecord} from '../../../src/repository/snapshot-root.ts';
import {dumpVolume, type Exec, restoreDump} from '../../../src/volume/dump.ts';
import {type DumpRule, dumpCommands} from '../../../src/volume/dump-commands.ts';
import {openRestic, type Restic} from '../../../src/volume/restic.ts';
import {errorOf} from '../../bed/error-of.ts';
import {dumpRequest} from '../dump-request.ts';

const {signal} = new AbortController();

/** A repository, and the way of a dump into it and out of it again. */
export interface Trip {
  save(exec: Exec, rule: DumpRule): Promise<DumpRecord>;
  restore(exec: Exec, record: DumpRecord): Promise<unknown>;
  /** What the restore command says to a dump of which only the first part arrives. */
  restoreCut(exec: Exec, record: DumpRecord, cut: Cut): Promise<{exitCode: number; stderr: string}>;
  /** The error of a dump that has to fail: it shows no secret. */
  failure(exec: Exec, rule: DumpRule, secrets: readonly string[]): Promise<{code: string; why: string}>;
  end(): void;
}

/** Says how many bytes of a dump are left. */
export type Cut = (bytes: Buffer) => number;

export async function startTrip(): Promise<Trip> {
  const dir = mkdtempSync(join(tmpdir(), 'pra-preset-'));
  const repository = await initRepository(new FileStore(dir), {passphrase: 'p'});
  const restic = await openRestic({repository, signal});
  const save = (exec: Exec, rule: DumpRule) => {
    const {command, restore} = dumpCommands(rule);
    const request = {...dumpRequest, command, restoreCommand: restore};
    return dumpVolume({exec, restic, request, tags: [], signal});
  };
  return {
    save,
    restore: (exec, record) => restoreDump({exec, restic, record, pod: 'db-0', signal}),
    restoreCut: async (exec, record, cut) => {
      const bytes = await bytesOf(restic, record);
      const stdin = Readable.from([bytes.subarray(0, cut(bytes))]);
      return exec({namespace: 'shop', pod: 'db-0', command: [...record.restoreCommand], stdin, signal});
    },
    failure: async (exec, rule, secrets) => {
      const {code, why} = await errorOf(save(exec, rule), {secrets, limitMs: 40_000});
      return {code, why: why ?? ''};
    },
    end: () => rmSync(dir, {recursive: true, force: true}),
  };
}

async function bytesOf(restic: Restic, record: DumpRecord): Promise<Buffer> {
  const filename = `${record.namespace}_${record.workload.replaceAll('/', '_')}.dump`;
  const {stream, done} = restic.restore({snapshotId: record.resticSnapshot, filename, signal});
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  await done;
  return Buffer.concat(chunks);
}
