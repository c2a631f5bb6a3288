/**
 * The parts that every recording script has in common: options, checks, kprobes, header facts, and the guard that
 * undoes everything however the script ends. POSIX sh, with what busybox and coreutils both have.
 *
 * What the scripts must never do: write `>` to kprobe_events (it would delete everybody's probes), touch the
 * top-level trace buffer, or leave a probe or an instance behind.
 */
import {GROUPS, RULE_NEEDS, type Group} from './groups.js';
import type {Choice, RecordOptions} from './options.js';
import type {Probe} from './probes.js';

/** One of these must be there for a group to count as recorded; `page_ref_mod` stands for the seven page_ref events. */
const EVIDENCE: Record<Group, readonly string[]> = {
  take: ['try_grab_folio', 'try_grab_folio_fast', 'try_grab_page', 'try_grab_compound_head', 'page_ref_mod'],
  drop: ['gup_put_folio', 'put_compound_head', 'page_ref_mod'],
  get: ['try_grab_folio', 'try_grab_folio_fast', 'try_grab_page', 'try_grab_compound_head', 'page_ref_mod'],
  refs: ['page_ref_mod'],
  dma: ['dma_map_page', 'dma_map_phys', 'dma_map_page_attrs'],
  iommu: ['map'],
  requests: ['block_rq_complete'],
  writeback: ['__folio_start_writeback', '__test_set_page_writeback', 'page_ref_mod'],
  dirty: ['folio_mark_dirty', 'set_page_dirty'],
  life: ['mm_page_free'],
  file: ['mm_filemap_add_to_page_cache'],
  owner: ['io_uring_register'],
};

/** What to say of a group that is missing. */
const MISSING: Record<Group, string> = {
  take: 'no function that takes pins could be probed',
  drop: 'no function that drops pins could be probed',
  get: 'no function that takes references could be probed',
  refs: 'page_ref events need a kernel built with CONFIG_DEBUG_PAGE_REF',
  dma: 'neither dma events nor the DMA functions are there',
  iommu: 'no iommu events',
  requests: 'no block events: where a device skips the unmap, nothing shows when its DMA ends',
  writeback: 'no writeback function could be probed',
  dirty: 'folio_mark_dirty could not be probed',
  life: 'no kmem events',
  file: 'no filemap events',
  owner: 'no io_uring events',
};

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

/** `judge` says which rules the recording can serve; `wanted` which groups those that were chosen ask for. */
export function judgement(options: RecordOptions, choice: Choice): string {
  const groups = GROUPS.filter((group) => choice.groups.includes(group));
  const lines = options.rules.map((rule) => {
    const {needs = [], helps = []} = RULE_NEEDS[rule] ?? {};
    return `  "$1" ${rule} ${quote(needs.join(' '))} ${quote(helps.join(' '))}`;
  });
  return `# each_rule FUNCTION: calls it with every rule this script can record for, the groups that it needs, and those that help
each_rule() {
${lines.join('\n')}
}

# Which groups are there, and which rules that is enough for.
judge() {
  groups=
${groups.map((group) => `  look ${group} ${quote(MISSING[group])} ${EVIDENCE[group].join(' ')}`).join('\n')}
  can=
  each_rule rule
  say "can judge:\${can:- nothing}"
  [ -z "$cannot" ] || say "cannot:$cannot"
  [ -n "$can" ]
}

# look GROUP WHAT-TO-SAY-OF-ITS-LACK EVENTS
look() {
  wanted "$1" || return 0
  looked=$1
  lack=$2
  shift 2
  if got_any "$@"; then groups="$groups $looked"; else lacks "$lack"; fi
}

got_any() {
  for event in "$@"; do
    case " $got " in *" $event "*) return 0 ;; esac
  done
  return 1
}

lacks() {
  fact missing "$1"
  say "not recorded: $1"
}

# rule ID GROUPS
# shellcheck disable=SC2317 # called by each_rule
rule() {
  chosen "$1" || return 0
  for need in $2; do
    case " $groups " in
      *" $need "*) ;;
      *)
        cannot="$cannot $1 ($need)"
        fact rule "$1 no $need"
        return
        ;;
    esac
  done
  can="$can $1"
  if [ -n "$pids" ]; then fact rule "$1 partial pid-filter"; else fact rule "$1 yes"; fi
}

# ---- which rules, and so which events

# chosen RULE: with -r those that are named, else all
# shellcheck disable=SC2317 # called by each_rule
chosen() { case ",\${rules:-$1}," in *",$1,"*) ;; *) return 1 ;; esac; }

wanted_groups=
known_rules=
# shellcheck disable=SC2317 # called by each_rule
want() {
  known_rules="$known_rules $1"
  ! chosen "$1" || wanted_groups="$wanted_groups $2 $3"
}
wanted() { case " $wanted_groups " in *" $1 "*) ;; *) return 1 ;; esac; }

each_rule want
set -f
for rule in $(printf '%s' "$rules" | tr , ' '); do
  case " $known_rules " in
    *" $rule "*) ;;
    *) die "-r $rule: not a rule that this script records for; these are:$known_rules" ;;
  esac
done
set +f
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

/** Checks of the machine. Sets \`tracefs\`, \`cpus\`, \`buffer\`. */
export const CHECKS = String.raw`
# ---- may it run here?

[ "$(id -u)" = 0 ] || die 'only root can trace the kernel: run it with sudo'
case $(cat /sys/kernel/security/lockdown 2>/dev/null) in
  *'[confidentiality]'*) die 'the kernel is locked down (confidentiality): tracing is off until it is booted without that' ;;
