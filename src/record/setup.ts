/**
 * The changing half of a recording script: the guard that undoes everything, the instance, the probes, the end.
 */

/** Cuts, facts and the end of the trace: functions that the guard needs too, so before SETUP. */
export const ENDING = String.raw`
# ---- the end of the trace

# Limits are kept by the kernel (RLIMIT_FSIZE); a line cut by that is taken off again.
trim() {
  [ -z "$recording" ] || return 0
  [ -s "$out" ] || return 0
  [ -n "$(tail -c 1 "$out")" ] || return 0
  size=$(wc -c <"$out")
  cut=$(tail -n 1 "$out" | wc -c)
  dd if=/dev/null of="$out" bs=1 seek="$((size - cut))" 2>/dev/null
}

# The facts of a recording are lines behind its last byte, where neither trace-cmd nor perf look.
put_facts() {
  [ -z "$recording" ] || [ ! -s "$out" ] || { printf '\n' && cat "$facts"; } >>"$out"
}

finish() {
  footer
  fact end "$ended"
  status=0
  if [ -s "$work/status" ]; then
    status=$(cat "$work/status")
    fact command_status "$status"
  fi
  put_facts
  symbols=$out.kallsyms
  if [ -n "$gzip" ]; then
    if gzip "$out"; then out=$out.gz; else say "gzip failed: $out stays as it is"; fi
  fi
  say "$(wc -c <"$out" | awk '{printf "%.1f MiB", $1 / 1048576}') in $out; ended by $ended"
  if [ -s "$symbols" ]; then say "next: pinscope analyze --kallsyms $symbols $out"
  else say "next: pinscope analyze $out"; fi
  quit "$status"
}
`;

/** The guard, the instance and the probes. Sets \`inst\`, \`group\`, \`work\`, \`got\`. */
export const SETUP = String.raw`
# ---- what is changed, and the guard that puts it back

inst=$tracefs/instances/pinscope-$$
group=pinscope_$$
work=$(mktemp -d "${'$'}{TMPDIR:-/tmp}/pinscope-record.XXXXXX") || give_up 'no temporary directory'
facts=$out
[ -z "$recording" ] || facts=$work/facts
got=
cannot=

clean() {
  # trace-cmd has a process for each CPU that holds the instance; they outlive it when it is only told to end
  helpers=
  if [ -s "$work/tool" ]; then
    helpers=$(grep -l "^PPid:[[:space:]]*$(cat "$work/tool")\$" /proc/[0-9]*/status 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  fi
  for name in tool command reader sleeper; do
    [ ! -s "$work/$name" ] || kill "$(cat "$work/$name")" 2>/dev/null
  done
  # shellcheck disable=SC2086 # words
  [ -z "$helpers" ] || kill $helpers 2>/dev/null
  # a tool that is still ending holds its events, and probes that are in use cannot be removed
  tries=0
  while [ -s "$work/tool" ] && [ -d "/proc/$(cat "$work/tool")" ] && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    [ "$tries" != 50 ] || kill -9 "$(cat "$work/tool")"
    sleep 0.1 || sleep 1
  done
  remove_instance "$inst"
  tries=0
  while
    remove_probes "$group"
    grep -q "^[pr][0-9]*:$group/" "$tracefs/kprobe_events" && [ "$tries" -lt 50 ]
  do
    tries=$((tries + 1))
    sleep 0.1 || sleep 1
  done
  unmount
  if [ ! -e "$work/finished" ]; then
    trim
    fact end killed
    put_facts
  fi
  rm -rf "$work"
}

# The guard holds the reading end of a pipe whose writing end only this shell has. The pipe ends when this shell does,
# even by kill -9; then the guard cleans up. It is the only place that does. (9 is opened for both, so that neither open
# waits for the other.)
mkfifo "$work/alive" || { rm -rf "$work"; give_up 'no pipe in the temporary directory'; }
# shellcheck disable=SC2094 # a pipe
exec 3<&0 9<>"$work/alive" 8<"$work/alive"
(
  trap '' INT TERM HUP QUIT
  exec 9>&-
  cat <&8 >/dev/null
  clean 2>/dev/null
) &
guard=$!
exec 8<&-

# quit STATUS: ends the script; the guard cleans up first. A command that outlives its recording is waited for.
going_on=
quit() {
  : >"$work/finished"
  exec 9>&-
  wait "$guard"
  [ -n "$going_on" ] || exit "$1"
  say 'the command goes on'
  trap 'kill "$going_on" 2>/dev/null' INT TERM HUP
  wait "$waited"
  exit "$?"
}
fail() {
  say "$*"
  rm -f "$out"
  quit 2
}

# Says what can be recorded, and ends here if that is all that was asked or if it is too little.
decide() {
  judge || fail 'nothing can be judged with what this kernel offers'
  [ -n "$dry_run" ] || return 0
  say "would record:$got"
  rm -f "$out"
  quit 0
}

mkdir "$inst" 2>/dev/null || fail "no trace instance can be made in $tracefs/instances"

# define KIND EVENT FUNCTION ARGUMENTS: true if the kernel took the probe
define() {
  printf '%s\n' "$1:$group/$2 $3 $4" >>"$tracefs/kprobe_events"
  [ -d "$tracefs/events/$group/$2" ]
} 2>/dev/null

undefine() { printf '%s\n' "-:$group/$1" >>"$tracefs/kprobe_events"; } 2>/dev/null

has_event() { [ -d "$tracefs/events/$1" ]; }
`;

