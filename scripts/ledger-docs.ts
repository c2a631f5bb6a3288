/** Writes the tables of docs/ledger.md anew from their declaration: `node --import tsx scripts/ledger-docs.ts`. */
import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {fileColumns, TABLE_NAMES, TABLES} from '../src/readers/export/schema.js';

export const LEDGER_DOCS = fileURLToPath(new URL('../docs/ledger.md', import.meta.url));
const BEGIN = '<!-- tables: made by scripts/ledger-docs.ts -->';
const END = '<!-- end of the tables -->';

/** The page with its tables as they are declared now. */
export function withTables(page: string): string {
  const [before] = page.split(BEGIN);
  const [, after] = page.split(END);
  return `${before}${BEGIN}\n\n${tables()}\n${END}${after}`;
}

function tables(): string {
  return TABLE_NAMES.map((name) => {
    const rows = fileColumns(name)
      .filter((column) => column.name !== 'trace_id')
      .map((column) => `| \`${column.name}\` | ${column.type} | ${column.about.replaceAll('|', '\\|')} |\n`);
    return `### ${name}\n\n${TABLES[name].about}\n\n| column | type | |\n| --- | --- | --- |\n${rows.join('')}`;
  }).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(LEDGER_DOCS, withTables(readFileSync(LEDGER_DOCS, 'utf8')));
