/**
 * Real captures and the reports on them. `UPDATE_SAMPLES=1 npx vitest run test/samples.test.ts` writes the reports again;
 * read what changed before you commit it.
 */
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, it} from 'vitest';
import type {Report} from '../src/results/report.js';
import {analyzeFiles} from './rules/analyze-text.js';

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

describe('the sample', () => {
  it.each(samples)('%s gives the report beside it', async (name) => {
    const file = path.join(root, name);
    const expected = file.replace(TRACE, '.expected.json');
    const text = `${JSON.stringify(lasting(await analyzeFiles([file])), null, 1)}\n`;
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
});
