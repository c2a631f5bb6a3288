#!/bin/bash
# Runs docs/examples/fleet.sbatch on a Slurm of one node that is set up for it in a temporary folder, and compares what the
# ledgers hold with the reports. Status 77 where it cannot be tried. As root, after `npm run build`: npm run test:fleet
set -u
cd "$(dirname "$0")/../.." || exit 1
skip() { echo "test:fleet: not tried: $1"; exit 77; }
for tool in munged slurmctld slurmd sbatch; do
  command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || skip "$tool is not installed (apt-get install slurm-wlm munge)"
done
PATH=$PATH:/usr/sbin
[ "$(id -u)" = 0 ] || skip 'not root'
[ -e /etc/slurm/slurm.conf ] && skip 'this machine has a Slurm of its own'

work=$(mktemp -d)
chmod 755 "$work"
node=$(hostname -s)
began=
finish() {
  [ -n "$began" ] && { for daemon in slurmd slurmctld; do [ -s "$work/$daemon.pid" ] && kill "$(cat "$work/$daemon.pid")"; done; }
  [ -s "$work/munged.pid" ] && kill "$(cat "$work/munged.pid")"
  sleep 1
  rm -rf "$work"
}
trap finish EXIT

mkdir -p "$work/state" "$work/spool" "$work/munge"
export SLURM_CONF=$work/slurm.conf
cat >"$SLURM_CONF" <<END
ClusterName=one
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=main Nodes=$node Default=YES State=UP
END
dd if=/dev/urandom of="$work/munge/key" bs=1 count=1024 2>/dev/null
chmod 600 "$work/munge/key"
chmod 700 "$work/munge"
munged --force --key-file "$work/munge/key" --socket "$work/munge/socket" --pid-file "$work/munged.pid" \
  --seed-file "$work/munge/seed" --log-file "$work/munge/log" || skip 'munged does not start'
chmod 711 "$work/munge"
began=1
slurmctld || skip 'slurmctld does not start'
slurmd || skip 'slurmd does not start'
for _ in $(seq 30); do sinfo -h -o %T 2>/dev/null | grep -q idle && break; sleep 1; done
sinfo -h -o %T | grep -q idle || { tail -5 "$work"/slurm*.log; skip 'the node does not become idle'; }

i=0
for trace in sample-traces/ftrace/*.txt.gz sample-traces/ftrace/hand-made/*.txt.gz; do
  [ -e "$trace" ] || continue
  printf 'h%d\t%s\n' $((i % 4)) "$PWD/$trace" >>"$work/list"
  i=$((i + 1))
done
export PINSCOPE="node $PWD/bin/run.js"
sbatch --wait --array=0-1 --mem=1G --output="$work/out-%a" --export=ALL,LIST="$work/list",LEDGERS="$work/ledgers" docs/examples/fleet.sbatch ||
  { cat "$work"/out-*; echo 'test:fleet: the job failed'; exit 1; }
cat "$work"/out-*
traces=$(find "$work/ledgers/traces" -name '*.parquet' | wc -l)
echo "test:fleet: $traces of $i captures exported"
[ "$traces" = "$i" ] || exit 1
reported=0
while IFS=$'\t' read -r _ trace; do
  n=$($PINSCOPE analyze --json "$trace" | node -e 'let t = ""; process.stdin.on("data", (d) => (t += d)).on("end", () => console.log(JSON.parse(t).findings.length))')
  reported=$((reported + n))
done <"$work/list"
counted=$($PINSCOPE query --to csv 'SELECT count(*) AS n FROM findings' "$work/ledgers" | tail -1) || skip 'DuckDB is not installed'
echo "test:fleet: $counted findings in the ledgers, $reported in the reports"
[ "$counted" = "$reported" ]
