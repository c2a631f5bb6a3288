/**
 * Recording with a tool that runs the command itself, once its events are on (trace-cmd, perf, bpftrace): nothing of the
 * command is missed, and the end of the command is the end of the recording.
 */

/** `run_tool` and `stop_tool`, between SETUP and a backend. */
export const TOOL = String.raw`
# ---- running a tool that runs the command

need_tool() { command -v "$1" >/dev/null 2>&1 || fail "there is no $1 on this machine: use the script for tracefs, which needs nothing"; }

# What is to be done when the command has ended and the tool still runs; sh words.
at_end=

# The command as a script: tools take one word more safely than many.
write_go() {
  {
    printf '#!/bin/sh\n'
    # the tool starts it once its events are on
    printf '%s >"%s"\n' "sed -n 's/^now at \\([0-9]*\\) nsecs\$/\\1/p;/^now/q' /proc/timer_list" "$work/began"
    if [ $# -gt 0 ]; then
      # shellcheck disable=SC2016 # expanded by the shell that runs it
      printf "sh -c 'echo %s >\"%s\"; exec \"%s\"' '%s'" '$$' '$0' '$@' "$work/command"
      for word in "$@"; do
        printf " '"
        printf '%s' "$word" | sed "s/'/'\\\\''/g"
        printf "'"
      done
      # not what the tool says, but what the command says
      # shellcheck disable=SC2016 # expanded by the shell that runs it
      printf ' >&4 2>&5\nstatus=$?\nrm -f "%s"\necho $status >"%s"\n%s\n' "$work/command" "$work/status" "$at_end"
    elif [ -n "$at_end" ]; then
      # shellcheck disable=SC2016 # expanded by the shell that runs it
      printf 'sleep %s &\necho $! >"%s"\nwait $!\n%s\n' "${'$'}{seconds:-2000000000}" "$work/sleeper" "$at_end"
    else
      printf 'exec sleep %s\n' "${'$'}{seconds:-2000000000}"
    fi
  } >"$work/go"
}

# Most that the kernel lets the tool write into one file, in units of 512 bytes. A recording that meets this is no whole
# file: watch_size ends it long before.
cap=$((limit * 2048))
[ -z "$recording" ] || cap=$((limit * 4096))

# Ends a recording when its files have reached the limit. trace-cmd has one for each CPU until it ends.
watch_size() {
  while sleep 1; [ -d "$work" ] && [ ! -e "$work/finished" ]; do
    kib=$(du -k "$out" "$out".*cpu[0-9]* 2>/dev/null | awk '{kib += $1} END {print kib + 0}')
    [ "$kib" -lt "$((limit * 1024))" ] || { kill -USR1 $$; return; }
  done
}

# run_tool WORDS...: starts the tool; what it says goes to $work/tool.out and tool.err, what the command says where
# this script's own output goes (4 and 5)
run_tool() {
  exec 4>&1 5>&2
  (
    # shellcheck disable=SC2016 # expanded by the inner shell
    sh -c 'echo $$ >"$0"
      ulimit -c 0
      ulimit -f "$1" # in units of 512 bytes
      shift
      exec "$@"' "$work/tool" "$cap" "$@" <&3 3<&- 9>&- >"$work/tool.out" 2>"$work/tool.err"
    status=$?
    rm -f "$work/tool"
    echo "$status" >"$work/tool.status"
  ) 9>&- 2>/dev/null &
  waited=$!
  if [ -n "$seconds" ] && grep -q '^sh -c' "$work/go"; then
    (
      # shellcheck disable=SC2016
      sh -c 'echo $$ >"$0"; exec sleep "$1"' "$work/sleeper" "$seconds"
      while [ -d "$work" ] && kill -USR2 $$; do sleep 1; done
    ) 3<&- 9>&- 2>/dev/null &
  fi
  # in a shell of its own: one that calls a function keeps a copy of what it closes for it, and the guard would wait for that
  if [ -n "$recording" ]; then ( watch_size ) 3<&- 9>&- 2>/dev/null & fi
  say "recording to $out"
}

stop_tool() {
  while [ -z "$ended" ] && [ ! -s "$work/tool.status" ]; do wait "$waited"; done
  if [ -z "$ended" ]; then
    if [ -s "$work/status" ]; then ended='command'; else ended='duration'; fi
  fi
  trap 'quitting=1' INT TERM HUP
  quitting=
  asking=
  if [ ! -s "$work/tool.status" ]; then
    asking=1
    [ -z "$at_end" ] || sh -c "$at_end"
  fi
  tries=0
  while [ ! -s "$work/tool.status" ] && [ -z "$quitting" ]; do
    # a tool that is still starting takes no notice, and would run on for ever: it is asked again
    if [ -n "$asking" ] && [ "$((tries % 30))" = 0 ]; then
      [ ! -s "$work/command" ] || kill "$(cat "$work/command")" 2>/dev/null
      [ ! -s "$work/tool" ] || kill -INT "$(cat "$work/tool")" 2>/dev/null
    fi
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
  tool_status=$(cat "$work/tool.status" 2>/dev/null)
  # events come on one after the other: before this time (of the clock mono) some of them are missing
  [ ! -s "$work/began" ] || fact complete_from_ns "$(cat "$work/began")"
  case $tool_status in 153) ended=limit ;; esac
  # what the tool itself said of losses and errors
  grep -i -E 'lost|drop|overrun|error|warn|fail' "$work/tool.err" | head -n 20 | while read -r line; do
    fact "${'$'}{tool}_said" "$line"
    say "$tool: $line"
  done
  if [ "${'$'}{tool_status:-0}" != 0 ] && [ "$ended" = duration ] && [ ! -s "$work/status" ] && grep -q '^sh -c' "$work/go"; then
    fail "$tool failed: $(tail -n 1 "$work/tool.err")"
  fi
}
`;
