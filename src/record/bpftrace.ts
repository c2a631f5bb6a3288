/** Recording with bpftrace: a program for one kernel, or a script that composes it on the machine. */
import {clauses, clauseText, programHead, type Clause} from './bpftrace-program.js';
import {FACTS} from './facts.js';
import {CHECKS} from './checks.js';
import {head} from './frame.js';
import {judgement} from './judgement.js';
import type {Choice, RecordOptions} from './options.js';
import {ENDING, SETUP} from './setup.js';
import {TOOL} from './tool.js';

/** Function or `system/event` of a clause. */
function target(clause: Clause): string {
  const parts = clause.probe.split(':');
  return parts[0] === 'tracepoint' ? `${parts[1]}/${parts[2]}` : parts[1]!;
}

/** As in definitions of kprobe events: entry, return; or a tracepoint. */
function kindOf({probe}: Clause): 'p' | 'r' | 't' {
  if (probe.startsWith('tracepoint:')) return 't';
  return probe.startsWith('kretprobe:') ? 'r' : 'p';
}

/** The program alone, for a kernel whose version is known. */
export function bpftraceProgram(options: RecordOptions, choice: Choice): string {
  const {kernel} = options;
  const at = kernel === undefined ? 0 : kernel.major * 1000 + kernel.minor;
  const order = (version: readonly [number, number]) => version[0] * 1000 + version[1];
  const hasDmaEvents = at >= 6012;
  const fits = (clause: Clause) => {
    if (!choice.groups.includes(clause.group)) return false;
    if (clause.since !== undefined && order(clause.since) > at) return false;
    if (clause.until !== undefined && order(clause.until) < at) return false;
    if (clause.group === 'refs') return false;
    // of a module: bpftrace refuses a program of which it cannot find an event
    if (clause.probe.startsWith('tracepoint:nvme:')) return false;
    if (clause.unless?.startsWith('dma/') === true) return !hasDmaEvents && !clause.probe.endsWith('_phys');
    if (clause.probe.includes('dma_map_phys') || clause.probe.includes('dma_unmap_phys')) return at >= 6018;
    if (clause.probe.startsWith('tracepoint:dma:')) return hasDmaEvents && at < 6018;
    return clause.unless === undefined || at < 5016;
  };
  return [
    `// Recording program of pinscope ${options.version} for Linux ${kernel?.major}.${kernel?.minor} on x86-64. Run as root:`,
    '//   BPFTRACE_PERF_RB_PAGES=4096 bpftrace THIS-FILE >trace.txt',
    '// Ctrl-C ends it. The lines it prints: docs/bpftrace-schema.md.',
    programHead('*(uint64*)kaddr("vmemmap_base")').trimEnd(),
    ...clauses(options)
      .filter(fits)
      .map((clause) => clauseText(clause, options)),
    ...(options.seconds === undefined ? [] : [`interval:s:${options.seconds} { exit(); }`]),
    '',
  ].join('\n');
}

