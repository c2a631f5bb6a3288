import * as Flags from '@oclif/core/flags';
import {TraceCommand} from '../src/cli/base.js';
import {kallsymsFlag} from '../src/cli/flags.js';

export default class Analyze extends TraceCommand {
  static override summary = "Read traces, rebuild every page's reference history, report findings";
  static override description =
    'Reads kernel traces (ftrace, trace-cmd report, perf script, bpftrace, dmesg, mail), rebuilds the typed references of every page ' +
    'in them, and reports pages that were unpinned while DMA was in flight, written back while pinned, and their kin.\n\n' +
    'Exit status: 0 nothing at or above --fail-on, 1 a finding is, 2 usage or unreadable input, 3 lossy input under --strict.';
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
  };
  static override strict = false;

  async run(): Promise<void> {
    const options = await this.traceOptions();
    const {flags} = await this.parse(Analyze);
    if (flags.follow) {
      const {runFollow} = await import('../src/cli/follow.js');
      process.exitCode = await runFollow(options, this.config.version);
      return;
    }
    const {runAnalyze} = await import('../src/cli/analyze.js');
    process.exitCode = await runAnalyze(options, this.config.version, flags.kallsyms);
  }
}
