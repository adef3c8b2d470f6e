import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {stateDir} from '../std/paths.ts';
import {isSameProcess} from '../std/pid.ts';
import {bootId, type LocalState, readState} from './state.ts';

/** One line for each local cluster that there is, or whose rests there are. */
export async function listLocalClusters(): Promise<string[]> {
  const dir = join(stateDir(), 'local');
  const names = await readdir(dir).catch((): string[] => []);
  return names.map(name => `${name}\t${describe(readState(join(dir, name, 'state.json')))}`);
}

function describe(state: LocalState | undefined): string {
  if (!state || state.bootId !== bootId()) return 'rests of a cluster; remove them with: down --name NAME';
  const alive = state.processes.filter(({pid, startedAt}) => isSameProcess(pid, startedAt)).length;
  const kind = `node ${state.node}, ${state.isolated ? 'isolated' : 'not isolated'}`;
  const lives = `${alive} of ${state.processes.length} processes run`;
  return `${state.ready ? 'up' : 'not up'}, ${kind}, ${lives}`;
}
