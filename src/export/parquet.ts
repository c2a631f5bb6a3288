/**
 * Tables as Parquet, by hyparquet-writer.
 *
 * Numbers are DELTA_BINARY_PACKED: times, lines, ids and runs of PFNs rise, and are a third of the size that dictionaries
 * and snappy leave. No `logical_type: INTEGER` is asked for: the library's Thrift has its bit width wrong, and DuckDB refuses
 * such a file (0.17.0). All columns are OPTIONAL, so that one that was never NULL may be later.
 */
import {ByteWriter, ParquetWriter} from 'hyparquet-writer';
import type {Batch, BatchWriter, ColumnBatch} from '../readers/export/rows.js';
import type {TableForm} from './table-file.js';

/** Hands the bytes of each row group on and keeps none. */
class PassingWriter extends ByteWriter {
  constructor(private readonly pass: (bytes: Uint8Array) => void) {
    super();
  }

  flush(): void {
    this.pass(this.getBytes());
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}

/** num_rows 0 and an empty list of row groups, as hyparquet-writer's Thrift has them; and as they should be. */
const NO_GROUPS = Buffer.from([0x16, 0x00, 0x19, 0x00]);
const NO_GROUPS_OF_STRUCTS = Buffer.from([0x16, 0x00, 0x19, 0x0c]);

/**
 * The library gives a list that has no elements no type of them. A reader that looks (arrow-rs) refuses a file without row
 * groups for it.
 */
function mended(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes);
  const at = file.indexOf(NO_GROUPS);
  if (at >= 0) NO_GROUPS_OF_STRUCTS.copy(file, at);
  return file;
}

const PHYSICAL = {
  BIGINT: {type: 'INT64'},
  INTEGER: {type: 'INT32'},
  VARCHAR: {type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: {type: 'STRING'}},
} as const;

export const PARQUET: TableForm = {
  extension: 'parquet',
  open(columns, write, about): BatchWriter {
    let rows = 0;
    const parquet = new ParquetWriter({
      writer: new PassingWriter((bytes) => write(rows > 0 ? bytes : mended(bytes))),
      schema: [
        {name: 'root', num_children: columns.length},
        ...columns.map(({name, type}) => ({name, repetition_type: 'OPTIONAL' as const, ...PHYSICAL[type]})),
      ],
      kvMetadata: Object.entries(about).map(([key, value]) => ({key, value})),
      createdBy: 'pinscope',
    });
    return {
      write(batch: Batch) {
        rows += batch.rows;
        const columnData = batch.columns.map((column, i) => ({
          name: columns[i]!.name,
          data: dataOf(column, batch.rows),
          ...(column.type === 'VARCHAR' ? {} : {encoding: 'DELTA_BINARY_PACKED' as const}),
        }));
        void parquet.write({columnData, rowGroupSize: batch.rows});
      },
      end() {
        void parquet.finish();
      },
    };
  },
};

function dataOf(column: ColumnBatch, rows: number): (bigint | number | string | null)[] {
  if (column.type === 'VARCHAR') return column.values;
  const {values, base} = column;
  const out: (bigint | number | null)[] = Array.from({length: rows});
  const wide = column.type === 'BIGINT';
  for (let i = 0; i < rows; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) out[i] = null;
    else if (!wide) out[i] = value;
    else out[i] = base === 0n ? BigInt(value) : base + BigInt(value);
  }
  return out;
}
