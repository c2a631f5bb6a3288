import {onTestFinished} from 'vitest';
import {Database} from '../../src/query/database.js';
import {tableFilesIn, together} from '../../src/query/dataset.js';
import {SAVED} from '../../src/query/saved.js';

export type Answered = Record<string, string | number | null>[];

/** A locked database over folders of ledgers, closed after the test. */
export async function over(...folders: string[]): Promise<Database> {
  const database = await Database.open(together(folders.map(tableFilesIn)));
  onTestFinished(() => database.close());
  return database;
}

export async function ask(database: Database, sql: string, pfn: number | null = null): Promise<Answered> {
  const {columns, rows} = await database.ask(sql, {pfn});
  const out: Answered = [];
  for await (const row of rows)
    out.push(Object.fromEntries(columns.map((name, i) => [name, row[i] as string | number | null])));
  return out;
}

export async function saved(database: Database, name: string, pfn: number | null = null): Promise<Answered> {
  return ask(database, SAVED.find((one) => one.name === name)!.sql, pfn);
}
