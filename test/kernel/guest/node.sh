# `pinscope record` itself, with Node, from the package as its users get it (node.ts makes the disk).
. /task/common.sh
all_work
printf '#!/bin/sh\nexec %s --library-path /tools/lib /tools/bin/node /tools/package/bin/run.js "$@"\n' /tools/lib/ld-linux-x86-64.so.2 >/bin/pinscope
chmod +x /bin/pinscope
mkdir -p /etc
echo 'root:x:0:0:root:/tmp:/bin/sh' >/etc/passwd
pinscope --version
state >/tmp/before

# a command, to its end
pinscope record -o /out/node.trace -- sh -c 'sh /tmp/all-work.sh >/out/node.deeds' >/out/node.report 2>/out/node.said
echo "status node $?"
same 'after node'

# Ctrl-C while the command is at it
rm -f /tmp/ready
work kill 2 /tmp/ready pinscope record -o /out/interrupted.trace -- \
  sh -c 'work bad /mnt >/out/interrupted.deeds; : >/tmp/ready; exec sleep 4711' >/out/interrupted.report 2>/out/interrupted.said
echo "status interrupted $?"
same 'after interrupted'

# without a command: all that the machine does, until Ctrl-C or another end. After kill -9 there is no report.
for signal in 2 15 9; do
  rm -f /tmp/ready
  name=open-$signal
  work kill $signal /tmp/ready pinscope record -o /out/$name.trace >/out/$name.report 2>/out/$name.said &
  until grep -q 'Ctrl-C ends it' /out/$name.said || ! [ -d /proc/$! ]; do sleep 0.2; done
  work bad /mnt >/out/$name.deeds
  : >/tmp/ready
  wait $!
  echo "status $name $?"
  i=0
  while state >/tmp/after; ! cmp -s /tmp/before /tmp/after && [ $i -lt 100 ]; do
    sleep 0.1
    i=$((i + 1))
  done
  same "after $name"
done

# ended early: before the recording, while it starts, and when it has just begun
for ms in 500 2000 3500 5000; do
  work kill 2 $ms pinscope record -o /out/early.trace -- sleep 4711 >/dev/null 2>/tmp/said
  echo "early end at $ms ms: status $?, $(tail -n 1 /tmp/said)"
  rm -f /out/early.trace
  same "after $ms ms"
done
