# The options of a recording script, with each recorder: what could be recorded; stacks around the whole work; then one
# process only, for a time.
. /task/common.sh
all_work
tidy() { rm -f /mnt/* 2>/dev/null; }
seconds=17
for recorder in $RECORDERS; do
  sh "/task/record-$recorder.sh" --dry-run -r unpin-while-dma -o /out/never >"/out/dry-$recorder.said" 2>&1
  echo "status dry-$recorder $?"
  [ ! -e /out/never ] || echo "dry-$recorder: left a file"
  same "after dry-$recorder"

  sh "/task/record-$recorder.sh" -s -o "/out/stacks-$recorder.trace" sh /tmp/all-work.sh >"/out/stacks-$recorder.deeds" 2>"/out/stacks-$recorder.said"
  echo "status stacks-$recorder $?"
  tidy
  same "after stacks-$recorder"

  # The process is there before the recording, and begins once the tool runs the sleep that is its time: from then on
  # everything is on.
  rm -f /tmp/go
  work after /tmp/go odirect,good,bad /mnt >"/out/pid-$recorder.deeds" &
  worker=$!
  {
    until [ -n "$(pids "sleep $seconds")" ] || ! [ -d /proc/$worker ]; do sleep 0.2; done
    : >/tmp/go
  } &
  sh "/task/record-$recorder.sh" --pid=$worker -d "${seconds}s" -o "/out/pid-$recorder.trace" 2>"/out/pid-$recorder.said"
  echo "status pid-$recorder $?"
  kill $worker 2>/dev/null && echo "pid-$recorder: the work outlived its recording"
  wait
  tidy
  same "after pid-$recorder"
done
if [ -f /task/record-tracefs.sh ]; then
  sh /task/record-tracefs.sh --rules unpin-while-dma -o /out/rules-tracefs.trace sh /tmp/all-work.sh >/out/rules-tracefs.deeds 2>/out/rules-tracefs.said
  echo "status rules-tracefs $?"

  same 'after rules-tracefs'
fi
# A reader that stops for a while: what is lost must be told. The work meanwhile goes to .lost, the work after it has to
# be found all the same.
if [ -f /task/record-tracefs.sh ]; then
  cat >/tmp/lossy.sh <<'END'
reader=$(cat /tmp/pinscope-record.*/reader)
# its pin is before the loss and its unpin after it
work across /mnt >/tmp/across &
until [ -e /tmp/pinned ]; do sleep 0.1; done
sleep 1
kill -STOP "$reader"
# bad and good run on CPU 0
i=0
until grep -q '^overrun: [1-9]' /sys/kernel/tracing/instances/pinscope-*/per_cpu/cpu0/stats || [ $i -ge 50 ]; do
  for part in bad odirect good; do work $part /mnt; done
  i=$((i + 1))
done >/out/lossy-tracefs.lost
kill -CONT "$reader"
sleep 1
: >/tmp/lost
wait $!
cp /tmp/across /out/lossy-tracefs.deeds
sh /tmp/all-work.sh >>/out/lossy-tracefs.deeds
END
  sh /task/record-tracefs.sh -b 64 -o /out/lossy-tracefs.trace sh /tmp/lossy.sh 2>/out/lossy-tracefs.said
  echo "status lossy-tracefs $?"
  same 'after lossy-tracefs'
fi
