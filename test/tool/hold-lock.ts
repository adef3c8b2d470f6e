import {appendFileSync} from 'node:fs';
import {sleep} from '../../src/std/wait.ts';
import {withFileLock} from '../../src/tool/lock.ts';

// One of several processes that want the same lock: `node hold-lock.ts LOCK LOG ROUNDS`.
const [lock = '', log = '', rounds = '1'] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round += 1) {
  await withFileLock(lock, {waitingFor: 'the lock', timeoutMs: 20_000}, async () => {
    appendFileSync(log, `in ${process.pid}\n`);
    await sleep(5);
    appendFileSync(log, `out ${process.pid}\n`);
  });
}
