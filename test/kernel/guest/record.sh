# Records the whole work once with each recorder, in the order of $RECORDERS; each trace holds right and wrong deeds.
. /task/common.sh
all_work
# events of these groups too, where the recording is one of tracefs
[ -z "$BESIDE" ] || {
  cat >/tmp/beside.sh <<END
for group in $BESIDE; do
  for on in /sys/kernel/tracing/instances/pinscope-*/events/\$group/enable; do [ ! -e "\$on" ] || echo 1 >"\$on"; done
done
END
  cat /tmp/all-work.sh >>/tmp/beside.sh
  mv /tmp/beside.sh /tmp/all-work.sh
}
for recorder in $RECORDERS; do
  echo "record $recorder"
  start=$(cut -d' ' -f1 /proc/uptime)
  sh /task/record-$recorder.sh -o /out/$recorder.trace sh /tmp/all-work.sh >/out/$recorder.deeds 2>/out/$recorder.said
  echo "status $recorder $? from $start to $(cut -d' ' -f1 /proc/uptime)"
  rm -f /mnt/* 2>/dev/null
  same "after $recorder"
done
