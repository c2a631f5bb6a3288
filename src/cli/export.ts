/** `pinscope export`: the ledger of traces as tables. */
import {statSync} from 'node:fs';
import {type TableFormId, tableForm} from '../export/forms.js';
import type {Partition} from '../export/dataset.js';
import {UserError} from '../io/user-error.js';
import {fileColumns, TABLE_NAMES, type TableName} from '../readers/export/schema.js';
import {writeLedger} from '../run/write-tables.js';
import {counted} from '../words/format.js';
import type {TraceOptions} from './base.js';
import type {AnyForm} from './flags.js';
import {codeAfter, type ExitCode, readingCodeOf} from './exit.js';
import {watchInterrupts} from './interrupt.js';
import {judging} from './judging.js';
import {type Progress, showProgress} from './progress.js';
import {tellReading} from './run.js';
import {nearest} from './values.js';

/** What only export is asked. */
export interface TablesAsked {
  /** `host=H`, or several with commas */
  partition: string | undefined;
  /** names with commas */
  tables: string | undefined;
}

/** Writes a folder. Throws UserError; then it is as it was. */
export async function runExportTables(
  options: TraceOptions<AnyForm>,
  form: TableFormId,
  asked: TablesAsked,
  version: string,
): Promise<ExitCode> {
  const folder = options.output;
  if (folder === undefined) throw new UserError('-o is missing', {next: 'name the folder that the tables go to'});
  if (statSync(folder, {throwIfNoEntry: false})?.isDirectory() === false)
    throw new UserError('is no folder', {where: folder, next: 'tables are a file each: name a folder'});
  const partitions = partitionsOf(asked.partition, options.traces);
  const tables = tablesOf(asked.tables);
  const judged = await judging(options, version);
  const interruption = watchInterrupts();
  let progress: Progress | undefined;
  try {
    const {report, rows, traceId} = await writeLedger({
      ...judged,
      ...{folder, form: await tableForm(form), partitions, tables},
      signal: interruption.signal,
      onOpen: (inputs) => (progress = showProgress(inputs, options)),
    });
    progress?.stop();
    if (options.verbose) tellReading(report);
    if (!options.quiet) {
      const count = [...rows.values()].reduce((sum, n) => sum + n, 0);
      process.stderr.write(
        `pinscope: ${folder}: ${counted(rows.size, 'table')}, ${counted(count, 'row')} of trace ${traceId}\n`,
      );
    }
    return codeAfter(interruption.signal, readingCodeOf(report, options));
  } finally {
    progress?.stop();
    interruption.release();
  }
}

function tablesOf(text: string | undefined): TableName[] {
  if (text === undefined) return [];
  return text.split(',').map((item) => {
    const name = item.trim();
    const known = TABLE_NAMES.find((table) => table === name);
    if (known !== undefined) return known;
    const near = nearest(name, TABLE_NAMES);
    throw new UserError(`--tables: there is no table ${JSON.stringify(name)}`, {
      next: near === undefined ? `there are ${TABLE_NAMES.join(', ')}` : `did you mean ${near}?`,
    });
  });
}

/** A name that a column has would hide it from some engines. */
const COLUMN_NAMES = new Set(TABLE_NAMES.flatMap((table) => fileColumns(table).map(({name}) => name)));

function partitionsOf(text: string | undefined, traces: readonly string[]): Partition[] {
  if (text === undefined) return [];
  const levels = text.split(',').map((item): Partition => {
    const [key = '', ...rest] = item.split('=');
    const value = rest.join('=');
    if (!/^[a-z][a-z0-9_]{0,62}$/.test(key) || value === '')
      throw new UserError(`--partition ${JSON.stringify(item)} is no KEY=VALUE`, {next: 'write it like host=db7'});
    if (value.length > 200) throw new UserError('--partition: a value is longer than 200 characters');
    if (COLUMN_NAMES.has(key))
      throw new UserError(`--partition: ${key} is a column of the tables`, {next: 'choose another name, such as host'});
    return {key, value};
  });
  const twice = levels.find(({key}, i) => levels.findIndex((level) => level.key === key) !== i);
  if (twice !== undefined) throw new UserError(`--partition: ${twice.key} is given twice`);
  const date = levels.findIndex(({key}) => key === 'date');
  const day = date >= 0 ? levels.splice(date, 1)[0]!.value : dayOf(traces);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day))
    throw new UserError(`--partition: date ${JSON.stringify(day)} is no date`, {next: 'write it like date=2026-11-26'});
  // last, so that all of one host is in one folder
  return [...levels, {key: 'date', value: day}];
}

/** The day (UTC) that the file was last written, as a recording is when it ends; of a pipe, today. */
function dayOf([first]: readonly string[]): string {
  const stat = first === undefined || first === '-' ? undefined : statSync(first, {throwIfNoEntry: false});
  const when = stat?.isFile() === true ? stat.mtime : new Date();
  return when.toISOString().slice(0, 10);
}
