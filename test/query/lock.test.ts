/** A question reads the ledger, and nothing else of this machine. */
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {UserError} from '../../src/io/user-error.js';
import {tableFilesIn} from '../../src/query/dataset.js';
import {ledgerOf, sample, temporaryFolder} from '../export/ledger.js';
import {duck} from '../export/readers.js';
import {ask, over} from './asked.js';

test.skipIf(duck !== undefined)('DuckDB is not installed here: the lock was not tried', () => undefined);

describe.skipIf(duck === undefined)('the lock', () => {
  const inLedger = async () => {
    const folder = path.join(temporaryFolder(), "it's");
    mkdirSync(folder);
    await ledgerOf(sample('ftrace/unpin-while-dma.txt.gz'), folder);
    writeFileSync(path.join(folder, 'secret.csv'), 'a\nsecret\n');
    writeFileSync(path.join(folder, 'other.parquet'), readFileSync(path.join(folder, 'refs.parquet')));
    return {folder, database: await over(folder)};
  };

  test('lets no way out of twenty and more', async () => {
    const {folder, database} = await inLedger();
    const f = folder.replaceAll("'", "''");
    const before = readdirSync(folder).map((name) => [name, statSync(path.join(folder, name)).mtimeMs]);
    const ways = [
      `SELECT * FROM read_csv('/etc/passwd')`,
      `SELECT * FROM read_text('/etc/passwd')`,
      `SELECT * FROM read_blob('/etc/passwd')`,
      `SELECT * FROM '/etc/passwd'`,
      `SELECT * FROM read_csv('${f}/secret.csv')`,
      `SELECT * FROM '${f}/secret.csv'`,
      `SELECT * FROM '${f}/other.parquet'`,
      `SELECT * FROM read_parquet('${f}/*.parquet')`,
      `SELECT * FROM sniff_csv('${f}/secret.csv')`,
      `SELECT * FROM glob('/etc/*')`,
      `SELECT * FROM parquet_metadata('${f}/other.parquet')`,
      `SELECT * FROM read_text('/proc/self/environ')`,
      `SELECT * FROM read_csv('/dev/stdin')`,
      `SELECT * FROM read_csv('https://example.org/x.csv')`,
      `SELECT getenv('HOME')`,
      `SELECT * FROM query('COPY refs TO ''${f}/out.csv''')`,
      `COPY refs TO '${f}/out.csv'`,
      `COPY (SELECT 1) TO '${f}/refs.parquet' (FORMAT parquet)`,
      `EXPLAIN ANALYZE COPY refs TO '${f}/out.csv'`,
      `EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1`,
      `EXPORT DATABASE '${f}/out'`,
      `ATTACH '${f}/out.db'`,
      `INSTALL httpfs`,
      `LOAD httpfs`,
      `SET enable_external_access = true`,
      `SET memory_limit = '100GB'`,
      `SET allowed_directories = ['/']`,
      `RESET lock_configuration`,
      `PRAGMA enable_profiling`,
      `CALL pragma_version()`,
      `CREATE TABLE t AS SELECT 1`,
      `DROP VIEW refs`,
      `INSERT INTO refs SELECT * FROM refs`,
      `SELECT 1; SELECT * FROM read_text('/etc/passwd')`,
      `SELECT 1; DROP VIEW refs`,
      `PREPARE q AS SELECT 1`,
      `CREATE SECRET (TYPE s3, KEY_ID 'x', SECRET 'y')`,
      `CHECKPOINT`,
      '',
    ];
    for (const way of ways) await expect(ask(database, way), way).rejects.toThrow(UserError);
    expect(readdirSync(folder).map((name) => [name, statSync(path.join(folder, name)).mtimeMs])).toEqual(before);
    expect(existsSync('.tmp')).toBe(false);
    expect(await ask(database, 'SELECT count(*) > 0 AS some FROM refs')).toEqual([{some: true}]);
  });

  test('lets through what is a SELECT to DuckDB', async () => {
    const {database} = await inLedger();
    for (const sql of [
      'SHOW TABLES',
      'DESCRIBE refs',
      'SUMMARIZE refs',
      'FROM refs',
      'EXPLAIN SELECT * FROM refs',
      'explain analyze SELECT count(*) FROM refs',
      'WITH a AS (SELECT 1 AS x) SELECT x FROM a;',
    ])
      expect((await ask(database, sql)).length, sql).toBeGreaterThan(0);
  });

  test('a question without end is ended', async () => {
    const {database} = await inLedger();
    const endless = ask(database, 'SELECT count(*) FROM range(100000000) a, range(100000000) b');
    // again, in case it has not begun yet
    const asked = setInterval(() => database.interrupt(), 100);
    await expect(endless).rejects.toThrow(/[Ii]nterrupt/);
    clearInterval(asked);
    expect(await ask(database, 'SELECT 1 AS x')).toEqual([{x: 1}]);
  });

  test('a table that was left out is told as such; columns that a file is too old to have are NULL', async () => {
    const folder = temporaryFolder();
    await ledgerOf(sample('ftrace/unpin-while-dma.txt.gz'), folder, 'parquet', {tables: ['refs']});
    const database = await over(folder);
    await expect(ask(database, 'SELECT * FROM findings')).rejects.toMatchObject({
      next: 'the ledger was exported without findings',
    });
    await expect(ask(database, 'SELECT nosuch FROM refs')).rejects.toThrow(/nosuch/);
    await expect(ask(database, 'SELECT * FROM resf')).rejects.toMatchObject({next: 'did you mean refs?'});
    await expect(ask(database, 'SELECT taken_n FROM refs')).rejects.toMatchObject({
      next: expect.stringContaining('taken_ns') as string,
    });
    expect(() => tableFilesIn(path.dirname(sample('ftrace')))).toThrow('holds no ledger');
  });
});
