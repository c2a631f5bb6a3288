# Records random correct work, once with each seed of $SEEDS.
. /task/common.sh
echo always >/sys/kernel/mm/transparent_hugepage/enabled
(while sleep 2; do echo 1 >/proc/sys/vm/compact_memory; done) &
compacts=$!
for seed in $SEEDS; do
  sh /task/record.sh -o /out/$seed.trace work storm /mnt $seed $SECONDS_EACH >/out/$seed.out 2>/out/$seed.said
  echo "status $seed $?"
done
kill $compacts
