#!/bin/sh
# Builds a small kernel with CONFIG_DEBUG_PAGE_REF from Debian's source of 6.12, in the directory given: no distribution
# has its page_ref tracepoints on. As root; some 15 minutes on two CPUs.
#
#   sh build-page-ref-kernel.sh DIRECTORY
#
# Leaves DIRECTORY/linux-source-6.12 (to build modules against) and, when all is done, DIRECTORY/vmlinuz.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

for need in flex:/usr/bin/flex bison:/usr/bin/bison libelf-dev:/usr/include/libelf.h; do
  [ -e "${need#*:}" ] || apt-get install -y -q --no-install-recommends "${need%%:*}"
done
if [ ! -f linux-source-6.12/Makefile ]; then
  [ -f usr/src/linux-source-6.12.tar.xz ] || {
    apt-get download -q linux-source-6.12
    dpkg -x linux-source-6.12_*.deb .
    rm linux-source-6.12_*.deb
  }
  tar -xJf usr/src/linux-source-6.12.tar.xz
fi
cd linux-source-6.12
make -s tinyconfig
scripts/kconfig/merge_config.sh -m .config "$here/page-ref.config" >/dev/null
make -s olddefconfig
# what the configuration does not take for lack of something else would be missed later
sed -n 's/^\(CONFIG_[A-Z0-9_]*=y\)$/\1/p' "$here/page-ref.config" | while read -r line; do
  grep -q -x "$line" .config || { echo "$line was not taken" >&2; exit 1; }
done
nice -n 19 make -s -j"$(nproc)" bzImage modules
cp arch/x86/boot/bzImage ../vmlinuz
