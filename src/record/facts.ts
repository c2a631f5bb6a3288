/**
 * The part of a recording script that finds out what a trace cannot tell of itself: where struct pages start, how large
 * a page is, which boot it was. Written as `# pinscope-record: NAME=VALUE` lines before the trace (docs/recording.md).
 */

/** `header` and what it asks the kernel; between SETUP and the choice of probes. Needs `inst`, `define`, `undefine`, `fact`. */
export const FACTS = String.raw`
# ---- facts of the machine

# Reads a variable of the kernel by way of a probe on a function that nobody misses: reading /proc/version calls it.
kernel_variable() {
  for func in version_proc_show uptime_proc_show loadavg_proc_show; do
    define p variable "$func" "value=@$1:x64" || continue
    printf 1 >"$inst/events/$group/variable/enable"
    cat /proc/version /proc/uptime /proc/loadavg >/dev/null
    printf 0 >"$inst/events/$group/variable/enable"
    value=$(sed -n 's/.* variable: .* value=\(0x[0-9a-f]*\).*/\1/p' "$inst/trace" | head -n 1)
    : >"$inst/trace"
    undefine variable
    [ -z "$value" ] || { printf '%s\n' "$value"; return 0; }
  done
  return 1
}

# base_of POINTER PFN: POINTER - 64 * PFN. In two halves: some shells count only to 2^63 - 1.
base_of() {
  bytes=$(($2 * 64))
  low=$((0x${'$'}{1#????????} - bytes % 4294967296))
  high=$((0x${'$'}{1%????????} - bytes / 4294967296))
  if [ "$low" -lt 0 ]; then
    low=$((low + 4294967296))
    high=$((high - 1))
  fi
  printf '0x%08x%08x\n' "$high" "$low"
}

# Where the array of struct pages starts, from events that print a page's pointer beside its number. An answer only if
# three different pages agree on it, and none contradicts: then struct pages are 64 bytes each and lie in one array.
struct_page_base() {
  has_event kmem/mm_page_alloc || return 1
  [ ! -f "$inst/options/hash-ptr" ] || printf 0 >"$inst/options/hash-ptr"
  for event in mm_page_alloc mm_page_free; do printf 1 >"$inst/events/kmem/$event/enable"; done
  cat /proc/version /proc/uptime /proc/loadavg >/dev/null
  for event in mm_page_alloc mm_page_free; do printf 0 >"$inst/events/kmem/$event/enable"; done
  # before 6.1 the number is decimal; a pointer that begins with zeros is a hash
  sed -n 's/.* page=\([1-9a-f][0-9a-f]\{15\}\) pfn=\([0-9a-fx]*\) .*/\1 \2/p' "$inst/trace" | sort -u | head -n 50 |
    while read -r page pfn; do base_of "$page" "$pfn"; done | sort | uniq -c | awk '{n = $1; base = $2} END {if (NR == 1 && n >= 3) print base}' >"$work/base"
  : >"$inst/trace"
  [ -s "$work/base" ] || return 1
  [ ! -f "$inst/options/hash-ptr" ] || printf 1 >"$inst/options/hash-ptr"
  cat "$work/base"
}

# Whether devices sit behind an IOMMU, and of which type its domains are: none, identity, DMA, DMA-FQ (unmaps that take
# effect later).
iommu_types() {
  types=$(cat /sys/kernel/iommu_groups/*/type 2>/dev/null | sort -u | tr '\n' ' ')
  printf '%s\n' "${'$'}{types:-none}"
}

online() { cat /sys/devices/system/cpu/online 2>/dev/null; }

header() {
  # what tells tracefs text from that of other tools
  [ "$tool" != tracefs ] || printf '# tracer: nop\n#\n' >>"$out"
  fact version 1
  fact tool "$tool"
  fact kernel "$(uname -r)"
  fact machine "$(uname -m)"
  fact started_unix "$(date +%s)"
  fact boot_id "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  fact cpus "$cpus"
  cpus_online=$(online)
  fact cpus_online "$cpus_online"
  fact page_size "$page_size"
  fact iommu "$(iommu_types)"
  if [ "$(uname -m)" = aarch64 ] && value=$(kernel_variable memstart_addr); then fact memstart_addr "$value"; fi
  # With neither, pointers are left plain: page= of kmem events may still tell. Otherwise they are not, since with them
  # plain 6.1 prints names of flags empty.
  if vmemmap=$(kernel_variable vmemmap_base) || vmemmap=$(struct_page_base); then fact vmemmap_base "$vmemmap"; fi
  [ -z "$pids" ] || fact pid_filter "$pids"
}

# A CPU that came or went has events of a part of the time only.
footer() { [ "$(online)" = "$cpus_online" ] || fact cpus_online_after "$(online)"; }
`;
