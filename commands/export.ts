import * as Flags from '@oclif/core/flags';
import {TraceCommand} from '../src/cli/base.js';
import * as flags from '../src/cli/flags.js';
import {UserError} from '../src/io/user-error.js';

const {verbose} = flags.outputFlags([]);

export default class Export extends TraceCommand {
  static override summary =
    'Write the ledger of traces as tables (Parquet, CSV, JSON lines), or for the Perfetto viewer';
  static override description =
    'What happened to the pages, as tables that SQL reads: references with their takings and drops, DMA windows, writebacks, ' +
    'findings with their lines (docs/ledger.md). A file a table, in the folder that -o names; each appears when it is whole. ' +
    'With --partition the folder holds any number of traces (docs/fleet.md): FOLDER/TABLE/host=H/date=D/TRACE_ID.parquet, where ' +
    'the same trace again replaces itself.\n\n' +
    'Exit status: 0, 2 usage or unreadable input, 3 lossy input under --strict.';
  static override examples = [
    {description: 'All tables, as Parquet', command: '<%= config.bin %> <%= command.id %> trace.txt -o ledger'},
    {
      description: 'One trace of a fleet',
      command: '<%= config.bin %> <%= command.id %> --partition host=db7 trace.dat -o ledgers',
    },
    {
      description: 'Findings on a timeline, for ui.perfetto.dev',
      command: '<%= config.bin %> <%= command.id %> --to perfetto trace.txt -o trace.perfetto-trace',
    },
    {
      description: 'References and findings, for a spreadsheet',
      command: '<%= config.bin %> <%= command.id %> --to csv --tables refs,findings trace.txt -o tables',
    },
  ];
  static override baseFlags = {
    ...flags.inputFlags,
    'long-pin': flags.findingFlags['long-pin'],
    suppress: flags.findingFlags.suppress,
    pfn: flags.selectionFlags.pfn,
    time: flags.selectionFlags.time,
    to: Flags.string({
      summary: `output form: ${flags.EXPORT_FORMS.join(', ')}`,
      helpValue: 'FORM',
      helpGroup: 'OUTPUT',
      default: 'parquet',
    }),
    output: Flags.string({
      char: 'o',
      summary: 'the folder that the tables go to; the file of --to perfetto',
      helpValue: 'PATH',
      helpGroup: 'OUTPUT',
    }),
    quiet: Flags.boolean({char: 'q', summary: 'no progress, and no word of what was written', helpGroup: 'OUTPUT'}),
    verbose,
    help: flags.helpFlag,
  };
  static override flags = {
    partition: Flags.string({
      summary: 'folders that tell traces of many machines apart; a date is added where none is given',
      helpValue: 'host=H[,KEY=VALUE]',
      helpGroup: 'OUTPUT',
    }),
    all: Flags.boolean({
      summary:
        'with --to perfetto: not only findings but all references, mappings and writebacks (or those of --pfn, --time)',
      helpGroup: 'OUTPUT',
    }),
    tables: Flags.string({summary: 'only these tables', helpValue: 'NAME[,NAME...]', helpGroup: 'OUTPUT'}),
  };
  static override strict = false;

  async run(): Promise<void> {
    const options = await this.traceOptions(flags.EXPORT_FORMS);
    const {partition, tables, all} = (await this.parse(Export)).flags;
    const form = options.to;
    if (form === 'perfetto') {
      if (partition !== undefined || tables !== undefined)
        throw new UserError('--partition and --tables are of tables', {next: 'leave them out with --to perfetto'});
      const {runExportPerfetto} = await import('../src/cli/export-perfetto.js');
      process.exitCode = await runExportPerfetto(options, all, this.config.version);
      return;
    }
    if (all || options.selection.pfn.length > 0 || options.selection.time !== undefined)
      throw new UserError('--pfn, --time and --all are of --to perfetto', {next: 'tables are whole: select in SQL'});
    const {runExportTables} = await import('../src/cli/export.js');
    process.exitCode = await runExportTables(options, form, {partition, tables}, this.config.version);
  }
}
