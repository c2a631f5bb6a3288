/** Traces into a folder of tables: read and judged once, rows written as they come. */
import {LedgerRows} from '../readers/export/ledger.js';
import {wholeRows} from '../readers/export/whole.js';
import {TABLE_NAMES, type TableName} from '../readers/export/schema.js';
import {Dataset, type Partition, traceIdOf} from '../export/dataset.js';
import type {TableForm} from '../export/table-file.js';
import {identifyInputs} from '../io/identify.js';
import {UserError} from '../io/user-error.js';
import type {Report} from '../results/report.js';
import {analyzeReading, type AnalyzeOptions} from './analyze.js';

export interface LedgerOptions extends Omit<AnalyzeOptions, 'selected' | 'rules'> {
  folder: string;
  form: TableForm;
  partitions: readonly Partition[];
  /** empty for all */
  tables: readonly TableName[];
}

export interface WrittenLedger {
  traceId: string;
  report: Report;
  /** rows by table */
  rows: Map<TableName, number>;
}

/** Throws UserError; then the folder is as it was. */
export async function writeLedger(options: LedgerOptions): Promise<WrittenLedger> {
  const known = await identifyInputs(options.traces, options.signal);
  const traces = known.inputs.map((input) => input.path);
  const traceId = traceIdOf(known.inputs.map((input) => input.sha256));
  const tables = options.tables.length > 0 ? options.tables : TABLE_NAMES;
  let dataset: Dataset | undefined;
  try {
    const {report, reading} = await analyzeReading({...options, traces, rules: [], selected: () => true}, (ledger) => {
      const epoch = () => (ledger.capture.time.unit === 'ns' ? ledger.capture.time.absolute(0) : null);
      dataset = new Dataset({...options, tables, traceId, epoch});
      return [new LedgerRows(ledger, dataset)];
    });
    report.inputs.forEach((input, i) =>
      Object.assign(input, {path: known.inputs[i]!.shown, sha256: known.inputs[i]!.sha256}),
    );
    wholeRows(reading.ledger, report, dataset!);
    return {traceId, report, rows: dataset!.commit()};
  } catch (error) {
    dataset?.abort();
    throw named(error, known.inputs);
  } finally {
    known.release();
  }
}

/** An error about a copy of a pipe is one about the pipe. */
function named(error: unknown, inputs: readonly {shown: string; path: string}[]): unknown {
  if (!(error instanceof UserError)) return error;
  const input = inputs.find(({shown, path}) => shown !== path && error.where.startsWith(path));
  if (input === undefined) return error;
  const shown = input.shown === '-' ? 'standard input' : input.shown;
  return new UserError(error.message, {where: error.where.replace(input.path, shown), next: error.next, cause: error});
}
