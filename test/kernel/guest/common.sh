# Sourced by the scenarios.

# Tools live on a disk of their own with their own libraries; scripts find them by name all the same.
case $(uname -m) in
  aarch64) loader=ld-linux-aarch64.so.1 libraries=/tools/usr/lib/aarch64-linux-gnu ;;
  *) loader=ld-linux-x86-64.so.2 libraries=/tools/usr/lib/x86_64-linux-gnu ;;
esac
# where it lies, not by the link in /lib64: that of Debian 12 leads out of /tools
loader=$libraries/$loader
for tool in trace-cmd perf bpftrace; do
  # perf of Debian 11 bears its kernel's version; the name without is a script of another package
  for at in /tools/usr/bin/${tool}_[0-9]* /tools/usr/bin/$tool /tools/usr/sbin/$tool; do
    [ -f "$at" ] || continue
    printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "$libraries" "$at" >/bin/$tool
    chmod +x /bin/$tool
  done
done
mkdir -p /sys/kernel/tracing
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null

# pids WORDS: processes with these words in their command line
pids() { ps -o pid,args | awk -v words="$1" 'index($0, words) && !/awk/ {print $1}'; }

# What a recording could leave behind. Not the size of the top-level buffer: the kernel itself expands it when it is
# first needed (ring_buffer_expanded).
state() {
  for file in kprobe_events set_event current_tracer trace_clock tracing_on options/hash-ptr options/record-tgid \
    options/stacktrace options/event-fork set_event_pid events/enable; do
    echo "$file: $(cat /sys/kernel/tracing/$file 2>/dev/null)"
  done
  ls /sys/kernel/tracing/instances
  ls -d /tmp/pinscope-record.* 2>/dev/null
  pids 'sleep 4711'
  pids /tools/usr/bin/
}
state >/tmp/before

# all_work: writes /tmp/all-work.sh, right and wrong deeds of every kind; only right ones without the test module
all_work() {
  parts='odirect uring filemap'
  [ ! -e /dev/pinbad ] || parts='odirect uring good bad filemap'
  echo "for part in $parts; do work \$part /mnt || exit 1; done" >/tmp/all-work.sh
}

# same NAME: says whether tracing is as it was
same() {
  state >/tmp/after
  if cmp -s /tmp/before /tmp/after; then echo "restored $1"; else
    echo "CHANGED $1"
    diff /tmp/before /tmp/after
    # told once
    cp /tmp/after /tmp/before
  fi
}
