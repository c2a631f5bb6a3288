/**
 * Real captures and the reports on them, read with other readers of the ledger beside the analysis: they change nothing in
 * the report. `UPDATE_SAMPLES=1 npx vitest run test/samples.test.ts` writes the reports again;
 * read what changed before you commit it.
 */
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, it} from 'vitest';
import {checkTrace, lasting} from './check-trace.js';

const root = 'sample-traces';
const TRACE = /\.(?:txt(?:\.gz)?|dat\.xz|data\.xz)$/;

const samples = readdirSync(root, {recursive: true, encoding: 'utf8'})
  .filter((name) => TRACE.test(name))
  .sort();

it.each(samples)('%s gives the report beside it, by whatever way it comes and whoever is asked', async (name) => {
  const file = path.join(root, name);
  const report = await checkTrace(file);
  const expected = file.replace(TRACE, '.expected.json');
  const text = `${JSON.stringify(lasting(report), null, 1)}\n`;
  if (process.env['UPDATE_SAMPLES'] === '1') {
    if (!existsSync(expected) || readFileSync(expected, 'utf8') !== text) writeFileSync(expected, text);
  }
  expect(existsSync(expected), `${expected} is missing: see the head of this test`).toBe(true);
  expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync(expected, 'utf8')));
});

it('is there for every report', () => {
  const reports = readdirSync(root, {recursive: true, encoding: 'utf8'}).filter((n) => n.endsWith('.expected.json'));
  const named = samples.map((name) => name.replace(TRACE, '.expected.json'));
  expect(reports.filter((report) => !named.includes(report))).toEqual([]);
});
