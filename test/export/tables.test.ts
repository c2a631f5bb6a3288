/** The ledger's tables: every form says the same, three readers read every file, and the rows are what the report counts. */
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {hiveValue} from '../../src/export/dataset.js';
import {tableForm} from '../../src/export/forms.js';
import type {Batch} from '../../src/readers/export/rows.js';
import {type FileColumn, fileColumns, TABLE_NAMES, type TableName} from '../../src/readers/export/schema.js';
import {UserError} from '../../src/io/user-error.js';
import {ledgerOf, sample, temporaryFolder} from './ledger.js';
import {type Cells, duck, READERS} from './readers.js';

const namesOf = (table: TableName): string[] => fileColumns(table).map(({name}) => name);

function ndjson(file: string, columns: readonly string[]): Cells {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    // numbers as texts: a double does not hold all of BIGINT
    const row = JSON.parse(line.replace(/":(-?\d+)(?=[,}])/g, '":"$1"')) as Record<string, string | null>;
    expect(Object.keys(row)).toEqual(columns);
    return columns.map((name) => row[name] ?? null);
  });
}

/** RFC 4180, a quoted field being a text and an empty one NULL. */
function csv(file: string): Cells {
  const rows: Cells = [];
  const field = /("(?:[^"]|"")*"|[^",\n]*)([,\n])/gy;
  const text = readFileSync(file, 'utf8');
  let row: (string | null)[] = [];
  for (let m = field.exec(text); m !== null; m = field.exec(text)) {
    const [, raw = '', end] = m;
    row.push(raw === '' ? null : raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

describe('a ledger', () => {
  for (const name of [
    'ftrace/call-stacks.txt.gz',
    'ftrace/writeback-while-pinned.txt.gz',
    'ftrace/lost-events.txt.gz',
    'ftrace/counting-clock.txt.gz',
    'ftrace/large-folios.txt.gz',
  ]) {
    test(`of ${name} is the same in every form and to every reader`, async () => {
      const folder = temporaryFolder();
      const {rows, report} = await ledgerOf(sample(name), folder);
      await ledgerOf(sample(name), folder, 'csv');
      await ledgerOf(sample(name), folder, 'ndjson');
      for (const table of TABLE_NAMES) {
        const columns = namesOf(table);
        const told = ndjson(path.join(folder, `${table}.ndjson`), columns);
        expect(told.length).toBe(rows.get(table));
        const [head, ...lines] = csv(path.join(folder, `${table}.csv`));
        expect(head).toEqual(columns);
        expect(lines).toEqual(told);
        for (const [reader, read] of READERS)
          expect(await read(path.join(folder, `${table}.parquet`), columns), `${table} by ${reader}`).toEqual(told);
      }
      expect(rows.get('findings')).toBe(report.findings.length);
      expect(readdirSync(folder).filter((file) => file.startsWith('.'))).toEqual([]);
    });
  }

  test.skipIf(duck !== undefined)('is read by DuckDB (not installed here: not tried)', () => undefined);

  test('has as many references as the report counts, each part once', async () => {
    const folder = temporaryFolder();
    const {report} = await ledgerOf(sample('ftrace/call-stacks.txt.gz'), folder, 'ndjson', {
      tables: ['refs', 'stacks'],
    });
    const columns = namesOf('refs');
    const at = (name: string): number => columns.indexOf(name);
    const refs = ndjson(path.join(folder, 'refs.ndjson'), columns);
    const taken = (kind: string): number =>
      refs
        .filter(
          (row) =>
            row[at('kind')] === kind && row[at('ended')] !== 'dropped-unmatched' && row[at('taken_line')] !== null,
        )
        .reduce((sum, row) => sum + Number(row[at('n')]), 0);
    expect(taken('pin')).toBe(report.summary.pins);
    expect(taken('get')).toBe(report.summary.gets);
    const ids = refs.map((row) => `${row[at('ref_id')]}.${row[at('part')]}`);
    expect(new Set(ids).size).toBe(ids.length);
    for (const row of refs) {
      if (row[at('ended')] !== 'dropped' || row[at('taken_ns')] === null) continue;
      expect(BigInt(row[at('held_ns')]!)).toBe(BigInt(row[at('dropped_ns')]!) - BigInt(row[at('taken_ns')]!));
    }
    // the stack of an event comes after it; a drop's is there all the same
    expect(refs.some((row) => row[at('dropped_stack_id')] !== null && row[at('taken_stack_id')] !== null)).toBe(true);
    const stacks = ndjson(path.join(folder, 'stacks.ndjson'), namesOf('stacks'));
    const place = namesOf('stacks').indexOf('place');
    for (const row of stacks)
      expect(row[place] ?? '').not.toMatch(/^(trace_event_raw|__page_ref|try_grab|gup_|pin_user_pages)/);
  });

  test('points to the lines of the trace', async () => {
    const folder = temporaryFolder();
    const trace = path.join(folder, 'trace.txt');
    const {gunzipSync} = await import('node:zlib');
    writeFileSync(trace, gunzipSync(readFileSync(sample('ftrace/misuse-6.12-page_ref.txt.gz'))));
    await ledgerOf(trace, folder, 'ndjson');
    const lines = readFileSync(trace, 'utf8').split('\n');
    const columns = namesOf('refs');
    for (const row of ndjson(path.join(folder, 'refs.ndjson'), columns)) {
      const cell = (name: string): string => row[columns.indexOf(name)]!;
      const pfn = `0x${Number(cell('folio_pfn')).toString(16)}`;
      if (cell('taken_line') !== null) expect(lines[Number(cell('taken_line')) - 1]).toContain(pfn);
      if (cell('dropped_line') !== null) expect(lines[Number(cell('dropped_line')) - 1]).toContain(pfn);
    }
  });

  test('replaces itself under the same host, whatever the day; another host keeps its own', async () => {
    const folder = temporaryFolder();
    const trace = sample('ftrace/unpin-while-dma.txt.gz');
    const on = (host: string, value: string) => [
      {key: 'host', value: host},
      {key: 'date', value},
    ];
    const {traceId} = await ledgerOf(trace, folder, 'parquet', {partitions: on('db/7', '2026-01-01')});
    await ledgerOf(trace, folder, 'parquet', {partitions: on('db/7', '2026-01-02')});
    await ledgerOf(trace, folder, 'parquet', {partitions: on('db8', '2026-01-02')});
    const files = readdirSync(path.join(folder, 'refs'), {recursive: true}).filter((f) =>
      String(f).endsWith('.parquet'),
    );
    expect(files.sort()).toEqual([
      `host=db%2F7/date=2026-01-02/${traceId}.parquet`,
      `host=db8/date=2026-01-02/${traceId}.parquet`,
    ]);
    expect(hiveValue('..')).toBe('%2E%2E');
  });

  test('says when a recording began where the trace says it', async () => {
    const started = async (trace: string): Promise<string | null> => {
      const folder = temporaryFolder();
      await ledgerOf(trace, folder, 'ndjson', {tables: ['traces']});
      const columns = namesOf('traces');
      const [row] = ndjson(path.join(folder, 'traces.ndjson'), columns);
      return row![columns.indexOf('started_unix_ns')]!;
    };
    const folder = temporaryFolder();
    const text = path.join(folder, 'trace.txt');
    const line = '     sh-1     [000] .....     5.000001: mm_page_free: page=0 pfn=0x10 order=0\n';
    writeFileSync(text, `# tracer: nop\n#\n# pinscope-record: started_unix=1764100000\n${line}`);
    expect(await started(text)).toBe('1764100000000000000');
    writeFileSync(text, `# tracer: nop\n#\n${line}`);
    expect(await started(text)).toBeNull();
    // trace-cmd record --date
    const wall = new Date(Number(await started(sample('trace-dat/call-stacks.dat.xz'))) / 1e6);
    expect(wall.getUTCFullYear()).toBeGreaterThan(2020);
    expect(wall.getUTCFullYear()).toBeLessThan(2030);
  });

  test('leaves nothing behind where the trace cannot be read', async () => {
    const folder = temporaryFolder();
    const trace = path.join(folder, 'not-a-trace');
    writeFileSync(trace, 'nothing that any tracer prints\n'.repeat(100));
    await expect(ledgerOf(trace, path.join(folder, 'out'))).rejects.toThrow(UserError);
    expect(existsSync(path.join(folder, 'out'))).toBe(false);
  });
});

describe('parquet', () => {
  const columns: FileColumn[] = [
    {name: 'a', type: 'BIGINT', about: ''},
    {name: 'b', type: 'INTEGER', about: ''},
    {name: 'c', type: 'VARCHAR', about: ''},
  ];
  const row = fc.record({
    a: fc.option(fc.maxSafeInteger(), {nil: NaN}),
    b: fc.option(fc.integer(), {nil: NaN}),
    c: fc.option(fc.oneof(fc.constantFrom('pin', 'get', ''), fc.string({unit: 'grapheme'})), {nil: null}),
  });
  const group = fc.oneof(
    {weight: 4, arbitrary: fc.array(row, {minLength: 1, maxLength: 80})},
    // long runs: pages of one mapping, times that rise
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.integer(), fc.integer({min: 1, max: 3000}))
        .map(([b, n]) => Array.from({length: n}, (_, i) => ({a: i * 4096, b: Math.min(b, 2e9) + i, c: 'x'}))),
    },
  );

  test('of any rows is read by all three as it was written', async () => {
    const folder = temporaryFolder();
    // each in a file of its own: DuckDB keeps parts of files in mind, and takes one that was written anew at once for the same
    let files = 0;
    const {open} = await tableForm('parquet');
    await fc.assert(
      fc.asyncProperty(
        fc.array(group, {maxLength: 3}),
        fc.constantFrom(0n, 17_000_000_000_000n, 9_000_000_000_000_000_000n),
        async (groups, base) => {
          const parts: Uint8Array[] = [];
          const writer = open(columns, (bytes) => parts.push(bytes.slice()), {about: 'é'});
          for (const rows of groups) {
            const batch: Batch = {
              rows: rows.length,
              columns: [
                {type: 'BIGINT', values: Float64Array.from(rows, (r) => r.a % 2 ** 50), base},
                {type: 'INTEGER', values: Float64Array.from(rows, (r) => r.b), base: 0n},
                {type: 'VARCHAR', values: rows.map((r) => r.c)},
              ],
            };
            writer.write(batch);
          }
          writer.end();
          const file = path.join(folder, `any-${files++}.parquet`);
          writeFileSync(file, Buffer.concat(parts));
          const wanted = groups
            .flat()
            .map(({a, b, c}) => [
              Number.isNaN(a) ? null : String(base + BigInt(a % 2 ** 50)),
              Number.isNaN(b) ? null : String(b),
              c,
            ]);
          for (const [reader, read] of READERS) expect(await read(file, ['a', 'b', 'c']), reader).toEqual(wanted);
        },
      ),
      {numRuns: 60},
    );
  });
});
