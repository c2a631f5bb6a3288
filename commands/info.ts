import {TraceCommand} from '../src/cli/base.js';
import * as flags from '../src/cli/flags.js';

export default class Info extends TraceCommand {
  static override summary = 'Say what a trace is: form, clock, events, losses, and which rules can run on it';
  static override description =
    'Reads traces without judging them, and says: which form each has and why it was taken for that; its clock, and the kernel as ' +
    'far as the trace tells; the span of every CPU; its events by name; what was lost, and where; how pages are named; which rules ' +
    'can run, and exactly what to record for those that cannot.\n\n' +
    'Exit status: 0, 2 usage or unreadable input, 3 lossy input under --strict.';
  static override examples = [
    {description: 'Before anything else', command: '<%= config.bin %> <%= command.id %> trace.txt'},
    {
      description: 'Which rules can run, for a script',
      command: "<%= config.bin %> <%= command.id %> --json trace.txt | jq -c '.rules[] | [.id, .status]'",
    },
  ];
  static override baseFlags = {
    ...flags.inputFlags,
    ...flags.outputFlags(flags.TEXT_FORMS),
    limit: flags.limitFlag('lines of each list'),
  };
  static override strict = false;

  async run(): Promise<void> {
    const options = await this.traceOptions(flags.TEXT_FORMS);
    const {runInfo} = await import('../src/cli/info.js');
    process.exitCode = await runInfo(options, this.config.version);
  }
}
