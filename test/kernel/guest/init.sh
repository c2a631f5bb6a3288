#!/bin/sh
# First process of a test guest: mounts, loads modules, runs the task, packs /out onto the results' disk, powers off.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs out /out
echo 1 >/proc/sys/kernel/printk
echo "guest: $(uname -r)"
while read -r module; do insmod "/lib/$module" || echo "guest: insmod $module failed"; done </lib/modules.order
[ ! -f /lib/pinbad.ko ] || insmod /lib/pinbad.ko || echo 'guest: no pinbad'
mdev -s 2>/dev/null
i=0
# the work's disk
until [ -b "$disk" ] || [ $i -ge 50 ]; do
  sleep 0.2
  i=$((i + 1))
  for disk in /dev/nvme0n1 /dev/sda; do [ ! -b $disk ] || break; done
done
mount -t ext4 $disk /mnt || echo 'guest: no disk'
[ ! -b /dev/vdb ] || mount -t ext4 -o ro /dev/vdb /tools
# of a guest that hangs, its console tells where
(
  while sleep 150; do
    echo "guest: still busy at $(cut -d' ' -f1 /proc/uptime) s"
    ps -o pid,ppid,stat,args | grep -v ' \['
    for dir in /proc/[0-9]*; do
      # threads of the kernel have no command line
      [ -n "$(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null)" ] && echo "${dir#/proc/}: $(tr '\n' ' ' <"$dir/stack" 2>/dev/null)"
    done
  done
) &
cd /task && { /bin/sh /task/scenario.sh; echo "guest: scenario ended with $?"; } 2>&1 | tee /out/scenario.log
umount /mnt
tar -C /out -cf /dev/vda . && sync && echo 'guest: done'
poweroff -f
