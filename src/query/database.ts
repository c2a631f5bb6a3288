/**
 * DuckDB over the files of a ledger, locked: one SELECT, that reads those files and nothing else on this machine.
 *
 * Views are made first; then exactly their files are allowed (`allowed_paths`: with allowed_directories COPY could write
 * into them), nothing outside may be reached, and the settings are locked. What DuckDB would still allow in memory (CREATE,
 * DROP, SET of variables, PRAGMA) is no SELECT, and is refused before it runs.
 */
import type {DuckDBConnection, DuckDBInstance} from '@duckdb/node-api';
import type * as DuckDb from '@duckdb/node-api';
import {UserError, systemCode} from '../io/user-error.js';
import {fileColumns, TABLE_NAMES, type TableName} from '../readers/export/schema.js';
import type {TableFile, TableFiles} from './dataset.js';
import {VIEWS} from './saved.js';

/** A question that needs more fails: nothing is put on disk for it. */
const MEMORY_LIMIT = '2GB';

export interface Answer {
  columns: string[];
  /** columns that hold numbers */
  numeric: boolean[];
  /** as JSON has them: 64-bit numbers are texts of digits; lists and structs are objects */
  rows: AsyncIterable<unknown[]>;
}

/** Throws UserError where it is not installed. */
async function duckDb(): Promise<typeof DuckDb> {
  try {
    return await import('@duckdb/node-api');
  } catch (error) {
    if (systemCode(error) !== 'ERR_MODULE_NOT_FOUND')
      throw new UserError(`DuckDB does not start: ${(error as Error).message}`, {cause: error});
    throw new UserError('query needs DuckDB, which is not installed', {
      next: 'npm install @duckdb/node-api (70 MB; with -g where pinscope is)',
      cause: error,
    });
  }
}

export class Database {
  private constructor(
    private readonly duckdb: typeof DuckDb,
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly missing: readonly TableName[],
  ) {}

  /** Throws UserError where DuckDB is not installed, or the files are no ledger. */
  static async open(files: TableFiles): Promise<Database> {
    const duckdb = await duckDb();
    const instance = await duckdb.DuckDBInstance.create(':memory:', {memory_limit: MEMORY_LIMIT, temp_directory: ''});
    const connection = await instance.connect();
    try {
      for (const [table, of] of files) await connection.run(viewOf(table, of));
      for (const [name, sql] of Object.entries(VIEWS)) {
        // a view over a table that was left out is left out too
        await connection.run(`CREATE VIEW ${name} AS ${sql}`).catch(() => undefined);
      }
      await connection.run(
        `SET allowed_paths = [${[...files.values()].flatMap((of) => of.map(({file}) => quoted(file))).join(', ')}]`,
      );
      await connection.run('SET autoload_known_extensions = false');
      await connection.run('SET autoinstall_known_extensions = false');
      await connection.run('SET enable_external_access = false');
      await connection.run('SET lock_configuration = true');
    } catch (error) {
      throw new UserError(`the ledger cannot be read: ${firstLine(error)}`, {next: 'export it again', cause: error});
    }
    const missing = TABLE_NAMES.filter((table) => !files.has(table));
    return new Database(duckdb, instance, connection, missing);
  }

  /**
   * The answer to one SELECT (or DESCRIBE, SHOW, SUMMARIZE, which are such, or EXPLAIN of one). `parameters`: values of
   * $name in it. Throws UserError with what DuckDB says of it.
   */
  async ask(sql: string, parameters: Readonly<Record<string, number | null>> = {}): Promise<Answer> {
    try {
      const statements = await this.connection.extractStatements(sql);
      if (statements.count !== 1) throw new UserError('SQL: one statement at a time', {next: 'leave out all but one'});
      const statement = await statements.prepare(0);
      const {StatementType} = this.duckdb;
      const allowed =
        statement.statementType === StatementType.SELECT ||
        (statement.statementType === StatementType.EXPLAIN && (await this.explainsSelect(sql)));
      if (!allowed) throw new UserError('SQL: only SELECT is allowed', {next: 'the ledger is only read'});
      for (let i = 1; i <= statement.parameterCount; i++) {
        const name = statement.parameterName(i);
        const value = parameters[name];
        if (value === undefined) throw new UserError(`SQL: nothing is given for $${name}`, {next: '--pfn gives $pfn'});
        if (value === null) statement.bindNull(i);
        else statement.bindBigInt(i, BigInt(value));
      }
      const result = await statement.stream();
      const {DuckDBTypeId} = this.duckdb;
      const texts = new Set([DuckDBTypeId.VARCHAR, DuckDBTypeId.BOOLEAN, DuckDBTypeId.LIST, DuckDBTypeId.STRUCT]);
      return {
        columns: result.deduplicatedColumnNames(),
        numeric: result.columnTypes().map(({typeId}) => !texts.has(typeId)),
        rows: this.rowsOf(result),
      };
    } catch (error) {
      throw this.told(error);
    }
  }

  /** Ends the question that runs; its rows throw. */
  interrupt(): void {
    this.connection.interrupt();
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }

  private async *rowsOf(
    result: Awaited<ReturnType<DuckDb.DuckDBPreparedStatement['stream']>>,
  ): AsyncIterable<unknown[]> {
    try {
      for await (const chunk of result.yieldRowsJson()) yield* chunk;
    } catch (error) {
      throw this.told(error);
    }
  }

  /** EXPLAIN ANALYZE runs what it explains. */
  private async explainsSelect(sql: string): Promise<boolean> {
    const inner = sql.replace(/^\s*explain\s+(?:analyze\s+)?/i, '');
    const statements = await this.connection.extractStatements(inner);
    return statements.count === 1 && (await statements.prepare(0)).statementType === this.duckdb.StatementType.SELECT;
  }

  private told(error: unknown): UserError {
    if (error instanceof UserError) return error;
    const text = firstLine(error);
    const absent = this.missing.find((table) => new RegExp(`Table with name ${table}\\b`, 'i').test(text));
    const [, near] = /^Did you mean "(.*)"\?$/m.exec(String((error as Error).message)) ?? [];
    const [, columns] = /^Candidate bindings: (.*)$/m.exec(String((error as Error).message)) ?? [];
    const next =
      absent !== undefined
        ? `the ledger was exported without ${absent}`
        : near !== undefined
          ? `did you mean ${near}?`
          : columns !== undefined
            ? `like it are ${columns.replaceAll('"', '')}`
            : 'docs/ledger.md has the tables; or ask: SHOW TABLES, DESCRIBE refs';
    return new UserError(`SQL: ${text}`, {next, cause: error});
  }
}

/**
 * A table of all its files. A column that was added later is NULL in older files, and so where all files are older. Files of
 * other folders (host=H) than the rest are read apart: one reading wants one kind of path.
 */
function viewOf(table: TableName, files: readonly TableFile[]): string {
  const parts = [
    `SELECT ${fileColumns(table)
      .map(({name, type}) => `NULL::${type} AS ${name}`)
      .join(', ')} WHERE false`,
  ];
  for (const kind of new Set(files.map(({partitions}) => partitions))) {
    const list = files.filter(({partitions}) => partitions === kind).map(({file}) => quoted(file));
    const hive = kind === '' ? 'hive_partitioning = false' : 'hive_partitioning = true, hive_types_autocast = false';
    parts.push(`SELECT * FROM read_parquet([${list.join(', ')}], union_by_name = true, ${hive})`);
  }
  return `CREATE VIEW ${table} AS ${parts.join(' UNION ALL BY NAME ')}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 500);
}
