import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {string as textArgument} from '@oclif/core/args';
import {BaseCommand} from '../src/cli/base.js';
import {nearest} from '../src/cli/values.js';
import {UserError} from '../src/io/user-error.js';

const FILES = {bash: 'pinscope.bash', zsh: '_pinscope', fish: 'pinscope.fish'} as const;
const SHELLS = Object.keys(FILES) as (keyof typeof FILES)[];

export default class Completion extends BaseCommand {
  static override summary = "Print a shell's completion script";
  static override description =
    'Prints the script that completes commands, flags and their values in bash, zsh or fish. It needs nothing but the shell.\n\n' +
    'Exit status: 0, or 2 when there is none for that shell.';
  static override examples = [
    {description: 'For this session of bash', command: 'source <(<%= config.bin %> <%= command.id %> bash)'},
    {
      description: 'For zsh, in a folder of its fpath',
      command: '<%= config.bin %> <%= command.id %> zsh >~/.zfunc/_pinscope',
    },
    {
      description: 'For fish',
      command: '<%= config.bin %> <%= command.id %> fish >~/.config/fish/completions/pinscope.fish',
    },
  ];
  static override args = {
    shell: textArgument({description: `the shell: ${SHELLS.join(', ')}`, ignoreStdin: true}),
  };

  async run(): Promise<void> {
    const {args} = await this.parse(Completion);
    const shell = SHELLS.find((known) => known === args.shell);
    if (shell === undefined) {
      const near = nearest(args.shell ?? '', SHELLS);
      const known = `there are ${SHELLS.join(', ')}`;
      throw new UserError(args.shell === undefined ? 'no shell named' : `there is no completion for ${args.shell}`, {
        next: near === undefined ? known : `did you mean ${near}? (${known})`,
      });
    }
    const file = path.join(this.config.root, 'dist', 'shell', FILES[shell]);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new UserError('is missing', {where: file, next: 'npm run build makes it', cause: error});
    });
    process.stdout.write(text);
  }
}