const BACKEND = String.raw`
# ---- the recorder: bpftrace

tool=bpftrace
need_tool bpftrace
# candidate lines: FUNCTION-OR-EVENT, one that must not be there (or -), group, kind and name of the printed line, and the clause
compose() {
  candidates >"$work/candidates"
  # one pass over a long file
  sed 's/ .*//' "$work/candidates" | sort -u | grep -v / >"$work/functions"
  grep -x -F -f "$work/functions" "$tracefs/available_filter_functions" >"$work/traceable"
  there() {
    case $1 in
      dma/*) [ -z "$misread" ] && has_event "$1" ;;
      */*) has_event "$1" ;;
      *) grep -q -x -F "$1" "$work/traceable" ;;
    esac
  }
  any_there() {
    for one in "$@"; do ! there "$one" || return 0; done
    return 1
  }
  # every clause asks for a stack, and for no process
  ours() {
    if [ -n "$stacks" ]; then cat; else sed 's/\\n%s"/\\n"/; s/, kstack(perf, [0-9]*)//'; fi |
      if [ -z "$pids" ]; then cat; else
        only="(pid == $(printf '%s' "$pids" | sed 's/ / || pid == /g'))"
        sed "s#^\([^ ]*\) {#\1 /$only/ {#; s#^\([^ ]*\) /\(comm [^/]*\)/ {#\1 /\2 \&\& $only/ {#"
      fi
  }
  program_head | sed "s/VMEMMAP_BASE/$vmemmap/"
  while read -r name without need kind event clause; do
    wanted "$need" || continue
    # shellcheck disable=SC2046 # words
    if [ "$without" != - ] && any_there $(printf '%s' "$without" | tr , ' '); then continue; fi
    if ! there "$name"; then
      [ "$kind" = t ] || fact unprobed "$kind:$event $name"
      continue
    fi
    printf '%s\n' "$clause" | sed "s/PAGE_SIZE/$page_size/g" | ours
    printf '%s\n' "${'$'}{name#*/}" >>"$work/got"
    if [ "$kind" = t ]; then fact event "$name"; else fact probe "$kind:bpftrace/$event $name"; fi
  done <"$work/candidates"
}

header
tool_version=$(bpftrace --version 2>&1 | head -n 1)
fact tool_version "$tool_version"
# strings of tracepoints, as the device's name, are read from a wrong place by these
misread=
case $tool_version in *v0.22.* | *v0.23.*) misread=1 ;; esac
[ -n "$vmemmap" ] || fail 'it cannot be told where struct pages start, so the bpftrace program could not compute page frame numbers: use the script for tracefs'
compose >"$work/program.bt"
got=$(tr '\n' ' ' <"$work/got")
decide

# A program that is met while another one runs on its CPU, as in an interrupt, is skipped without a word
# (trace_call_bpf() in kernel/trace/bpf_trace.c). Kernels since 6.7 count that; it goes with the process.
cat >"$work/misses.sh" <<'SCRIPT'
cat /proc/"$(cat "$1/tool")"/fdinfo/* 2>/dev/null | awk '
  $1 == "prog_id:" {id = $2}
  $1 == "recursion_misses:" {misses[id] = $2}
  END {for (id in misses) n += misses[id]; print n + 0}' >"$1/misses"
SCRIPT
at_end="sh \"$work/misses.sh\" \"$work\""
write_go "$@"

# bpftrace's buffers are in pages, a power of two of them for each CPU
pages=$((buffer * 1024 / page_size))
size=64
while [ "$((size * 2))" -le "$pages" ]; do size=$((size * 2)); done
BPFTRACE_PERF_RB_PAGES=$size
export BPFTRACE_PERF_RB_PAGES
fact buffer_kib_per_cpu "$((size * page_size / 1024))"
# bpftrace writes to a file of its own: the limit counts, and nothing else writes there meanwhile
run_tool bpftrace -o "$out.part" -c "sh $work/go" "$work/program.bt"
stop_tool
missed=$(cat "$work/misses" 2>/dev/null)
case $missed in
  '' | 0) ;;
  *)
    fact probe_missed "bpftrace $missed"
    say "$missed runs of the program were skipped (met while another one ran on that CPU)"
    ;;
esac
[ -s "$out.part" ] || fail "bpftrace failed: $(tail -n 1 "$work/tool.err")"
cat "$out.part" >>"$out" && rm -f "$out.part"
trim
grep '^Lost ' "$out" | tail -n 1 | while read -r line; do fact bpftrace_said "$line"; done
finish
`;

/** The script that looks at the machine first. */
export function bpftraceScript(options: RecordOptions, choice: Choice): string {
  // stacks and processes are the script's own options
  const asked = {...options, stacks: true, pids: []};
  const lines = clauses(asked)
    .filter((clause) => choice.groups.includes(clause.group))
    .map((clause) =>
      [target(clause), clause.unless ?? '-', clause.group, kindOf(clause), clause.name, clauseText(clause, asked)].join(
        ' ',
      ),
    );
  const candidates = `# function or event, one that must not be there (or -), group, kind, name, clause
candidates() {
  cat <<'TABLE'
${lines.join('\n')}
TABLE
}

program_head() {
  cat <<'TABLE'
${programHead('VMEMMAP_BASE').trimEnd()}
TABLE
}
`;
  return [
    head(options, {tool: 'bpftrace', extension: 'bt.txt', limit: 2048}),
    candidates,
    judgement(options, choice),
    CHECKS,
    ENDING,
    SETUP,
    FACTS,
    TOOL,
    BACKEND,
  ].join('\n');
}
