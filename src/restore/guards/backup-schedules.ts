import {groupKindOf} from '../../snapshot/exclude.ts';
import {withAt} from '../../std/json-at.ts';
import {Change, type Rule} from '../rules/rule.ts';

/** Where each backup tool keeps its off switch. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  'Schedule.velero.io': ['spec', 'paused'],
  'ScheduledBackup.postgresql.cnpg.io': ['spec', 'suspend'],
  'ReplicationSource.volsync.backube': ['spec', 'paused'],
  'ReplicationDestination.volsync.backube': ['spec', 'paused'],
};

/** Guard 10: the backups of production are not written from a drill. */
export const backupSchedules: Rule = {
  name: 'backup-schedules-off',
  kinds: Object.keys(SWITCHES),
  guard: 10,
  apply: object => {
    const path = SWITCHES[groupKindOf(object)] ?? [];
    return new Change(object)
      .to(withAt(object, path, true), {path: path.join('.'), reason: 'paused'})
      .verdict();
  },
};
