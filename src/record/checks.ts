/**
 * What every recording script does before it changes anything: may it run here, what did earlier recordings leave behind, is
 * there room. POSIX sh, with what busybox and coreutils both have.
 */

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
