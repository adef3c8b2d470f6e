import type {DrillRecord} from './record.ts';

/** What a run is called: a rehearsal, or the real thing. */
export const runWord = ({identity: {mode}}: Pick<DrillRecord, 'identity'>): string =>
  mode === 'drill' ? 'drill' : 'recovery';
