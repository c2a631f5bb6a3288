import {spawnSync} from 'node:child_process';
import {cpSync, mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {SAVED} from '../../src/query/saved.js';
import {pinscope, sample} from '../commands/pinscope.js';
import {temporaryFolder} from '../export/ledger.js';
import {duck} from '../export/readers.js';

const TRACE = sample('ftrace/unpin-while-dma');

describe('pinscope query', () => {
  test('lists what comes with it, without DuckDB and without a trace', () => {
    const {status, stdout} = pinscope(['query', '--saved']);
    const listed = JSON.parse(pinscope(['query', '--saved', '--json']).stdout) as {name: string; sql: string}[];
    expect(listed.map(({name}) => name)).toHaveLength(12);
    expect(listed[0]?.sql).toContain('FROM refs');
    expect(status).toBe(0);
    for (const {name} of SAVED) expect(stdout).toContain(name);
  });

  test('says in one line how to get DuckDB where it is not', () => {
    const alone = temporaryFolder();
    for (const part of ['bin', 'dist']) cpSync(part, path.join(alone, part), {recursive: true});
    cpSync('package.json', path.join(alone, 'package.json'));
    const ended = spawnSync(process.execPath, [path.join(alone, 'bin/run.js'), 'query', 'SELECT 1', TRACE], {
      encoding: 'utf8',
    });
    expect(ended.status).toBe(2);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toBe(
      'pinscope: query needs DuckDB, which is not installed; npm install @duckdb/node-api (70 MB; with -g where pinscope is)\n',
    );
  });

  test('a question that is not there is told', () => {
    expect(pinscope(['query', '--saved', 'who-pin', TRACE])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('did you mean who-pins?') as string,
    });
    expect(pinscope(['query', '--saved', 'who-pins', '/no/such/trace']).status).toBe(2);
    expect(pinscope(['query', TRACE]).stderr).toBe(
      `pinscope: ${TRACE}: is a file, not a question; to ask it: pinscope query 'SELECT ...' ${TRACE}\n`,
    );
  });
});

describe.skipIf(duck === undefined)('pinscope query with DuckDB', () => {
  const SQL = `SELECT 42 AS n, 9007199254740993::BIGINT AS big, 'a"b,' || chr(27) || '[31m' AS text, NULL AS nothing, [1, 2] AS list`;

  test('has a table, JSON, JSON lines and CSV', () => {
    const to = (form: string): string => pinscope(['query', SQL, TRACE, '--to', form]).stdout;
    expect(to('table')).not.toContain('\x1b');
    expect(JSON.parse(to('json'))).toEqual([
      {n: 42, big: '9007199254740993', text: 'a"b,\x1b[31m', nothing: null, list: [1, 2]},
    ]);
    expect(to('ndjson').split('\n')).toHaveLength(2);
    expect(to('csv')).toBe('"n","big","text","nothing","list"\n42,9007199254740993,"a""b,\x1b[31m",,"[1,2]"\n');
  });

  test('reads a pipe, cuts a table with a word, and leaves nothing in the temporary folder', () => {
    const ours = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('pinscope-query-'));
    const before = ours();
    const {status, stdout} = pinscope(
      ['query', 'SELECT path FROM inputs, range(5)', '-', '--limit', '2'],
      readFileSync(TRACE),
    );
    expect(status).toBe(0);
    expect(stdout.split('\n').map((line) => line.trim())).toEqual([
      'path',
      '-',
      '-',
      '3 more rows not shown: --limit 0, or --to csv',
      '',
    ]);
    expect(ours()).toEqual(before);
  });

  test('gives up after --timeout, and takes no half answer for one', () => {
    const folder = temporaryFolder();
    mkdirSync(folder, {recursive: true});
    const out = path.join(folder, 'out.csv');
    const endless = 'SELECT count(*) FROM range(100000000) a, range(100000000) b';
    const {status, stderr} = pinscope(['query', endless, TRACE, '--timeout', '200ms', '--to', 'csv', '-o', out]);
    expect(status).toBe(2);
    expect(stderr).toContain('took longer than 200ms');
    expect(readdirSync(folder)).toEqual([]);
  });
});
