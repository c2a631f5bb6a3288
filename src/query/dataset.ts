/** Which files of a folder hold which table, as `pinscope export` lays them out. */
import {readdirSync, statSync} from 'node:fs';
import path from 'node:path';
import {unreadable} from '../io/system-error.js';
import {UserError} from '../io/user-error.js';
import {TABLE_NAMES, type TableName} from '../readers/export/schema.js';

export interface TableFile {
  file: string;
  /** names of the levels KEY=VALUE above it, with commas; empty: none */
  partitions: string;
}

/** Parquet files by table. */
export type TableFiles = Map<TableName, TableFile[]>;

export function isFolder(file: string): boolean {
  return statSync(file, {throwIfNoEntry: false})?.isDirectory() === true;
}

/**
 * FOLDER/TABLE.parquet, and what is below FOLDER/TABLE/. Names that begin with a dot or an underscore are passed over, as
 * other engines do: files that are being written have them. Throws UserError where there is none.
 */
export function tableFilesIn(folder: string): TableFiles {
  const files: TableFiles = new Map();
  try {
    for (const table of TABLE_NAMES) {
      const plain = path.join(folder, `${table}.parquet`);
      const there = statSync(plain, {throwIfNoEntry: false})?.isFile() === true;
      const found = there ? [{file: plain, partitions: ''}] : [];
      const below = path.join(folder, table);
      if (isFolder(below)) for (const file of parquetBelow(below)) found.push({file, partitions: levelsOf(file)});
      if (found.length > 0) files.set(table, found);
    }
  } catch (error) {
    throw unreadable(folder, error);
  }
  if (files.size === 0)
    throw new UserError('holds no ledger', {where: folder, next: 'write one: pinscope export TRACE -o FOLDER'});
  return files;
}

function parquetBelow(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, {withFileTypes: true})) {
    if (/^[._]/.test(entry.name)) continue;
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...parquetBelow(file));
    else if (entry.isFile() && entry.name.endsWith('.parquet')) found.push(file);
  }
  return found.sort();
}

/** Engines take every KEY=VALUE of a path for a column, wherever it stands. */
function levelsOf(file: string): string {
  const levels = path
    .dirname(file)
    .split(path.sep)
    .filter((level) => /^[^=]+=/.test(level));
  return levels.map((level) => level.slice(0, level.indexOf('='))).join(',');
}

/** Tables of several folders as one. */
export function together(all: readonly TableFiles[]): TableFiles {
  const files: TableFiles = new Map();
  for (const one of all) for (const [table, of] of one) files.set(table, [...(files.get(table) ?? []), ...of]);
  return files;
}
