/**
 * Which bit of page->flags is which flag. A record holds the raw bits; the print fmt of page_ref events has only names of
 * constants (`{ 1UL << PG_locked, "locked" }`), so that the numbers have to come from enum pageflags of that kernel
 * (include/linux/page-flags.h). Which of the optional flags a kernel has tells the list of names; how many bits it has
 * tells the mask (`& ((1UL << 21) - 1)`, NR_PAGEFLAGS). Where the two disagree, nothing is claimed. Text has no format:
 * there the release alone tells, and where it is not known, what all kernels from 6.12 on have in common.
 *
 * Checked: 5.10 and 6.1 by their headers, 6.12 by one ring buffer printed both ways (0x2082c is
 * `referenced|uptodate|lru|owner_2|swapbacked`), 7.3 by its headers.
 */
import {PageFlag} from '../../src/events/event.js';

/** From 6.6 on: `writeback` and `head` moved to the front. Those with a question mark are there if the names have them. */
const NEW =
  'locked writeback referenced uptodate dirty lru head waiters active workingset error? slab? owner_priv_1 owner_2? arch_1 ' +
  'reserved private private_2 mappedtodisk? reclaim swapbacked unevictable dropbehind? mlocked? uncached? hwpoison? young? idle? ' +
  'arch_2? arch_3?';
/** From 5.0 to 6.5. */
const OLD =
  'locked referenced uptodate dirty lru active workingset waiters error slab owner_priv_1 arch_1 reserved private private_2 ' +
  'writeback head mappedtodisk reclaim swapbacked unevictable mlocked? uncached? hwpoison? young? idle? arch_2? arch_3? ' +
  'skip_kasan_poison?';

/** The last release whose headers were read. */
const NEWEST = 7003;

const KNOWN: Record<string, number> = PageFlag;

/** The flags by bit, as PageFlag bits (0 for those nobody asks about), and their names; undefined: not known. */
export interface FlagLayout {
  bits: readonly number[];
  names: readonly string[];
}

/**
 * The layout of the kernel that wrote this print fmt. `kernel` is major * 1000 + minor, 0 where it is not known: then the
 * names alone decide between the two orders.
 */
export function flagLayout(print: string, kernel: number): FlagLayout | undefined {
  const named = namesIn(print);
  const count = Number(/& \(\(1UL << (\d{1,2})\) - 1\)/.exec(print)?.[1] ?? 0);
  const order = orderOf(kernel, named);
  if (order === undefined) return undefined;
  const layout: string[] = [];
  for (const entry of order.split(' ')) {
    const name = entry.replace('?', '');
    if (named.size > 0 ? named.has(name) : !entry.endsWith('?') || name === defaultOf(kernel, name)) layout.push(name);
    else if (!entry.endsWith('?')) return undefined;
  }
  if (named.size > 0 && (layout.length !== named.size || (count > 0 && count !== named.size))) return undefined;
  return {bits: layout.map((name) => KNOWN[name] ?? 0), names: layout};
}

function orderOf(kernel: number, named: ReadonlySet<string>): string | undefined {
  // `owner_2` took the place of `mappedtodisk` after the flags had moved
  if (kernel === 0) return named.has('owner_2') ? NEW : undefined;
  // `error` and `slab` went one by one: which of 6.9 to 6.11 has them, only names tell
  if (named.size === 0 && kernel > 6008 && kernel < 6012) return undefined;
  // nor does anybody know yet what a release to come has
  if (named.size === 0 && kernel > NEWEST) return undefined;
  if (kernel >= 6006) return NEW;
  return kernel >= 5000 ? OLD : undefined;
}

/** Without names: what kernels of that version have with MMU and without the rest. */
function defaultOf(kernel: number, name: string): string | undefined {
  if (name === 'mlocked') return name;
  if (kernel >= 6012 && name === 'owner_2') return name;
  if (kernel >= 6014 && name === 'dropbehind') return name;
  if (kernel <= 6008 && (name === 'error' || name === 'slab' || name === 'mappedtodisk')) return name;
  return undefined;
}

/** Flags before the first that 6.12 and later kernels have at different bits (`dropbehind` came before `mlocked`). */
const COMMON = 19;

/** What every kernel from 6.12 on has in common. */
export const SINCE_612: FlagLayout = common();

function common(): FlagLayout {
  const {bits, names} = flagLayout('', 6012)!;
  return {bits: bits.slice(0, COMMON), names: names.slice(0, COMMON)};
}

/** `{ 1UL << PG_locked, "locked" }`, or `{1UL << PG_head, "head"}` */
function namesIn(print: string): Set<string> {
  const names = new Set<string>();
  for (const m of print.matchAll(/1UL << PG_\w{1,40}\s*\)?\s*,\s*"(\w{1,40})"/g)) names.add(m[1]!);
  return names;
}

/** The PageFlag bits of raw flags: only the low 32 bits can hold flags (section, node and zone stand in the high ones). */
export function flagsOf(layout: FlagLayout | undefined, low: number): number {
  if (layout === undefined) return PageFlag.unknownLayout;
  let flags = 0;
  const {bits} = layout;
  for (let i = 0; i < bits.length; i++) if (low & (1 << i)) flags |= bits[i]!;
  return flags;
}
