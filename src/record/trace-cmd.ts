/** Recording with trace-cmd, in an own instance: the trace is the trace.dat itself. */
import {FACTS} from './facts.js';
import {CHECKS} from './checks.js';
import {head, tables} from './frame.js';
import {judgement} from './judgement.js';
import type {Choice, RecordOptions} from './options.js';
import {ENDING, PROBING, SETUP} from './setup.js';
import {TOOL} from './tool.js';

const BACKEND = String.raw`
# ---- the recorder: trace-cmd

tool=trace-cmd
need_tool trace-cmd
header
fact clock mono
fact buffer_kib_per_cpu "$buffer"
fact tool_version "$(trace-cmd 2>&1 | sed -n 's/^trace-cmd version \([^ ]*\).*/\1/p' | head -n 1)"
choose_events
decide
write_go "$@"

# Everything after -B is for that instance; the top-level buffer stays as it is.
set -- trace-cmd record -o "$out" -B "pinscope-$$" -C mono -b "$buffer"
[ -z "$stacks" ] || set -- "$@" -T
for pid in $pids; do set -- "$@" -P "$pid"; done
while read -r need event; do set -- "$@" -e "${'$'}{event%%/*}:${'$'}{event#*/}"; done <"$work/events"
run_tool "$@" sh "$work/go"
stop_tool
lost=$(cat "$inst"/per_cpu/cpu*/stats 2>/dev/null | awk '/^(overrun|dropped events):/ {n += $NF} END {print n + 0}')
fact lost "$lost"
profile
[ -s "$out" ] || fail "trace-cmd failed: $(tail -n 1 "$work/tool.err")"
finish
`;

/** The whole script. */
export function traceCmdScript(options: RecordOptions, choice: Choice): string {
  return [
    head(options, {tool: 'trace-cmd', extension: 'dat', limit: 2048, isRecording: true}),
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
