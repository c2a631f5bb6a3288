/** A form that tables are written in. */
import type {FileColumn} from '../readers/export/schema.js';
import type {BatchWriter} from '../readers/export/rows.js';

export interface TableForm {
  /** of its files, without a dot */
  extension: string;
  /** Begins a file; `write` is handed its bytes in order. `about` goes into the file where the form has room for it. */
  open(columns: readonly FileColumn[], write: (bytes: Uint8Array) => void, about: Record<string, string>): BatchWriter;
}
