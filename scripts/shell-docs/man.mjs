/** A man page in man(7) macros. */

/** @param program what readProgram() gives */
export function manPage(program) {
  const {name, version, commands, rules} = program;
  const out = [
    `.\\" made from the commands' help by scripts/shell-docs.mjs`,
    `.TH ${name.toUpperCase()} 1 "" "${name} ${version}" "User Commands"`,
    '.SH NAME',
    `${name} \\- ${roff(program.summary.charAt(0).toLowerCase() + program.summary.slice(1))}`,
    '.SH SYNOPSIS',
    ...commands.flatMap((command) => synopses(name, command).flatMap((line) => ['.br', line])).slice(1),
    '.SH COMMANDS',
    ...commands.flatMap((command) => [
      '.TP',
      `.B ${roff(command.id)}`,
      `${roff(command.summary)}.`,
      ...paragraphs(command.description, '.IP'),
    ]),
    '.SH ARGUMENTS',
    ...distinct(
      commands.flatMap((command) => command.args.map((arg) => ({...arg, of: command.id}))),
      (arg) => arg.name,
    ).flatMap((arg) => ['.TP', `.I ${roff(arg.name)}`, `${roff(arg.text)}.`]),
  ];
  const flags = distinct(
    commands.flatMap((command) => command.flags.map((flag) => ({...flag, of: command.id}))),
    (flag) => flag.name,
  );
  for (const flag of flags)
    flag.commands = commands
      .filter((command) => command.flags.some((own) => own.name === flag.name))
      .map((command) => command.id);
  for (const group of [...new Set(flags.map((flag) => flag.group))]) {
    out.push(`.SH ${group} OPTIONS`);
    for (const flag of flags.filter((one) => one.group === group)) out.push(...option(flag, program));
  }
  out.push(
    '.SH RULES',
    `The rules that ${roff('--rule')} takes; .B ${name} rules RULE explains one:`
      .replace(' .B', '\n.B')
      .replace(' explains', '\nexplains'),
  );
  out.push('.PP', `${rules.map(roff).join(', ')}.`);
  out.push(
    '.SH EXIT STATUS',
    ...[
      ['0', 'at least one rule could run, and no finding reaches --fail-on'],
      ['1', 'a finding does'],
      ['2', 'usage; input that cannot be read, is empty, or holds nothing that any rule could judge'],
      ['3', '--strict, and the input lost events or could not be read whole'],
      ['130, 143', 'ended by SIGINT, SIGTERM: the report is of what was read until then'],
    ].flatMap(([status, text]) => ['.TP', `.B ${status}`, roff(text)]),
    '.SH ENVIRONMENT',
    '.TP',
    '.B NO_COLOR',
    'when not empty, no colour unless asked for by',
    '.B \\-\\-color always',
    '.TP',
    '.B PINSCOPE_OPTS',
    'flags for every run, before those of the command line; a command takes those that it has',
    '.TP',
    '.B PINSCOPE_CONFIG',
    'file of such flags, one a line (--suppress=FILE); when not set, pinscope/config in XDG_CONFIG_HOME or ~/.config; when empty, none',
    '.SH EXAMPLES',
    ...commands
      .flatMap((command) => command.examples)
      .flatMap((example) => [
        '.PP',
        ...(example.text === '' ? [] : [`${roff(example.text)}:`]),
        '.PP',
        '.nf',
        '.RS',
        roff(example.command),
        '.RE',
        '.fi',
      ]),
    '.SH SEE ALSO',
    '.BR trace-cmd-report (1),',
    '.BR perf-script (1),',
    '.BR bpftrace (8)',
    '.PP',
    'Documentation/core-api/pin_user_pages.rst in the kernel tree',
  );
  return `${out.join('\n')}\n`;
}

function synopses(name, command) {
  if (command.usage !== undefined)
    return command.usage.map((usage) => {
      const [id, ...rest] = usage.split(' ');
      const words = rest.map((word) => (/^\[(?:flags|OPTIONS)\]$/.test(word) ? '[\\fIoptions\\fR]' : roff(word)));
      return `\\fB${name} ${roff(id)}\\fR ${words.join(' ')}`;
    });
  const args = command.args.map((arg) => {
    const text = `${arg.name}${arg.multiple ? '...' : ''}`;
    return arg.required ? `\\fI${roff(text)}\\fR` : `[\\fI${roff(text)}\\fR]`;
  });
  return [`\\fB${name} ${roff(command.id)}\\fR ${args.join(' ')} [\\fIoptions\\fR]`.replace('  ', ' ')];
}

function option(flag, program) {
  const value = flag.value === undefined ? '' : ` \\fI${roff(flag.value)}\\fR`;
  const head = `${flag.char === undefined ? '' : `\\fB\\-${flag.char}\\fR, `}\\fB\\-\\-${roff(flag.name)}\\fR${value}`;
  const {words} = flag;
  const notes = [];
  if (words !== undefined && !flag.name.startsWith('rule') && !words.every((word) => flag.text.includes(word)))
    notes.push(`One of ${words.join(', ')}.`);
  if (flag.default !== undefined) notes.push(`Default: ${flag.default}.`);
  if (flag.commands.length < program.commands.length) notes.push(`For ${flag.commands.join(', ')}.`);
  const text = flag.text.charAt(0).toUpperCase() + flag.text.slice(1);
  return ['.TP', head, roff([`${text}.`, ...notes].join(' '))];
}

function paragraphs(text, macro) {
  return text.split('\n\n').flatMap((paragraph) => [macro, roff(paragraph.replaceAll('\n', ' '))]);
}

function distinct(list, key) {
  const seen = new Map();
  for (const item of list) if (!seen.has(key(item))) seen.set(key(item), item);
  return [...seen.values()];
}

/** Text that roff takes as text: no requests at the start of a line, no escapes, hyphens that can be copied. */
function roff(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
