/**
 * How every recording script begins: its options and messages, and the tables of what it probes and traces. Checks, judgement
 * and setup have files of their own. POSIX sh, with what busybox and coreutils both have.
 *
 * What the scripts must never do: write `>` to kprobe_events (it would delete everybody's probes), touch the
 * top-level trace buffer, or leave a probe or an instance behind.
 */
import type {Choice, RecordOptions} from './options.js';
import type {Probe} from './probes.js';

/** A word that is safe between single quotes in sh. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function probeLine(probe: Probe): string {
  // maxactive 64: a return probe that finds no free slot is missed, and counted in kprobe_profile
  const kind = probe.isReturn ? 'r64' : 'p';
  return [probe.group, probe.when ?? 'always', kind, probe.event, probe.func, probe.args].join(' ');
}

/** `probes` and `tracepoints` print the candidates, one a line. */
export function tables(choice: Choice): string {
  return `# group, condition, kind, event, function, arguments
probes() {
  cat <<'TABLE'
${choice.probes.map(probeLine).join('\n')}
TABLE
}

# group, system/event
tracepoints() {
  cat <<'TABLE'
${choice.tracepoints.map(({group, event}) => `${group} ${event}`).join('\n')}
TABLE
}
`;
}

export interface Frame {
  /** how the file is named in messages: `perf`, `tracefs` */
  tool: string;
  /** ends of default output name */
  extension: string;
  /** limit of the trace, in MiB */
  limit: number;
  /** the trace is the tool's own recording: facts go behind it at the end, not before and behind lines of text */
  isRecording?: true;
}

/** Options, messages, checks. */
export function head(options: RecordOptions, frame: Frame): string {
  const pids = options.pids.join(' ');
  return `#!/bin/sh
# Records page references, DMA and writeback of this machine for pinscope (version ${options.version}), with ${frame.tool}.
# Needs root, and no Node. Everything it changes it puts back, also on Ctrl-C, a failure, or when it is killed.
#
#   sh THIS-SCRIPT [OPTIONS] [-- COMMAND...]
#
#   -o, --output FILE      the trace (default pinscope-trace.${frame.extension}); an existing file is not touched
#   -d, --duration TIME    stop after so long: 30 or 30s, 500ms, 5min; without it: when the command ends, or at Ctrl-C
#   -r, --rules ID[,ID]    record only what these rules need
#   -s, --stacks           a kernel stack with pins, unpins, DMA and writeback: says who, costs most
#   -p, --pid PID[,PID]    only what these processes do themselves: loses what interrupts and workers do for them
#   -n, --dry-run          say what could be recorded here and for which rules, and record nothing
#   -z, --gzip             compress the trace when it is complete
#   -m, --limit MEBIBYTES  stop before the trace is larger than this (default ${frame.limit})
#   -b, --buffer KIB       trace buffer for each CPU (default: 16384, less where memory is short)
#   -c, --clean            only remove what earlier recordings of this script left behind, if they were killed beyond repair
#   -h, --help             this
#
# The trace holds addresses of the kernel, names and numbers of processes, and inode numbers; no data.

set -u
umask 077

out=pinscope-trace.${frame.extension}
seconds=${options.seconds ?? ''}
limit=${frame.limit}
recording=${frame.isRecording === true ? '1' : ''}
buffer=
rules=
pids=${quote(pids)}
stacks=${options.stacks ? '1' : ''}
dry_run=
gzip=
clean_only=

say() { printf 'pinscope-record: %s\\n' "$*" >&2; }
die() {
  say "$*"
  exit 2
}
fact() { printf '# pinscope-record: %s=%s\\n' "$1" "$2" >>"$facts"; }
is_number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }
number() { is_number "$2" || die "$1 needs a whole number"; }

# duration OPTION TIME: sets \`seconds\`, rounded up
duration() {
  seconds=$(printf '%s\\n' "$2" | awk '
    !/^[0-9]+(\\.[0-9]+)?(ms|s|m|min|h)?$/ {exit}
    {n = $0 + 0}
    /ms$/ {n /= 1000}
    /[0-9](m|min)$/ {n *= 60}
    /h$/ {n *= 3600}
    n > 0 && n < 2000000000 {print int(n) + (n > int(n))}')
  [ -n "$seconds" ] || die "$1 needs a time, such as 30, 500ms or 5min"
}

# numbers OPTION LIST: sets \`pids\`
numbers() {
  pids=$(printf '%s' "$2" | tr , ' ')
  case $pids in '' | *[!0-9\\ ]*) die "$1 needs numbers of processes, with commas between them" ;; esac
}

while [ $# -gt 0 ]; do
  case $1 in
    --*=*)
      option=\${1%%=*}
      value=\${1#*=}
      shift
      set -- "$option" "$value" "$@"
      ;;
  esac
  case $1 in
    -o | -d | -r | -p | -m | -b | --output | --duration | --rules | --pid | --limit | --buffer)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in
        -o | --output) out=$2 ;;
        -d | --duration) duration "$1" "$2" ;;
        -r | --rules) rules=$2 ;;
        -p | --pid) numbers "$1" "$2" ;;
        -m | --limit) number "$1" "$2"; limit=$2 ;;
        -b | --buffer) number "$1" "$2"; buffer=$2 ;;
      esac
      shift 2
      ;;
    -s | --stacks) stacks=1; shift ;;
    -n | --dry-run) dry_run=1; shift ;;
    -z | --gzip) gzip=1; shift ;;
    -c | --clean) clean_only=1; shift ;;
    -h | --help) sed -n '2,/^$/s/^# \\{0,1\\}//p' "$0"; exit 0 ;;
    --) shift; break ;;
    -*) die "unknown option $1; -h lists them" ;;
    *) break ;;
  esac
done
case $out in /* | ./* | ../*) ;; *) out=./$out ;; esac
`;
}
