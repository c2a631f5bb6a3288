/** A form that tables are written in. Loaded when it is asked for. */
import type {FileColumn} from '../readers/export/schema.js';
import type {BatchWriter} from '../readers/export/rows.js';

export interface TableForm {
  /** of its files, without a dot */
  extension: string;
  /** Begins a file; `write` is handed its bytes in order. `about` goes into the file where the form has room for it. */
  open(columns: readonly FileColumn[], write: (bytes: Uint8Array) => void, about: Record<string, string>): BatchWriter;
}

export const TABLE_FORMS = ['parquet', 'csv', 'ndjson'] as const;
export type TableFormId = (typeof TABLE_FORMS)[number];

export async function tableForm(id: TableFormId): Promise<TableForm> {
  switch (id) {
    case 'parquet':
      return (await import('./parquet.js')).PARQUET;
    case 'csv':
      return (await import('./text.js')).CSV;
    case 'ndjson':
      return (await import('./text.js')).NDJSON;
  }
}
