/** The forms that tables are written in, loaded when they are asked for. */
import type {TableForm} from './table-file.js';

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
