/** Completions that need nothing but the shell: no start of Node at every press of the tab key. */

/** @param program what readProgram() gives */
export function bashCompletion(program) {
  const {name, commands, words, files} = program;
  const flagsOf = (command) =>
    command.flags.flatMap((flag) => [`--${flag.name}`, ...(flag.char === undefined ? [] : [`-${flag.char}`])]);
  const taking = (test) =>
    [
      ...new Set(
        commands.flatMap((command) =>
          command.flags
            .filter(test)
            .flatMap((flag) => [`--${flag.name}`, ...(flag.char === undefined ? [] : [`-${flag.char}`])]),
        ),
      ),
    ].join('|');
  const free = taking(
    (flag) => flag.value !== undefined && words[flag.name] === undefined && !files.includes(flag.name),
  );
  return `# bash completion for ${name}, made from the commands' help
_${name}() {
  local cur prev command i
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD - 1]}
  command=
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${commands.map((command) => command.id).join('|')}) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  COMPREPLY=()
  case $prev in
${Object.entries(words)
  .map(
    ([flag, list]) =>
      `    --${flag}) ${flag === 'rule' ? listWords(list) : `mapfile -t COMPREPLY < <(compgen -W '${list.join(' ')}' -- "$cur")`}; return ;;`,
  )
  .join('\n')}
    ${taking((flag) => files.includes(flag.name))}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
${free === '' ? '' : `    ${free}) return ;;\n`}  esac
  case $command in
    '') mapfile -t COMPREPLY < <(compgen -W '${commands.map((command) => command.id).join(' ')} --help --version' -- "$cur") ;;
${commands
  .map(
    (command) => `    ${command.id})
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '${[...flagsOf(command), '--help'].join(' ')}' -- "$cur")
      else
${argumentWords(command, program)}
      fi ;;`,
  )
  .join('\n')}
  esac
}
complete -F _${name} ${name}
`;
}

/** A list separated by commas: what is before the last comma stays. */
function listWords(list) {
  return `local before=; [[ $cur == *,* ]] && before=\${cur%,*},; mapfile -t COMPREPLY < <(compgen -P "$before" -W '${list.join(' ')}' -- "\${cur##*,}")`;
}

function argumentWords(command, program) {
  const arg = command.args[0];
  const list = arg?.name === 'RULE' ? program.rules : arg?.options;
  if (list !== undefined) return `        mapfile -t COMPREPLY < <(compgen -W '${list.join(' ')}' -- "$cur")`;
  if (arg?.name === 'TRACE') return `        compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")`;
  return '        :';
}

/** @param program what readProgram() gives */
export function zshCompletion(program) {
  const {name, commands} = program;
  return `#compdef ${name}
# zsh completion for ${name}, made from the commands' help

_${name}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C '1: :->command' '*:: :->rest'
  case $state in
    command)
      local -a commands
      commands=(
${commands.map((command) => `        '${command.id}:${quoted(command.summary)}'`).join('\n')}
      )
      _describe command commands ;;
    rest)
      case $words[1] in
${commands
  .map(
    (command) => `        ${command.id})
          _arguments -s \\
${[...command.flags.flatMap((flag) => zshFlag(flag, program)), ...zshArgs(command, program)].map((item) => `            ${item}`).join(' \\\n')} ;;`,
  )
  .join('\n')}
      esac ;;
  esac
}

_${name} "$@"
`;
}

function zshFlag(flag, program) {
  const what = `[${quoted(flag.text).replace(/[[\]]/g, '\\$&')}]`;
  const value =
    flag.value === undefined ? '' : `:${quoted(flag.value).replaceAll(':', '\\:')}:${zshValues(flag, program)}`;
  const star = flag.multiple ? '*' : '';
  const long = `'${star}--${flag.name}${what}${value}'`;
  return flag.char === undefined ? [long] : [long, `'${star}-${flag.char}${what}${value}'`];
}

function zshValues(flag, program) {
  if (program.files.includes(flag.name)) return '_files';
  const list = flag.options ?? program.words[flag.name];
  if (list === undefined) return '';
  const words = list.map((word) => word.replaceAll(':', '\\:')).join(' ');
  return flag.name === 'rule' ? `_sequence compadd - ${words}` : `(${words})`;
}

function zshArgs(command, program) {
  const arg = command.args[0];
  if (arg === undefined) return [];
  const list = arg.name === 'RULE' ? program.rules : arg.options;
  const values = list === undefined ? '_files' : `(${list.join(' ')})`;
  return [`'${arg.multiple ? '*' : '1'}:${quoted(arg.name.toLowerCase())}:${values}'`];
}

/** Inside single quotes of a shell. */
function quoted(text) {
  return text.replaceAll("'", String.raw`'\''`);
}
