/** Recording with nothing but tracefs: an own instance, read through trace_pipe into a text file. */
import {FACTS} from './facts.js';
import {CHECKS} from './checks.js';
import {head, tables} from './frame.js';
import {judgement} from './judgement.js';
import type {Choice, RecordOptions} from './options.js';
import {ENDING, PROBING, SETUP} from './setup.js';

const RUN = String.raw`
# ---- running the command

# Runs the command (its input is ours), or sleeps; leaves its status in $work/status.
run_command() {
  if [ $# -gt 0 ]; then
    (
      # shellcheck disable=SC2016 # expanded by the inner shell
      sh -c 'echo $$ >"$0"; exec "$@"' "$work/command" "$@" <&3 3<&- 9>&-
      status=$?
      rm -f "$work/command"
      # after the end of the recording there is nowhere to write it
      { echo "$status" >"$work/status"; } 2>/dev/null
      exit "$status"
    ) 9>&- &
    waited=$!
    if [ -n "$seconds" ]; then
      (
        # shellcheck disable=SC2016
        sh -c 'echo $$ >"$0"; exec sleep "$1"' "$work/sleeper" "$seconds"
        while [ -d "$work" ] && kill -USR2 $$; do sleep 1; done
      ) 3<&- 9>&- 2>/dev/null &
    fi
    say "recording to $out until the command ends"
  else
    sleep "${'$'}{seconds:-2000000000}" 3<&- 9>&- &
    waited=$!
    echo "$waited" >"$work/sleeper"
    if [ -n "$seconds" ]; then say "recording to $out for $seconds s"; else say "recording to $out: Ctrl-C ends it"; fi
  fi
}

# Comes back when the command has ended, the time is over, the limit is reached, or a signal came.
wait_for_end() {
  while [ -z "$ended" ]; do
    wait "$waited"
    if [ -s "$work/status" ]; then ended='command'
    elif [ -z "$ended" ] && ! kill -0 "$waited" 2>/dev/null; then ended='duration'
    fi
  done
  case $ended in
    interrupted | terminated | hangup)
      [ ! -s "$work/command" ] || kill "$(cat "$work/command")" 2>/dev/null
      ;;
    limit) say "the trace reached its limit of $limit MiB: recording stopped" ;;
  esac
  case $ended in
    limit | duration)
      # without its number the guard lets it be
      going_on=$(cat "$work/command" 2>/dev/null)
      rm -f "$work/command"
      ;;
  esac
}
`;

