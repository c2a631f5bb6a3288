import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../src/cli/base.js';
import {helpFlag} from '../src/cli/flags.js';

export default class Record extends BaseCommand {
  static override summary = 'Record a trace on this machine and analyze it, or write a script that records elsewhere';
  static override description =
    'Records what the rules need: pins and unpins, DMA mappings, writeback, allocation. The recording script finds out what ' +
    'the running kernel offers, says which rules that is enough for, keeps to an own trace instance, and puts everything back, also on ' +
    'Ctrl-C or when it is killed. It needs root.\n\n' +
    'With --print the script goes to standard output: POSIX sh that needs neither Node nor pinscope on the machine it runs on. ' +
    'It takes --rules, --stacks, --pid and --duration too, ' +
    'tells with --dry-run what could be recorded there, and lists all of its options with --help. With --with bpftrace and --kernel it is the bpftrace program alone.\n\n' +
    'Without --print it is run here, and the trace is analyzed afterwards; the exit status is that of the analysis.';
  static override examples = [
    {
      description: 'A script for a server that has nothing installed',
      command: '<%= config.bin %> <%= command.id %> --print --with tracefs >record.sh',
    },
    {
      description: 'Record a command here, then analyze',
      command: '<%= config.bin %> <%= command.id %> -o trace.txt -- fio job.fio',
    },
    {
      description: 'Ten seconds, for one rule, with stacks',
      command: '<%= config.bin %> <%= command.id %> -o trace.txt --rules unpin-while-dma --stacks --duration 10s',
    },
    {
      description: "A busy machine: trace-cmd's own recording, which is analyzed as it is",
      command: '<%= config.bin %> <%= command.id %> --with trace-cmd -o trace.dat -- fio job.fio',
    },
    {
      description: 'A bpftrace program for Linux 6.1',
      command: '<%= config.bin %> <%= command.id %> --print --with bpftrace --kernel 6.1 >pinscope.bt',
    },
  ];
  static override usage = ['record -o FILE [OPTIONS] [-- COMMAND...]', 'record --print [OPTIONS]'];
  static override strict = false;
  static override flags = {
    print: Flags.boolean({summary: 'write the script to standard output instead of running it'}),
    with: Flags.string({
      summary: 'tool: tracefs, trace-cmd (a trace.dat), perf (a perf.data) or bpftrace',
      helpValue: 'TOOL',
      default: 'tracefs',
    }),
    output: Flags.string({char: 'o', summary: 'the trace; must not exist yet', helpValue: 'FILE'}),
    rules: Flags.string({
      char: 'r',
      summary: 'record only what these rules need',
      helpValue: 'ID[,ID...]',
      multiple: true,
      multipleNonGreedy: true,
    }),
    kernel: Flags.string({summary: 'leave out what this kernel cannot have', helpValue: 'X.Y'}),
    stacks: Flags.boolean({char: 's', summary: 'kernel stacks with pins, unpins, DMA and writeback (costs most)'}),
    pid: Flags.string({
      char: 'p',
      summary: 'only what these processes do themselves: loses what interrupts and workers do for them',
      helpValue: 'PID[,PID...]',
      multiple: true,
      multipleNonGreedy: true,
    }),
    duration: Flags.string({char: 'd', summary: 'stop after this long', helpValue: 'DURATION'}),
    help: helpFlag,
  };

  async run(): Promise<void> {
    const {flags, argv} = await this.parse(Record);
    const {runRecord} = await import('../src/cli/record.js');
    process.exitCode = await runRecord(
      {...flags, rules: flags.rules ?? [], pid: flags.pid ?? [], words: argv as string[]},
      this.commandLine(),
      this.config.version,
    );
  }
}
