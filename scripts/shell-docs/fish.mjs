/** A completion for fish. */

/** @param program what readProgram() gives */
export function fishCompletion(program) {
  const {name, commands, files} = program;
  const lines = [
    `# fish completion for ${name}, made from the commands' help`,
    `complete -c ${name} -n __fish_use_subcommand -f`,
    ...commands.map(
      (command) => `complete -c ${name} -n __fish_use_subcommand -a ${command.id} -d '${quoted(command.summary)}'`,
    ),
    `complete -c ${name} -n __fish_use_subcommand -a help -d 'Show how a command is used'`,
    `complete -c ${name} -n '__fish_seen_subcommand_from help' -f -a '${commands.map((command) => command.id).join(' ')}'`,
  ];
  for (const command of commands) {
    const when = `-n '__fish_seen_subcommand_from ${command.id}'`;
    for (const flag of command.flags) {
      const short = flag.char === undefined ? '' : ` -s ${flag.char}`;
      const words = flag.words;
      const value =
        flag.value === undefined
          ? ''
          : files.includes(flag.name)
            ? ' -r -F'
            : words === undefined
              ? ' -x'
              : ` -x -a '${words.join(' ')}'`;
      lines.push(`complete -c ${name} ${when} -l ${flag.name}${short}${value} -d '${quoted(flag.text)}'`);
    }
    const [arg] = command.args;
    if (arg?.words !== undefined) lines.push(`complete -c ${name} ${when} -f -a '${arg.words.join(' ')}'`);
  }
  return `${lines.join('\n')}\n`;
}

/** Inside single quotes of fish, where only these two are special. */
function quoted(text) {
  return text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`);
}
