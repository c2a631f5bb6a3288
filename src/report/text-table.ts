/** Columns of text, the one place that knows cli-table3. ASCII, no frame, so that it survives pasting into a mail. */
import Table from 'cli-table3';

export interface Column {
  head: string;
  /** columns on screen; undefined: as wide as its widest cell */
  width?: number;
  right?: boolean;
}

const NO_FRAME = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Rows under heads, cells wrapped at words to their column's width. Cells must be printable already. */
export function textTable(columns: Column[], rows: string[][], indent = '  '): string[] {
  const table = new Table({
    head: columns.map((column) => column.head),
    colWidths: columns.map((column) => column.width ?? null),
    colAligns: columns.map((column) => (column.right === true ? 'right' : 'left')),
    wordWrap: true,
    truncate: '...',
    chars: NO_FRAME,
    style: {head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true},
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => `${indent}${line}`.trimEnd());
}
