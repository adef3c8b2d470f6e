import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {z} from 'zod';
import {PraError, systemCodeOf} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {isSameProcess, pidStartedAt} from '../std/pid.ts';

const owner = z.object({drillId: z.string(), pid: z.number(), pidStartedAt: z.string(), since: z.string()});

/**
 * Takes the lock of a plan on this machine: one drill of a plan at a time. A lock whose process is gone is taken over.
 * @returns what gives the lock back.
 * @throws PraError DRILL_LOCKED that names the drill that holds it.
 */
export function lockPlan(dir: string, plan: string, drillId: string): () => void {
  mkdirSync(dir, {recursive: true, mode: 0o700});
  const file = join(dir, `${plan.replaceAll(/[^a-z0-9-]/gi, '_')}-${sha256(plan).slice(0, 8)}.lock`);
  const mine = JSON.stringify({
    drillId,
    pid: process.pid,
    pidStartedAt: pidStartedAt(process.pid) ?? 'unknown',
    since: new Date().toISOString(),
  });
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      writeFileSync(file, mine, {flag: 'wx', mode: 0o600});
      return () => {
        if (readOwner(file)?.drillId === drillId) rmSync(file, {force: true});
      };
    } catch (error) {
      if (systemCodeOf(error) !== 'EEXIST') throw error;
    }
    const holder = readOwner(file);
    if (holder && isSameProcess(holder.pid, holder.pidStartedAt)) {
      throw new PraError(
        'DRILL_LOCKED',
        `drill ${holder.drillId} of plan ${plan} is running since ${holder.since}`,
        {
          next: ['wait for it to end', `pra drill show ${holder.drillId}`],
        },
      );
    }
    rmSync(file, {force: true});
  }
  throw new PraError('DRILL_LOCKED', `the lock of plan ${plan} is being taken by another process`, {
    next: ['try again'],
  });
}

function readOwner(file: string): z.infer<typeof owner> | undefined {
  try {
    return owner.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
