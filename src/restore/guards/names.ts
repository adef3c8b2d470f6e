/** The guards of a drill that are carried out by the rules of a restore (drill.md, "Guards"). */
export const RESTORE_GUARDS: Readonly<Record<number, string>> = {
  5: 'restored at rest',
  6: 'webhooks last',
  7: 'GitOps suspended',
  8: 'infrastructure controllers off',
  9: 'no volume of the source',
  10: 'backup schedules off',
  11: 'certificates self-signed',
  12: 'nothing published',
  13: 'stale identities stripped',
};
