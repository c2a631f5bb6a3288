import {string as textArgument} from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import {TraceCommand} from '../src/cli/base.js';
import * as flags from '../src/cli/flags.js';

export default class Diff extends TraceCommand {
  static override summary = 'Compare two traces, or two exports: what is new, gone, more, fewer, longer, shorter';
  static override description =
    'GOOD and BAD are traces, or folders that pinscope export wrote, of one workload: on two kernels, before and after a change. Compared ' +
    'are causes of findings by how often they could have shown, pins by place, hold times, and the time from unmap to unpin; what ' +
    'may be chance is not told as a difference (docs/comparing.md).\n\n' +
    'Exit status: 0, 1 when BAD has something that GOOD has not, 2 usage or unreadable input. With --bisect: 0 good, 1 bad, ' +
    '125 when it cannot be told or anything failed, as `git bisect run` wants it.';
  static override examples = [
    {description: 'Two kernels', command: '<%= config.bin %> <%= command.id %> before.txt after.txt'},
    {
      description: 'A step of git bisect run',
      command: '<%= config.bin %> <%= command.id %> --bisect good-ledger trace.txt',
    },
  ];
  static override usage = ['diff GOOD BAD [flags]'];
  static override args = {
    trace: textArgument({
      description: 'GOOD and BAD: each a trace, or a folder that pinscope export wrote',
      multiple: true,
      ignoreStdin: true,
    }),
  };
  static override baseFlags = {
    ...flags.inputFlags,
    'long-pin': flags.findingFlags['long-pin'],
    suppress: flags.findingFlags.suppress,
    ...flags.outputFlags(flags.PLAIN_FORMS),
    limit: flags.limitFlag('rows'),
  };
  static override flags = {
    bisect: Flags.boolean({summary: 'exit with 0, 1 or 125, for git bisect run'}),
    deeds: Flags.string({
      summary: 'with --bisect: calls that pin which BAD must have to be called good (half of what GOOD has)',
      helpValue: 'N',
    }),
  };
  static override strict = false;

  async run(): Promise<void> {
    const bisect = this.argv.includes('--bisect');
    try {
      const options = await this.traceOptions(flags.PLAIN_FORMS);
      const {deeds} = (await this.parse(Diff)).flags;
      const {runDiff} = await import('../src/cli/diff.js');
      process.exitCode = await runDiff(options, {bisect, deeds}, this.config.version);
    } catch (error) {
      if (!bisect) throw error;
      const {endWith} = await import('../src/cli/failure.js');
      endWith(error);
      process.exitCode = 125;
    }
  }
}
