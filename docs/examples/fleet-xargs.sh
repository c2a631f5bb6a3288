#!/bin/sh
# Exports many captures into one folder, some at a time on this machine:
#   fleet-xargs.sh LIST LEDGERS [JOBS]
# LIST has one capture a line: HOST, a tab, PATH. One that cannot be read is told and left out; status 1 if there was any.
list=$1 ledgers=$2 jobs=${3:-$(nproc)}
export ledgers
tr '\t\n' '\0\0' <"$list" | xargs -0 -n 2 -P "$jobs" sh -c '
  ${PINSCOPE:-pinscope} export --quiet --partition "host=$1" "$2" -o "$ledgers" || { echo "left out: $2" >&2; exit 1; }
' export || exit 1