esac

ended=
# from here on there is something to put back: a signal is only taken note of
trap 'ended=interrupted' INT
trap 'ended=terminated' TERM
trap 'ended=hangup' HUP
trap 'ended=${'$'}{ended:-limit}' USR1
trap 'ended=${'$'}{ended:-duration}' USR2

mounted=
tracefs=
for dir in /sys/kernel/tracing /sys/kernel/debug/tracing; do
  if [ -f "$dir/trace_clock" ]; then tracefs=$dir; break; fi
done
if [ -z "$tracefs" ]; then
  mount -t tracefs nodev /sys/kernel/tracing 2>/dev/null || die 'tracefs cannot be mounted: is CONFIG_TRACING in this kernel?'
  mounted=/sys/kernel/tracing
  tracefs=$mounted
fi
unmount() { [ -z "$mounted" ] || umount "$mounted" 2>/dev/null; }
give_up() {
  unmount
  die "$*"
}
[ -d "$tracefs/instances" ] || give_up 'this kernel has no trace instances (older than 3.10?)'
[ -f "$tracefs/kprobe_events" ] || give_up 'this kernel has no kprobe events (CONFIG_KPROBE_EVENTS)'
# shellcheck disable=SC2016 # the dollar is the kernel's
grep -q '\$arg' "$tracefs/README" 2>/dev/null || give_up 'probes of this kernel cannot name arguments ($argN, 4.20 and later)'

# Removes the probes of a group. Each by name: other people's probes are none of our business.
remove_probes() {
  sed -n "s/^[pr][0-9]*:\($1\/[^ ]*\) .*/-:\1/p" "$tracefs/kprobe_events" | while read -r line; do
    printf '%s\n' "$line" >>"$tracefs/kprobe_events"
  done
}

remove_instance() {
  [ -d "$1" ] || return 0
  printf 0 >"$1/tracing_on"
  printf 0 >"$1/events/enable"
  tries=0
  until rmdir "$1" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || return 1
    sleep 0.1 2>/dev/null || sleep 1
  done
}

# What a recording left that was killed together with its guard: a number in the name is no longer a process.
sweep() {
  for dir in "$tracefs"/instances/pinscope-*; do
    [ -d "$dir" ] || continue
    if ! kill -0 "${'$'}{dir##*-}" 2>/dev/null; then
      remove_instance "$dir" && say "removed ${'$'}{dir##*/}, left by an earlier recording"
    fi
  done
  sed -n 's/^[pr][0-9]*:pinscope_\([0-9]*\)\/.*/\1/p' "$tracefs/kprobe_events" | sort -u | while read -r pid; do
    if ! kill -0 "$pid" 2>/dev/null; then
      remove_probes "pinscope_$pid"
      say "removed probes of pinscope_$pid, left by an earlier recording"
    fi
  done
}
sweep
if [ -n "$clean_only" ]; then
  unmount
  exit 0
fi

if [ -n "$dry_run" ]; then
  # written only to ask what is there, and removed again
  out=$(mktemp "${'$'}{TMPDIR:-/tmp}/pinscope-dry-run.XXXXXX") || give_up 'no temporary file'
fi
[ -n "$dry_run" ] || [ ! -e "$out" ] || give_up "$out exists: give another name with -o"
if [ -n "$gzip" ]; then
  command -v gzip >/dev/null 2>&1 || give_up 'there is no gzip on this machine: leave out -z'
  [ ! -e "$out.gz" ] || give_up "$out.gz exists: give another name with -o"
fi
(: >"$out") 2>/dev/null || give_up "$out cannot be written"

# Half of the free space at most, whatever was asked.
free=$(df -Pk "$out" 2>/dev/null | awk 'NR == 2 {print int($4 / 1024)}')
if is_number "$free" && [ "$((free / 2))" -lt "$limit" ]; then
  limit=$((free / 2))
  say "only $free MiB are free there: the trace ends at $limit MiB"
fi
[ "$limit" -ge 1 ] || { rm -f "$out"; give_up 'no room for a trace'; }

cpus=$(grep -c '^processor' /proc/cpuinfo)
[ "$cpus" -ge 1 ] || cpus=1
if [ -z "$buffer" ]; then
  # a twentieth of the available memory over all CPUs, 16 MiB each at most
  buffer=$(awk -v cpus="$cpus" '$1 == "MemAvailable:" {kib = int($2 / 20 / cpus)} END {
    if (kib > 16384) kib = 16384
    if (kib < 1024) kib = 1024
    print kib
  }' /proc/meminfo)
fi
page_size=$(awk '$1 == "KernelPageSize:" {print $2 * 1024; exit}' /proc/self/smaps)
`;
