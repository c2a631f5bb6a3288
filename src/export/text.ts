/** Tables as text: CSV as RFC 4180 has it (NULL is an empty field, a text is quoted), and a JSON object a line. */
import type {FileColumn} from '../readers/export/schema.js';
import type {Batch, BatchWriter, ColumnBatch} from '../readers/export/rows.js';
import type {TableForm} from './table-file.js';

/** Rows are handed on in pieces of about so many characters. */
const PIECE = 1 << 16;

export const CSV: TableForm = {
  extension: 'csv',
  open(columns, write) {
    write(Buffer.from(`${columns.map(({name}) => name).join(',')}\n`));
    return lines(write, (batch, row) => batch.columns.map((column) => csvCell(column, row)).join(','));
  },
};

export const NDJSON: TableForm = {
  extension: 'ndjson',
  open(columns, write) {
    return lines(write, (batch, row) => jsonRow(columns, batch, row));
  },
};

function lines(write: (bytes: Uint8Array) => void, line: (batch: Batch, row: number) => string): BatchWriter {
  return {
    write(batch) {
      let piece = '';
      for (let row = 0; row < batch.rows; row++) {
        piece += `${line(batch, row)}\n`;
        if (piece.length < PIECE) continue;
        write(Buffer.from(piece));
        piece = '';
      }
      write(Buffer.from(piece));
    },
    end: () => undefined,
  };
}

/** Whole numbers as digits, also beyond 2^53; null for NULL. */
function digits(column: Exclude<ColumnBatch, {type: 'VARCHAR'}>, row: number): string | null {
  const value = column.values[row]!;
  if (Number.isNaN(value)) return null;
  return column.base === 0n ? BigInt(value).toString() : (column.base + BigInt(value)).toString();
}

/** A text is always quoted: an empty one is not NULL. */
function csvCell(column: ColumnBatch, row: number): string {
  if (column.type !== 'VARCHAR') return digits(column, row) ?? '';
  const text = column.values[row] ?? null;
  return text === null ? '' : `"${text.replaceAll('"', '""')}"`;
}

/** Numbers stand as numbers, also those that a double cannot hold: readers of BIGINT columns take them whole. */
function jsonRow(columns: readonly FileColumn[], batch: Batch, row: number): string {
  const cells = columns.map(({name}, i) => {
    const column = batch.columns[i]!;
    const value =
      column.type === 'VARCHAR' ? JSON.stringify(column.values[row] ?? null) : (digits(column, row) ?? 'null');
    return `"${name}":${value}`;
  });
  return `{${cells.join(',')}}`;
}
