import * as Flags from '@oclif/core/flags';
import {TraceCommand} from '../src/cli/base.js';
import {kallsymsFlag} from '../src/cli/flags.js';

export default class Analyze extends TraceCommand {
  static override summary = "Read traces, rebuild every page's reference history, report findings";
  static override description =
    'Reads kernel traces (of ftrace, trace-cmd, perf, bpftrace; dmesg, mails), rebuilds the typed references of every page ' +
    'in them, and reports pages that were unpinned while DMA was in flight, written back while pinned, and their kin.\n\n' +
    'Exit status: 0 nothing at or above --fail-on, 1 a finding is, 2 usage or unreadable input, 3 lossy input under --strict, ' +
    '130 and 143 when stopped by Ctrl-C or SIGTERM.';
  static override examples = [
    {description: 'Look at a trace', command: '<%= config.bin %> <%= command.id %> trace.txt'},
    {
      description: 'From a pipe, as a plain-text report for a mail',
      command: 'gzip -dc trace.gz | <%= config.bin %> <%= command.id %> --to mail -',
    },
    {
      description: 'One rule, one device, as JSON',
      command: '<%= config.bin %> <%= command.id %> --rule unpin-while-dma --device 0000:03:00.0 --json trace.txt',
    },
    {
      description: 'Watch a running trace',
      command: 'cat /sys/kernel/tracing/trace_pipe | <%= config.bin %> <%= command.id %> --follow',
    },
    {
      description: 'In a script: fail only on what is certain',
      command: '<%= config.bin %> <%= command.id %> --fail-on error:sure --quiet trace.txt',
    },
  ];
  static override flags = {
    follow: Flags.boolean({
      summary: 'read a trace as it is written: findings as they become certain, a summary on Ctrl-C',
      helpGroup: 'INPUT',
    }),
    kallsyms: kallsymsFlag,
    bisect: Flags.boolean({
      summary: 'exit with 1 for a sure finding, 0 where the trace could have shown one, else 125: for git bisect run',
      helpGroup: 'FINDINGS',
    }),
    cause: Flags.string({
      summary: 'with --bisect: only findings whose cause holds this text, such as unpin-while-dma|0000:03:00.0',
      helpValue: 'TEXT',
      helpGroup: 'FINDINGS',
      dependsOn: ['bisect'],
    }),
    deeds: Flags.string({
      summary: 'with --bisect: calls that pin which a trace must have to be called good (100)',
      helpValue: 'N',
      helpGroup: 'FINDINGS',
      dependsOn: ['bisect'],
    }),
  };
  static override strict = false;

  async run(): Promise<void> {
    if (this.argv.includes('--bisect')) return this.bisect();
    const options = await this.traceOptions();
    const {flags} = await this.parse(Analyze);
    if (flags.follow) {
      const {runFollow} = await import('../src/cli/follow.js');
      process.exitCode = await runFollow(options, this.config.version, flags.kallsyms);
      return;
    }
    const {runAnalyze} = await import('../src/cli/analyze.js');
    process.exitCode = await runAnalyze(options, this.config.version, flags.kallsyms);
  }
  /** Whatever fails must not look like a bad commit. */
  private async bisect(): Promise<void> {
    try {
      const options = await this.traceOptions();
      const {cause, deeds} = (await this.parse(Analyze)).flags;
      const {runBisect} = await import('../src/cli/bisect.js');
      process.exitCode = await runBisect(options, {cause, deeds}, this.config.version);
    } catch (error) {
      const {endWith} = await import('../src/cli/failure.js');
      endWith(error);
      process.exitCode = 125;
    }
  }
}
