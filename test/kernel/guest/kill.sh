# Ends a recording by each signal at different moments and looks whether everything is as it was.
. /task/common.sh

# killed NAME SIGNAL WHEN COMMAND...: runs the recording in the background, waits for its end, and looks
killed() {
  name=$1
  shift
  rm -f /out/killed.trace*
  work kill "$@" 2>/tmp/said &
  waiting=$!
  i=0
  while [ -d /proc/$waiting ] && [ $i -lt 1200 ]; do
    sleep 0.1
    i=$((i + 1))
  done
  if [ -d /proc/$waiting ]; then
    echo "HUNG $name"
    tail -n 3 /tmp/said
    ps -o pid,ppid,stat,args | grep -v ' \['
    kill -9 $(pids /task/record-)
  fi
  wait $waiting
  status=$?
  # after kill -9 the guard still cleans up: it waits ten seconds for a tool to end, and as long for probes in use
  i=0
  while state >/tmp/after; ! cmp -s /tmp/before /tmp/after && [ $i -lt 300 ]; do
    sleep 0.1
    i=$((i + 1))
  done
  # kill -9 before there is a guard leaves a directory for temporary files behind, and has changed nothing yet
  if [ "$1" = 9 ] && [ -z "$(ls -A /tmp/pinscope-record.* 2>/dev/null | grep -v '^alive$')" ]; then
    rm -rf /tmp/pinscope-record.*
    state >/tmp/after
  fi
  same "$name (status $status, $i tenths): $(tail -n 1 /out/killed.trace 2>/dev/null | cut -c 1-60)"
}

for shell in sh dash; do
  for signal in 2 15 1 9; do
    for ms in $MOMENTS; do
      killed "after signal $signal to $shell at $ms ms" $signal "$ms" $shell /task/record-tracefs.sh -o /out/killed.trace sleep 4711
    done
  done
done
# the other tools: once early, once while the command runs
for tool in $TOOLS; do
  for signal in 2 15 9; do
    for when in 2000 /tmp/ready; do
      rm -f /tmp/ready
      killed "after signal $signal to $tool at $when" $signal $when \
        sh "/task/record-$tool.sh" -o /out/killed.trace sh -c ': >/tmp/ready; exec sleep 4711'
    done
  done
done
# the guard killed too: the next recording removes what was left
dash /task/record-tracefs.sh -o /out/orphan.trace sleep 4711 2>/tmp/said &
i=0
until grep -q 'recording to' /tmp/said || [ $i -ge 600 ]; do
  sleep 0.1
  i=$((i + 1))
done
kill -9 $(pids record-tracefs.sh) $(pids 'sleep 4711') $(pids trace_pipe) 2>/dev/null
sleep 0.5
echo "orphans: $(ls /sys/kernel/tracing/instances | wc -l) instance, $(wc -l </sys/kernel/tracing/kprobe_events) probes"
sh /task/record-tracefs.sh -c
rm -rf /tmp/pinscope-record.*
same 'after sweeping'
# a limit ends the trace cleanly, and the command goes on
sh /task/record-tracefs.sh -o /out/limited.trace -m 1 sh -c 'for i in $(seq 1 40); do work odirect /mnt >/dev/null; done; echo went on' 2>/tmp/said >/tmp/went
echo "limit: $(wc -c </out/limited.trace) bytes, $(grep -c 'end=limit' /out/limited.trace) end mark; $(grep -c limit /tmp/said) words; the command $(cat /tmp/went)"
same 'after the limit'
# of a recording it leaves a whole file
for tool in $TOOLS; do
  [ "$tool" != bpftrace ] || continue
  sh "/task/record-$tool.sh" -o "/out/limited-$tool.trace" -m 2 \
    sh -c 'while :; do work odirect /mnt >/dev/null; done' 2>/tmp/said
  echo "limit of $tool: $(tail -c 400 "/out/limited-$tool.trace" | grep -a -c 'end=limit') end mark"
  same "after the limit of $tool"
done
# a duration ends it
sh /task/record-tracefs.sh -o /out/short.trace -d 2 2>/dev/null
echo "duration: $(grep -c 'end=duration' /out/short.trace) end mark"
same 'after the duration'
