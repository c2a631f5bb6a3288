# What a recording costs: work whose time is counted in instructions, without a recording and with several.
. /task/common.sh
echo "alone: $(work cost /mnt)"
for script in /task/record-*.sh; do
  name=$(basename "$script" .sh)
  sh "$script" -o /out/$name.trace work cost /mnt >/tmp/cost 2>/tmp/said
  events=$(grep -c ' work-.*\(grab\|pin\|gup\|dma_\)' /out/$name.trace)
  echo "$name $(cat /tmp/cost) with $events events of the work, $(wc -c </out/$name.trace) bytes, $(grep -c . /out/$name.trace) lines"
done
