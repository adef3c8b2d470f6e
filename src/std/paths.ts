import {homedir} from 'node:os';
import {join} from 'node:path';

const xdg = (variable: string, fallback: string) => process.env[variable] || join(homedir(), fallback);

/** Journals and what a run must find again after a crash (XDG state dir). */
export const stateDir = () => process.env.PRA_STATE_DIR || join(xdg('XDG_STATE_HOME', '.local/state'), 'pra');
/** What can be deleted and obtained again: binaries, images (XDG cache dir). */
export const cacheDir = () => process.env.PRA_CACHE_DIR || join(xdg('XDG_CACHE_HOME', '.cache'), 'pra');
/** The root of the installed package, where bin, plans and terraform lie. */
export const packageRoot = () => join(import.meta.dirname, '..', '..');
