import {TraceCommand} from '../src/cli/base.js';
import * as flags from '../src/cli/flags.js';
import {aroundKey, onlyKinds} from '../src/cli/options.js';

// without those that do nothing here: it judges nothing, and sums up nothing
const {'fail-on': _failOn, limit: _limit, by: _by, finding: _finding, ...findingFlags} = flags.findingFlags;

export default class History extends TraceCommand {
  static override summary = "Show pages' lives: every reference taken and dropped, with DMA and writeback beside them";
  static override description =
    "Shows the whole life of some pages, one after the other: every change of a page's count with who did it, what kind of reference it " +
    'was, how that is known and which change it belongs to; the count decoded; DMA and writeback windows drawn beside it; repeats ' +
    'folded; gaps shown. Without --pfn: the pages of the findings, or of one with --around KEY, and then only the changes around its ' +
    'deciding lines; the trace is then read twice, so it has to be a file. --only, and with --pfn or --around also --time, --pid, ' +
    '--comm, --cpu and --device, restrict the changes shown; without these all filters choose findings.\n\n' +
    'Exit status: 0, 2 usage, unreadable input or no such page, 3 lossy input under --strict.';
  static override examples = [
    {description: 'One page', command: '<%= config.bin %> <%= command.id %> --pfn 0x2fb0 trace.txt'},
    {
      description: 'What is around the deciding lines of a finding, by its key',
      command: '<%= config.bin %> <%= command.id %> --around 3f9a1c02 trace.txt',
    },
    {
      description: 'Pins and DMA of a page, in 5 ms',
      command: '<%= config.bin %> <%= command.id %> --pfn 0x2fb0 --only pins,dma --time 17.2354,+5ms trace.txt',
    },
    {
      description: 'A range and a page, for a mail',
      command: '<%= config.bin %> <%= command.id %> --pfn 0x2fb0-0x2fb3,0x3000 --to mail trace.txt',
    },
    {
      description: 'The pages of the findings of one rule',
      command: '<%= config.bin %> <%= command.id %> --rule unpin-while-dma trace.txt',
    },
  ];
  static override baseFlags = {
    ...flags.inputFlags,
    ...flags.selectionFlags,
    ...findingFlags,
    ...flags.outputFlags(flags.TEXT_FORMS),
    limit: flags.limitFlag('pages'),
  };
  static override flags = {around: flags.aroundFlag, only: flags.onlyFlag, kallsyms: flags.kallsymsFlag};
  static override strict = false;

  async run(): Promise<void> {
    const options = await this.traceOptions(flags.TEXT_FORMS);
    const {around, only, kallsyms} = (await this.parse(History)).flags;
    const {runHistory} = await import('../src/cli/history.js');
    process.exitCode = await runHistory(
      {...options, around: aroundKey(around), only: onlyKinds(only)},
      this.config.version,
      kallsyms,
    );
  }
}
