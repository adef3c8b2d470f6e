import {appendFileSync, mkdtempSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {openJournal, readJournal} from '../../src/drill/journal.ts';
import {lockPlan} from '../../src/drill/lock.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pra-journal-'));
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

describe('journal', () => {
  it('reads back what was appended, private to its owner', () => {
    const journal = openJournal(dir);
    journal.append({act: 'step', id: 'target', name: 'terraform apply'});
    journal.append({act: 'end', verdict: 'passed'});
    journal.close();
    expect(readJournal(dir).map(entry => entry.act)).toEqual(['step', 'end']);
    expect(statSync(journal.file).mode & 0o777).toBe(0o600);
  });

  it('drops a half-written last line, which a kill leaves, and nothing else', () => {
    const journal = openJournal(dir);
    journal.append({act: 'step', id: 'target', name: 'terraform apply'});
    appendFileSync(journal.file, '{"act":"end","at":"2026-');
    expect(readJournal(dir)).toHaveLength(1);
    journal.close();
  });

  it('says so when there is none', () => {
    expect(() => readJournal(join(dir, 'none'))).toThrow('there is no journal');
  });
});

describe('lockPlan', () => {
  it('lets one drill of a plan in at a time and names who holds it', () => {
    const release = lockPlan(dir, 'shop', 'drill-1');
    expect(() => lockPlan(dir, 'shop', 'drill-2')).toThrow('drill drill-1 of plan shop is running');
    lockPlan(dir, 'other', 'drill-3')();
    release();
    lockPlan(dir, 'shop', 'drill-2')();
  });
});
