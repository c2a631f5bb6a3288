/** A folder of tables, a file a table (and trace): written under hidden names, all renamed when all are whole. */
import {createHash} from 'node:crypto';
import {existsSync, readdirSync, rmSync} from 'node:fs';
import path from 'node:path';
import {HiddenFile} from '../io/hidden-file.js';
import type {Epoch} from '../readers/export/rows.js';
import {TableRows} from '../readers/export/rows.js';
import type {RowSink} from '../readers/export/ledger.js';
import {type Row, SCHEMA_VERSION, TABLE_NAMES, type TableName} from '../readers/export/schema.js';
import type {TableForm} from './table-file.js';

/** Rows of a group: what readers skip by, and what is held in memory of a table. */
const GROUP_ROWS = 100_000;

/** One level of a partition: a folder `host=H`. */
export interface Partition {
  key: string;
  value: string;
}

export interface DatasetOptions {
  folder: string;
  form: TableForm;
  /** FOLDER/TABLE/KEY=VALUE/.../TRACE_ID.EXT; without any, FOLDER/TABLE.EXT */
  partitions: readonly Partition[];
  tables: readonly TableName[];
  traceId: string;
  epoch: () => Epoch;
}

/** What a trace is called by: the first 128 bits of SHA-256 over its inputs' own, so the same bytes have the same id. */
export function traceIdOf(sha256: readonly string[]): string {
  const hash = createHash('sha256');
  for (const one of sha256) hash.update(Buffer.from(one, 'hex'));
  return hash.digest('hex').slice(0, 32);
}

export class Dataset implements RowSink {
  private readonly tables = new Map<TableName, TableRows<TableName>>();
  private readonly files: HiddenFile[] = [];

  /** Begins every file, empty ones too: a table that is missing cannot be mistaken for one without rows. Throws UserError. */
  constructor(private readonly options: DatasetOptions) {
    const about = {'pinscope.ledger': String(SCHEMA_VERSION), 'pinscope.trace_id': options.traceId};
    try {
      for (const name of TABLE_NAMES.filter((t) => options.tables.includes(t))) {
        const file = new HiddenFile(this.pathOf(name));
        this.files.push(file);
        const table: TableRows<TableName> = new TableRows(name, options.traceId, options.epoch, GROUP_ROWS, (columns) =>
          options.form.open(columns, (bytes) => file.write(bytes), about),
        );
        this.tables.set(name, table);
      }
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  wants(table: TableName): boolean {
    return this.tables.has(table);
  }

  add<T extends TableName>(table: T, row: Row<T>): void {
    this.tables.get(table)?.add(row as Row<TableName>);
  }

  /** All is told: the files take their names. Answers rows by table. */
  commit(): Map<TableName, number> {
    for (const table of this.tables.values()) table.end();
    for (const file of this.files) file.close();
    for (const file of this.files) file.take();
    for (const name of this.tables.keys()) this.removeEarlier(name);
    return new Map([...this.tables].map(([name, {count}]) => [name, count]));
  }

  /** Gives up; leaves nothing behind. */
  abort(): void {
    for (const file of this.files) file.abort();
  }

  private pathOf(table: TableName): string {
    const {folder, form, partitions, traceId} = this.options;
    if (partitions.length === 0) return path.join(folder, `${table}.${form.extension}`);
    const levels = partitions.map(({key, value}) => `${key}=${hiveValue(value)}`);
    return path.join(folder, table, ...levels, `${traceId}.${form.extension}`);
  }

  /** The same trace under another date of the same host: it was exported before, and must not count twice. */
  private removeEarlier(table: TableName): void {
    const file = this.pathOf(table);
    const {partitions} = this.options;
    if (partitions.at(-1)?.key !== 'date') return;
    const above = path.dirname(path.dirname(file));
    for (const day of readdirSync(above)) {
      const other = path.join(above, day, path.basename(file));
      if (day.startsWith('date=') && other !== file && existsSync(other)) rmSync(other);
    }
  }
}

/** A value as a folder's name, with what Hive escapes in it written as %XX; `/`, `.` and `..` lead nowhere. */
export function hiveValue(value: string): string {
  const escaped = value.replace(/[^A-Za-z0-9._-]/gu, (c) =>
    [...Buffer.from(c)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  return escaped.replace(/^\.+$/, (dots) => dots.replaceAll('.', '%2E'));
}
