/** Recordings that are directories (perf record --threads, --kcore): the file that is read, and those beside it. */
import {existsSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {RandomFile, type RandomAccess} from './random-access.js';

/** Files beside the one that is read, by their names in the directory. */
export interface Beside {
  readonly names: readonly string[];
  open(name: string): RandomAccess;
}

/** The path, where it is a directory that perf record made: the recording is its file `data`. */
export function recordingIn(path: string): string | undefined {
  if (path === '-') return undefined;
  const stat = statSync(path, {throwIfNoEntry: false});
  return stat?.isDirectory() === true && existsSync(join(path, 'data')) ? path : undefined;
}

export function besideIn(directory: string): Beside {
  const names = readdirSync(directory).toSorted((a, b) => a.localeCompare(b, 'en', {numeric: true}));
  const kallsyms = 'kcore_dir/kallsyms';
  if (existsSync(join(directory, kallsyms))) names.push(kallsyms);
  return {names, open: (name) => RandomFile.open(join(directory, name))};
}