/** For recorders that work through kprobe events: candidates tried one by one, and their misses counted. */
export const PROBING = String.raw`
# ---- the probes

# probeable FUNCTION [ARGUMENTS]
probeable() {
  define p look "$1" "${'$'}{2-}" || return 1
  undefine look
}

# try_grab_folio takes a struct page and returns a folio, or takes a folio and returns an int, by kernel. Type
# information (BTF) names its first parameter where probes can use it (6.5 and later); else the slow path
# try_grab_page(), which went away in the same change, tells.
grab_takes=
holds() {
  case $1 in
    always) return 0 ;;
    no_dma_events) ! has_event dma ;;
    without:*) ! got_any "${'$'}{1#without:}" ;;
    grab_takes_*)
      if [ -z "$grab_takes" ]; then
        if probeable try_grab_folio 'x=folio'; then grab_takes=folio
        elif probeable try_grab_folio 'x=page' || probeable try_grab_page; then grab_takes=page
        else grab_takes=folio
        fi
        fact try_grab_folio_takes "$grab_takes"
      fi
      [ "$1" = "grab_takes_$grab_takes" ]
      ;;
  esac
}

# Defines the probes; leaves their group and name in $work/events, one "GROUP SYSTEM/EVENT" a line.
choose_events() {
  : >"$work/events"
  probes >"$work/probes"
  while read -r need when kind event func args; do
    wanted "$need" || continue
    holds "$when" || continue
    if define "$kind" "$event" "$func" "$args"; then
      got="$got $event"
      printf '%s %s\n' "$need" "$group/$event" >>"$work/events"
      fact probe "$kind:$group/$event $func $args"
    else
      fact unprobed "$kind:$event $func"
    fi
  done <"$work/probes"
  tracepoints >"$work/tracepoints"
  while read -r need event; do
    wanted "$need" || continue
    has_event "$event" || continue
    got="$got ${'$'}{event#*/}"
    printf '%s %s\n' "$need" "$event" >>"$work/events"
    fact event "$event"
  done <"$work/tracepoints"
}

# Hits and misses of our probes (kprobe_profile): a probe that was missed leaves no mark in the trace.
profile() {
  missed=0
  # shellcheck disable=SC2034
  while read -r event hits misses rest; do
    case " $got " in *" $event "*) ;; *) continue ;; esac
    fact probe_hits "$event $hits"
    if [ "${'$'}{misses:-0}" != 0 ]; then
      fact probe_missed "$event $misses"
      missed=$((missed + misses))
    fi
  done <"$tracefs/kprobe_profile"
  [ "$missed" = 0 ] || say "$missed probe hits were missed (nested in other probes); the trace says which"
}
`;
