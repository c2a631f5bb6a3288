import {readFileSync} from 'node:fs';
import {expect, test} from 'vitest';
import {LEDGER_DOCS, withTables} from '../../scripts/ledger-docs.js';

test('docs/ledger.md has the tables as they are (else: node --import tsx scripts/ledger-docs.ts)', () => {
  const page = readFileSync(LEDGER_DOCS, 'utf8');
  expect(page).toBe(withTables(page));
});
