import {TraceCommand} from '../src/cli/base.js';
import * as flags from '../src/cli/flags.js';

export default class Pins extends TraceCommand {
  static override summary = 'Say who pins pages: by task and call stack, how many at a time, for how long';
  static override description =
    'Counts the pins (FOLL_PIN) that traces show: live pins over time; who takes them, by task and by call stack; how long they are ' +
    'held (percentiles, and a log2 histogram as bpftrace draws it); the time from the end of DMA to the unpin; the pins held longest, ' +
    'and the long-term ones. With --device those are counted under which one of these devices mapped their page, with --inode those of ' +
    'pages of these files.\n\n' +
    'Exit status: 0, 2 usage, unreadable input or a trace that shows no pins being taken, 3 lossy input under --strict.';
  static override examples = [
    {description: 'Who pins', command: '<%= config.bin %> <%= command.id %> trace.txt'},
    {
      description: 'One task, in a span of time',
      command: '<%= config.bin %> <%= command.id %> --comm fio --time 12.5,13 trace.txt',
    },
    {
      description: 'Call stacks that pin, as a flame graph',
      command: '<%= config.bin %> <%= command.id %> --to folded trace.txt | flamegraph.pl > pins.svg',
    },
    {
      description: 'Percentiles of hold times, for a script',
      command: '<%= config.bin %> <%= command.id %> --json trace.txt | jq .hold',
    },
  ];
  static override baseFlags = {
    ...flags.inputFlags,
    ...flags.selectionFlags,
    ...flags.outputFlags(flags.PINS_FORMS),
    limit: flags.limitFlag('lines of each list'),
  };
  static override flags = {kallsyms: flags.kallsymsFlag};
  static override strict = false;

  async run(): Promise<void> {
    const options = await this.traceOptions(flags.PINS_FORMS);
    const {kallsyms} = (await this.parse(Pins)).flags;
    const {runPins} = await import('../src/cli/pins.js');
    process.exitCode = await runPins(options, this.config.version, kallsyms);
  }
}
