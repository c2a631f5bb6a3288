/** Recording with perf: the trace is the perf.data itself. */
import {FACTS} from './facts.js';
import {CHECKS} from './checks.js';
import {head, tables} from './frame.js';
import {judgement} from './judgement.js';
import type {Choice, RecordOptions} from './options.js';
import {ENDING, PROBING, SETUP} from './setup.js';
import {TOOL} from './tool.js';

const BACKEND = String.raw`
# ---- the recorder: perf

tool=perf
need_tool perf
perf --version >/dev/null 2>&1 || fail 'perf does not run here: it may lack the package for this kernel'
[ -z "$stacks" ] || [ ! -e "$out.kallsyms" ] || fail "$out.kallsyms exists: give another name with -o"
header
fact clock mono
fact tool_version "$(perf --version)"
choose_events
decide
write_go "$@"

# perf's buffers are in pages, a power of two of them for each CPU
pages=$((buffer * 1024 / page_size))
size=64
while [ "$((size * 2))" -le "$pages" ]; do size=$((size * 2)); done
fact buffer_kib_per_cpu "$((size * page_size / 1024))"

# perf must not record itself: every page of perf.data that it fills would make new events. Left out is what it does
# itself with pages of files; what interrupts do meanwhile stays (common_flags: 0x8 hardirq, 0x10 softirq). The filters need its
# number, which is that of the shell it replaces.
# shellcheck disable=SC2016 # for the shell that runs it
compose() {
  filter='common_pid != $$ || common_flags & 0x18'
  case " $got " in *' page_ref_mod '*) filter= ;; esac
  printf 'echo $$ >"%s"\n' "$work/recorder"
  printf 'exec perf record -q -o "$1" -k CLOCK_MONOTONIC -m %s' "$size"
  if [ -n "$pids" ]; then printf ' -p %s' "$(printf '%s' "$pids" | tr ' ' ',')"; else printf ' -a'; fi
  [ -z "$stacks" ] || printf ' --kernel-callchains -g'
  while read -r need event; do
    printf ' -e %s:%s' "${'$'}{event%%/*}" "${'$'}{event#*/}"
    case "$need $filter" in
      'life c'* | 'file c'* | 'dirty c'*)
        printf ' --filter "%s"' "$filter"
        printf '%s\n' "${'$'}{event#*/}" >>"$work/filtered"
        ;;
    esac
  done <"$work/events"
  printf ' -- sh "$2"\n'
}
: >"$work/filtered"
compose >"$work/perf.sh"
run_tool sh "$work/perf.sh" "$out" "$work/go"
stop_tool
while read -r event; do
  fact filter "$event common_pid != $(cat "$work/recorder") || common_flags & 0x18"
done <"$work/filtered"
profile
[ -s "$out" ] || fail "perf failed: $(tail -n 1 "$work/tool.err")"
# a perf.data names no functions of the kernel: those of this boot are put beside it, for the stacks
if [ -n "$stacks" ]; then
  grep -v '^0* ' /proc/kallsyms | grep ' [TtWw] ' >"$out.kallsyms"
  [ -s "$out.kallsyms" ] || rm -f "$out.kallsyms"
fi
finish
`;

/** The whole script. */
export function perfScript(options: RecordOptions, choice: Choice): string {
  return [
    head(options, {tool: 'perf', extension: 'data', limit: 2048, isRecording: true}),
    tables(choice),
    judgement(options, choice),
    CHECKS,
    ENDING,
    SETUP,
    FACTS,
    PROBING,
    TOOL,
    BACKEND,
  ].join('\n');
}
