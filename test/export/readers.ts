/** Three readers of Parquet that have no code in common. */
import {readFileSync} from 'node:fs';
import {tableFromIPC} from 'apache-arrow';
import {asyncBufferFromFile, parquetReadObjects} from 'hyparquet';
import {readParquet} from 'parquet-wasm/node';
import type * as duckdb from '@duckdb/node-api';

export type Cell = string | null;
/** Rows as arrays of texts: what a reader's own types are is its own matter. */
export type Cells = Cell[][];

const cell = (value: unknown): Cell => (value === null || value === undefined ? null : String(value));

async function byHyparquet(file: string, columns: readonly string[]): Promise<Cells> {
  const rows = await parquetReadObjects({file: await asyncBufferFromFile(file)});
  return rows.map((row) => columns.map((name) => cell(row[name])));
}

/** arrow-rs, compiled to WebAssembly: what polars, DataFusion and delta-rs read with. */
async function byArrow(file: string, columns: readonly string[]): Promise<Cells> {
  const table = tableFromIPC(readParquet(new Uint8Array(readFileSync(file))).intoIPCStream());
  const vectors = columns.map((name) => table.getChild(name));
  if (vectors.includes(null)) throw new Error(`${file}: a column is missing`);
  return Array.from({length: table.numRows}, (_, i) => vectors.map((vector) => cell(vector!.get(i) as unknown)));
}

/** undefined where DuckDB is not installed: it is an optional peer, and a platform may have no build of it. */
export const duck: typeof duckdb | undefined = await import('@duckdb/node-api').catch(() => undefined);

let connected: Promise<duckdb.DuckDBConnection> | undefined;

async function byDuckDb(file: string, columns: readonly string[]): Promise<Cells> {
  connected ??= duck!.DuckDBInstance.create(':memory:').then((instance) => instance.connect());
  const connection = await connected;
  const names = columns.map((name) => `"${name}"`).join(', ');
  const answer = await connection.runAndReadAll(`select ${names} from read_parquet('${file.replaceAll("'", "''")}')`);
  return answer.getRowsJson().map((row) => row.map(cell));
}

export const READERS: [string, (file: string, columns: readonly string[]) => Promise<Cells>][] = [
  ['hyparquet', byHyparquet],
  ['arrow-rs', byArrow],
  ...(duck === undefined ? [] : [['DuckDB', byDuckDb] satisfies [string, typeof byDuckDb]]),
];
