# Records random correct work, once with each recorder of $RECORDERS and each seed of $SEEDS.
. /task/common.sh
echo always >/sys/kernel/mm/transparent_hugepage/enabled
(while sleep 2; do echo 1 >/proc/sys/vm/compact_memory; done) &
compacts=$!
for recorder in $RECORDERS; do
  for seed in $SEEDS; do
    name=$recorder-$seed
    sh /task/record-$recorder.sh -o /out/$name.trace work storm /mnt $seed $SECONDS_EACH >/out/$name.out 2>/out/$name.said
    echo "status $name $?"
    # each begins with files of its own, whose pages it sees added
    rm -f /mnt/* 2>/dev/null
  done
done
kill $compacts
