/** 100 captures in one folder: what DuckDB counts is the sum of what the reports say. */
import {spawnSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {gunzipSync} from 'node:zlib';
import {describe, expect, test} from 'vitest';
import {ledgerOf, sample, SAMPLES, temporaryFolder} from '../export/ledger.js';
import {duck} from '../export/readers.js';
import {ask, over, saved} from '../query/asked.js';

const HAND_MADE = readdirSync(path.join(SAMPLES, 'ftrace/hand-made'))
  .filter((name) => name.endsWith('.txt') || name.endsWith('.txt.gz'))
  .map((name) => sample(`ftrace/hand-made/${name}`));

/** The text of a capture, made another one by a comment. */
function another(trace: string, i: number): string {
  const bytes = readFileSync(trace);
  return `# capture ${i}\n${(trace.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()}`;
}

describe('a fleet', () => {
  test.skipIf(duck === undefined)(
    'of 100 captures on 10 hosts counts what their reports say',
    {timeout: 300_000},
    async () => {
      const folder = temporaryFolder(true);
      const ledgers = path.join(folder, 'ledgers');
      const file = path.join(folder, 'capture');
      const sums = {findings: 0, pins: 0, events: 0, sure: 0};
      const tables = ['traces', 'refs', 'findings', 'tasks', 'rules'] as const;
      for (let i = 0; i < 100; i++) {
        writeFileSync(file, another(HAND_MADE[i % HAND_MADE.length]!, i));
        const partitions = [
          {key: 'host', value: `h${i % 10}`},
          {key: 'date', value: '2026-11-26'},
        ];
        const {report} = await ledgerOf(file, ledgers, 'parquet', {partitions, tables});
        sums.findings += report.findings.length;
        sums.sure += report.findings.filter((f) => f.verdict === 'sure').length;
        sums.pins += report.summary.pins;
        sums.events += report.inputs.reduce((sum, input) => sum + input.events, 0);
      }
      const database = await over(ledgers);
      const [counted] = await ask(
        database,
        `SELECT (SELECT count(*) FROM traces)::INTEGER AS traces, (SELECT count(DISTINCT host) FROM traces)::INTEGER AS hosts,
              (SELECT count(*) FROM findings)::INTEGER AS findings, (SELECT count(*) FROM findings WHERE verdict = 'sure')::INTEGER AS sure,
              (SELECT sum(events) FROM traces)::INTEGER AS events,
              (SELECT coalesce(sum(n), 0) FROM refs WHERE kind = 'pin' AND ended <> 'dropped-unmatched' AND taken_line IS NOT NULL)::INTEGER AS pins`,
      );
      expect(counted).toEqual({traces: 100, hosts: 10, ...sums});
      const causes = await saved(database, 'causes');
      expect(causes.reduce((sum, row) => sum + Number(row['findings']), 0)).toBe(sums.findings);
    },
  );

  test('the xargs script exports all that can be read, and tells the rest', () => {
    const folder = temporaryFolder();
    const list = path.join(folder, 'list');
    const ledgers = path.join(folder, 'ledgers');
    const captures = [0, 1, 2].map((i) => {
      const file = path.join(folder, `capture ${i}.txt`);
      writeFileSync(file, i === 1 ? 'no trace\n' : another(HAND_MADE[i]!, i));
      return `h${i}\t${file}\n`;
    });
    writeFileSync(list, captures.join(''));
    const {status, stderr} = spawnSync(path.resolve('docs/examples/fleet-xargs.sh'), [list, ledgers, '2'], {
      encoding: 'utf8',
      env: {...process.env, PINSCOPE: `${process.execPath} ${path.resolve('bin/run.js')}`},
    });
    expect(status).toBe(1);
    expect(stderr).toContain('left out: ');
    expect(readdirSync(path.join(ledgers, 'traces')).sort()).toEqual(['host=h0', 'host=h2']);
    expect(existsSync(path.join(ledgers, 'traces/host=h1'))).toBe(false);
  });
});
