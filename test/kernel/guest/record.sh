# Records the whole work once with each recorder, in the order of $RECORDERS; each trace holds right and wrong deeds.
. /task/common.sh
all_work
for recorder in $RECORDERS; do
  echo "record $recorder"
  start=$(cut -d' ' -f1 /proc/uptime)
  sh /task/record-$recorder.sh -o /out/$recorder.trace sh /tmp/all-work.sh >/out/$recorder.deeds 2>/out/$recorder.said
  echo "status $recorder $? from $start to $(cut -d' ' -f1 /proc/uptime)"
  rm -f /mnt/* 2>/dev/null
  same "after $recorder"
done