const BACKEND = String.raw`
# ---- the recorder: tracefs alone

tool=tracefs
# groups whose events get a kernel stack with --stacks; of page_ref only changes as large as a pin
stacked='take drop get dma writeback'

set_option() { [ ! -f "$inst/options/$1" ] || printf '%s' "$2" >"$inst/options/$1"; }

prepare_instance() {
  printf mono >"$inst/trace_clock" || fail 'the kernel refuses the clock mono'
  printf '%s' "$buffer" >"$inst/buffer_size_kb" || fail "no memory for buffers of $buffer KiB: give less with -b"
  set_option irq-info 1
  set_option record-tgid 1
  for pid in $pids; do
    [ -d "/proc/$pid" ] || fail "there is no process $pid"
    set_option event-fork 1
    for task in /proc/"$pid"/task/*; do printf '%s\n' "${'$'}{task##*/}" >>"$inst/set_event_pid"; done
  done
}

# stats NAME: one fact for each CPU
stats() {
  for cpu in "$inst"/per_cpu/cpu*; do
    fact "$1" "${'$'}{cpu##*/} $(tr '\n' ' ' <"$cpu/stats")"
  done
}

# The reader must not record itself: every page it fills would make new events. Its own page-cache work is left out,
# by task; what interrupts do while it runs is not its work and stays (common_flags: 0x8 hardirq, 0x10 softirq). So do frees:
# pages of others end in its hands, when a batch of the LRU lists is full that they were the last to hold (mm/swap.c). With
# page_ref events everything stays, for a count that is replayed has to be seen whole.
reader_filter() {
  case " $got " in *' page_ref_mod '*) return ;; esac
  case $1:$2 in
    life:*/mm_page_alloc | file:* | dirty:*)
      printf '%s' "common_pid != $reader || common_flags & 0x18" >"$inst/events/$2/filter" &&
        fact filter "${'$'}{2##*/} common_pid != $reader || common_flags & 0x18"
      ;;
  esac
}

start_recorder() {
  # Not to a file but to its end: the header is there already. The shell tells us when the limit stops cat.
  (
    # shellcheck disable=SC2016 # expanded by the inner shell
    sh -c 'trap "" INT HUP QUIT
      ulimit -c 0
      ulimit -f "$1" # in units of 512 bytes
      echo $$ >"$2"
      exec cat "$3"' sh "$((limit * 2048))" "$work/reader" "$inst/trace_pipe" >>"$out"
    echo $? >"$work/reader.status"
    while [ -d "$work" ] && [ ! -e "$work/finished" ] && kill -USR1 $$; do sleep 1; done
  ) 3<&- 9>&- 2>/dev/null &
  tries=0
  until [ -s "$work/reader" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail 'the reader of the trace does not start'
    sleep 0.1 2>/dev/null || sleep 1
  done
  reader=$(cat "$work/reader")
  # Nothing is recorded until every event is on: of a page whose pin is seen and whose get is not, the count would not
  # add up.
  printf 0 >"$inst/tracing_on"
  while read -r need event; do
    reader_filter "$need" "$event"
    if [ -n "$stacks" ]; then
      # a condition, if one that always holds, puts the stack behind its event instead of before it
      case " $stacked " in *" $need "*) [ "$event" != "${'$'}{event%_ret}" ] ||
        printf 'stacktrace if common_pid >= 0' >"$inst/events/$event/trigger" ;;
      esac
      case $event in page_ref/*) printf 'stacktrace if val > 1000 || val < -1000' >"$inst/events/$event/trigger" ;; esac
    fi
    printf 1 >"$inst/events/$event/enable"
  done <"$work/events" 2>/dev/null
  stats stats_before
  printf 1 >"$inst/tracing_on"
  # trace_pipe ends after tracing was switched off only if it has read something: give it that
  printf 'pinscope-record: start' >"$inst/trace_marker"
}

# From 6.9 on a reader that waits on an empty buffer is not told that tracing was switched off: it would wait for ever.
# (ring_buffer_wait() in kernel/trace/ring_buffer.c has a condition of its own since then; before, it came back to
# tracing_wait_pipe(), which looks.) A last line wakes it; having read that, it finds tracing off, and ends. Only on an
# empty buffer, for in a full one the line would take the place of events.
wake_reader() {
  printf 1 >"$inst/tracing_on"
  printf 'pinscope-record: end' >"$inst/trace_marker"
  printf 0 >"$inst/tracing_on"
}

# unread: how many events of the buffer the reader has not had yet
unread() { cat "$inst"/per_cpu/cpu*/stats | awk '$1 == "entries:" {n += $2} END {print n + 0}'; }

stop_recorder() {
  trap 'ended=interrupted; quitting=1' INT TERM HUP
  quitting=
  printf 0 >"$inst/tracing_on"
  printf 0 >"$inst/events/enable"
  # the rest of the buffer is read, then cat ends; it may go back to sleep just before tracing is off again
  tries=0
  while [ ! -s "$work/reader.status" ] && [ -z "$quitting" ]; do
    [ "$((tries % 10))" != 0 ] || [ "$(unread)" != 0 ] || wake_reader
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
  read_status=$(cat "$work/reader.status" 2>/dev/null)
  case $read_status in
    0) ;;
    '') ended='interrupted while reading the rest' ;;
    153) ended=limit ;; # SIGXFSZ
    *) ended="reader failed with status $read_status" ;;
  esac
  trim
  stats stats_after
  # events overwritten or dropped before they could be read
  lost=$(cat "$inst"/per_cpu/cpu*/stats | awk '/^(overrun|dropped events):/ {n += $NF} END {print n + 0}')
  fact lost "$lost"
  [ "$lost" = 0 ] || say "$lost events were lost: record with larger buffers (-b) or for fewer rules"
  profile
}

header
prepare_instance
fact clock mono
fact buffer_kib_per_cpu "$buffer"
choose_events
decide
start_recorder
run_command "$@"
wait_for_end
stop_recorder
finish
`;

/** The whole script. */
export function tracefsScript(options: RecordOptions, choice: Choice): string {
  return [
    head(options, {tool: 'tracefs', extension: 'txt', limit: 2048}),
    tables(choice),
    judgement(options, choice),
    CHECKS,
    ENDING,
    SETUP,
    FACTS,
    PROBING,
    RUN,
    BACKEND,
  ].join('\n');
}
