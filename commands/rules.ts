import {string as textArgument} from '@oclif/core/args';
import {BaseCommand} from '../src/cli/base.js';
import * as flags from '../src/cli/flags.js';
import {outputOptions} from '../src/cli/options.js';

export default class Rules extends BaseCommand {
  static override summary = 'List the rules, or explain one';
  static override description =
    'Without RULE: every rule with its severity. With it: what the rule means, what proves it, what looks like it and is harmless, ' +
    'which events it needs in a trace and how to record them, and where the kernel states it.\n\n' +
    'Exit status: 0, or 2 when there is no such rule.';
  static override examples = [
    {description: 'All of them', command: '<%= config.bin %> <%= command.id %>'},
    {description: 'One in full', command: '<%= config.bin %> <%= command.id %> unpin-while-dma'},
  ];
  static override args = {rule: textArgument({description: 'id of a rule, such as pin-leak', ignoreStdin: true})};
  static override flags = flags.formFlags(flags.PLAIN_FORMS);

  async run(): Promise<void> {
    const parsed = await this.parse(Rules);
    const options = outputOptions(parsed.flags, process.stdout.isTTY === true, process.env, flags.PLAIN_FORMS);
    const {runRules} = await import('../src/cli/rules.js');
    process.exitCode = await runRules(parsed.args.rule, options, this.config.version);
  }
}
