import {string as textArgument} from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import {TraceCommand} from '../src/cli/base.js';
import * as flags from '../src/cli/flags.js';

export default class Query extends TraceCommand {
  static override summary = 'Ask the ledger of traces in SQL';
  static override description =
    'One SELECT over the tables of docs/ledger.md, of traces (each is read first) or of folders that pinscope export wrote. Joins are by ' +
    '(trace_id, X_id). DuckDB answers, an optional package: npm install @duckdb/node-api. It may read those tables and nothing ' +
    'else of this machine.\n\n' +
    'Exit status: 0, 2 usage, unreadable input or an error in the SQL, 130 and 143 when stopped.';
  static override examples = [
    {description: 'The questions that come with it', command: '<%= config.bin %> <%= command.id %> --saved'},
    {description: 'One of them', command: '<%= config.bin %> <%= command.id %> --saved who-pins trace.txt'},
    {
      description: 'One of your own, over a fleet',
      command:
        '<%= config.bin %> <%= command.id %> "SELECT host, count(*) FROM findings WHERE rule = \'pin-leak\' GROUP BY host" ledgers',
    },
  ];
  static override usage = ['query SQL [TRACE|FOLDER...] [flags]', 'query --saved NAME [TRACE|FOLDER...] [flags]'];
  static override args = {
    trace: textArgument({
      description: 'one SELECT (but with --saved), then traces to read, or folders that pinscope export wrote',
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override baseFlags = {
    ...flags.inputFlags,
    'long-pin': flags.findingFlags['long-pin'],
    suppress: flags.findingFlags.suppress,
    pfn: Flags.string({
      summary: 'what $pfn stands for in the SQL, as in --saved page-life',
      helpValue: 'P',
      helpGroup: 'SELECTION',
      multiple: true,
      multipleNonGreedy: true,
    }),
    ...flags.outputFlags(flags.QUERY_FORMS),
    limit: flags.limitFlag('rows of a table'),
  };
  static override flags = {
    saved: Flags.string({summary: 'a question by its name; without a name: list them', helpValue: 'NAME'}),
    timeout: Flags.string({summary: 'give up after so long', helpValue: 'DURATION'}),
  };
  static override strict = false;

  async run(): Promise<void> {
    // oclif wants a value for every flag that may have one
    const saving = this.argv.indexOf('--saved');
    if (saving >= 0 && (this.argv[saving + 1] ?? '-').startsWith('-')) this.argv.splice(saving + 1, 0, '');
    const options = await this.traceOptions(flags.QUERY_FORMS);
    const {saved, timeout} = (await this.parse(Query)).flags;
    const [sql, ...sources] = options.traces;
    const traces = saved === undefined ? sources : options.traces;
    const {runQuery} = await import('../src/cli/query.js');
    const asked = {sql: saved === undefined ? sql : undefined, saved, timeout};
    process.exitCode = await runQuery({...options, traces}, asked, this.config.version);
  }
}
