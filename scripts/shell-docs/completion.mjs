/** Completions that need nothing but the shell: no start of Node at every press of the tab key. */

/** @param program what readProgram() gives */
export function bashCompletion(program) {
  const {name, commands, files} = program;
  const flagsOf = (command) =>
    command.flags.flatMap((flag) => [`--${flag.name}`, ...(flag.char === undefined ? [] : [`-${flag.char}`])]);
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
  case $command:$prev in
${commands
  .map((command) =>
    command.flags
      .filter((flag) => flag.value !== undefined)
      .map(
        (flag) =>
          `    ${[`--${flag.name}`, ...(flag.char === undefined ? [] : [`-${flag.char}`])].map((word) => `${command.id}:${word}`).join('|')}) ${valueWords(flag, files)}return ;;`,
      )
      .join('\n'),
  )
  .join('\n')}
  esac
  case $command in
    '') mapfile -t COMPREPLY < <(compgen -W '${commands.map((command) => command.id).join(' ')} help --help --version' -- "$cur") ;;
${commands
  .map(
    (command) => `    ${command.id})
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '${[...flagsOf(command), '--help'].join(' ')}' -- "$cur")
      else
${argumentWords(command)}
      fi ;;`,
  )
  .join('\n')}
  esac
}
complete -F _${name} ${name}
`;
}

/** What bash does for the value of a flag. */
function valueWords(flag, files) {
  if (files.includes(flag.name)) return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); ';
  if (flag.words === undefined) return '';
  if (flag.multiple) return `${listWords(flag.words)}; `;
  return `mapfile -t COMPREPLY < <(compgen -W '${flag.words.join(' ')}' -- "$cur"); `;
}

/** A list separated by commas: what is before the last comma stays. */
function listWords(list) {
  return `local before=; [[ $cur == *,* ]] && before=\${cur%,*},; mapfile -t COMPREPLY < <(compgen -P "$before" -W '${list.join(' ')}' -- "\${cur##*,}")`;
}

function argumentWords(command) {
  const arg = command.args[0];
  const list = arg?.words;
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
${[...command.flags.flatMap((flag) => zshFlag(flag, program)), ...zshArgs(command)].map((item) => `            ${item}`).join(' \\\n')} ;;`,
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
  const list = flag.words;
  if (list === undefined) return '';
  const words = list.map((word) => word.replaceAll(':', '\\:')).join(' ');
  return flag.multiple ? `_sequence compadd - ${words}` : `(${words})`;
}

function zshArgs(command) {
  const arg = command.args[0];
  if (arg === undefined) return [];
  const list = arg.words;
  const values = list === undefined ? '_files' : `(${list.join(' ')})`;
  return [`'${arg.multiple ? '*' : '1'}:${quoted(arg.name.toLowerCase())}:${values}'`];
}

/** Inside single quotes of a shell. */
function quoted(text) {
  return text.replaceAll("'", String.raw`'\''`);
}
