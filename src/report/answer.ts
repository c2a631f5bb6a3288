/** The answer to a question in SQL: as a table, CSV, or JSON. Rows are written as they come. */
import {printable} from '../words/clean.js';
import {counted} from '../words/format.js';
import {textTable} from './text-table.js';

export interface AnswerRows {
  columns: readonly string[];
  /** columns that hold numbers: they stand to the right */
  numeric: readonly boolean[];
  rows: AsyncIterable<unknown[]>;
}

/** Rows that a table shows unless more are asked for. */
const USUAL_ROWS = 1000;

export type AnswerForm = 'table' | 'json' | 'ndjson' | 'csv';

/** Pieces of the output. `limit`: rows of a table, 0 for all; the other forms are whole. */
export function answerPieces(answer: AnswerRows, form: AnswerForm, limit?: number): AsyncIterable<string> {
  switch (form) {
    case 'table':
      return asTable(answer, limit ?? USUAL_ROWS);
    case 'csv':
      return asCsv(answer);
    case 'json':
      return asJson(answer);
    case 'ndjson':
      return asLines(answer);
  }
}

async function* asTable({columns, numeric, rows}: AnswerRows, limit: number): AsyncIterable<string> {
  const shown: string[][] = [];
  let more = 0;
  for await (const row of rows) {
    if (limit > 0 && shown.length >= limit) more++;
    // a cell may have lines of its own, such as those that prove a finding
    else shown.push(row.map((value) => cellText(value).split('\n').map(printable).join('\n')));
  }
  const heads = columns.map((name, i) => ({head: printable(name), right: numeric[i] === true}));
  yield `${textTable(heads, shown, '').join('\n')}\n`;
  if (shown.length === 0) yield '(no rows)\n';
  if (more > 0) yield `${counted(more, 'more row')} not shown: --limit 0, or --to csv\n`;
}

async function* asCsv({columns, rows}: AnswerRows): AsyncIterable<string> {
  yield `${columns.map(csvText).join(',')}\n`;
  for await (const row of rows)
    yield `${row.map((value) => (value === null ? '' : typeof value === 'string' && !isNumber(value) ? csvText(value) : cellText(value, csvText))).join(',')}\n`;
}

async function* asJson(answer: AnswerRows): AsyncIterable<string> {
  let before = '[';
  for await (const row of answer.rows) {
    yield `${before}\n${JSON.stringify(objectOf(answer.columns, row))}`;
    before = ',';
  }
  yield before === '[' ? '[]\n' : '\n]\n';
}

async function* asLines(answer: AnswerRows): AsyncIterable<string> {
  for await (const row of answer.rows) yield `${JSON.stringify(objectOf(answer.columns, row))}\n`;
}

/** Own keys only, whatever a column is called. */
function objectOf(columns: readonly string[], row: readonly unknown[]): object {
  return Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null]));
}

function cellText(value: unknown, of: (text: string) => string = (text) => text): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') return of(JSON.stringify(value));
  return typeof value === 'string' ? value : String(value as number | boolean);
}

/** 64-bit numbers come as texts of digits. */
function isNumber(text: string): boolean {
  return /^-?\d{1,40}$/.test(text);
}

function csvText(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
