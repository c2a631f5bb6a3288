/**
 * Real captures and the reports on them, read with other readers of the ledger beside the analysis: they change nothing in
 * the report. `UPDATE_SAMPLES=1 npx vitest run test/samples.test.ts` writes the reports again;
 * read what changed before you commit it.
 */
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {beforeAll, describe, expect, it} from 'vitest';
import type {Report} from '../src/results/report.js';
import {countedByAll} from './analyze/one-count.js';
import {expectOneTelling} from './analyze/one-telling.js';

const root = 'sample-traces';
const TRACE = /\.(?:txt(?:\.gz)?|dat\.xz|data\.xz)$/;

const samples = readdirSync(root, {recursive: true, encoding: 'utf8'})
  .filter((name) => TRACE.test(name))
  .sort();

/** The report without what differs from run to run, machine to machine, and version to version. */
function lasting(report: Report): unknown {
  const {tool: _tool, command: _command, timing: _timing, inputs, ...rest} = report;
  return {inputs: inputs.map(({path: _path, ...input}) => input), ...rest};
}

describe.each(samples)('the sample %s', (name) => {
  const file = path.join(root, name);
  let report: Report;
  let pins: Record<string, number>;
  beforeAll(async () => {
    ({report, pins} = await countedByAll(file));
  });

  it('gives the report beside it', () => {
    const expected = file.replace(TRACE, '.expected.json');
    const text = `${JSON.stringify(lasting(report), null, 1)}\n`;
    if (process.env['UPDATE_SAMPLES'] === '1') {
      if (!existsSync(expected) || readFileSync(expected, 'utf8') !== text) writeFileSync(expected, text);
    }
    expect(existsSync(expected), `${expected} is missing: see the head of this test`).toBe(true);
    expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync(expected, 'utf8')));
  });

  it('has as many pins for analyze as for pins, history and an export', () => {
    const {analyze} = pins;
    expect(pins).toEqual({analyze, pins: analyze, history: analyze, refs: analyze});
  });

  it('tells of every finding what history tells', () => expectOneTelling(file, report.findings));
});

it('is there for every report', () => {
  const reports = readdirSync(root, {recursive: true, encoding: 'utf8'}).filter((n) => n.endsWith('.expected.json'));
  const named = samples.map((name) => name.replace(TRACE, '.expected.json'));
  expect(reports.filter((report) => !named.includes(report))).toEqual([]);
});
