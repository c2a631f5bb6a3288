/** The ledgers that a command line names: traces, or folders that export wrote. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {tableForm} from '../export/forms.js';
import {isFolder, type TableFiles, tableFilesIn, together} from '../query/dataset.js';
import {writeLedger} from '../run/write-tables.js';
import type {TraceOptions} from './base.js';
import type {AnyForm} from './flags.js';
import {judging} from './judging.js';
import {type Progress, showProgress} from './progress.js';
import {tellReading} from './run.js';

/** What SQL and comparisons read: folders as they are, each trace as a ledger in a temporary folder. */
export class Sources {
  private temporary: string | undefined;
  private ledgers = 0;
  private readonly remove = (): void => {
    if (this.temporary !== undefined) rmSync(this.temporary, {recursive: true, force: true});
    this.temporary = undefined;
  };

  constructor(
    private readonly options: TraceOptions<AnyForm>,
    private readonly version: string,
    private readonly signal: AbortSignal,
  ) {}

  /** All sources as one. */
  async files(): Promise<TableFiles> {
    const {traces} = this.options;
    const all: TableFiles[] = [];
    for (const source of traces.length > 0 ? traces : ['-']) all.push(await this.filesOf(source));
    return together(all);
  }

  async filesOf(source: string): Promise<TableFiles> {
    return source !== '-' && isFolder(source) ? tableFilesIn(source) : this.ledgerOf(source);
  }

  release(): void {
    this.remove();
    process.off('exit', this.remove);
  }

  private async ledgerOf(trace: string): Promise<TableFiles> {
    if (this.temporary === undefined) {
      this.temporary = mkdtempSync(path.join(tmpdir(), 'pinscope-query-'));
      process.on('exit', this.remove);
    }
    const folder = path.join(this.temporary, String(++this.ledgers));
    let progress: Progress | undefined;
    try {
      const {report} = await writeLedger({
        ...(await judging(this.options, this.version)),
        traces: trace === '-' && this.options.traces.length === 0 ? [] : [trace],
        ...{folder, form: await tableForm('parquet'), partitions: [], tables: []},
        signal: this.signal,
        onOpen: (inputs) => (progress = showProgress(inputs, this.options)),
      });
      progress?.stop();
      if (this.options.verbose) tellReading(report);
    } finally {
      progress?.stop();
    }
    return tableFilesIn(folder);
  }
}
