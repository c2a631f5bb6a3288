/** The `flags=` of page_ref events: names joined by `|`, or a number. */

import {PageFlag} from '../../src/events/event.js';
import {ascii, hashBytes, hashStep, hasHexPrefix, hexLow32, PIPE, sameBytes} from '../bytes.js';
import {type FlagLayout, flagsOf} from './page-flag-layout.js';

/** Names as show_page_flags prints them (include/trace/events/mmflags.h); those the ledger never asks about map to 0. */
const NAMES: Record<string, number> = {
  locked: PageFlag.locked,
  referenced: PageFlag.referenced,
  uptodate: PageFlag.uptodate,
  dirty: PageFlag.dirty,
  lru: PageFlag.lru,
  active: PageFlag.active,
  reserved: PageFlag.reserved,
  private: PageFlag.private,
  writeback: PageFlag.writeback,
  head: PageFlag.head,
  swapcache: PageFlag.swapcache,
  swapbacked: PageFlag.swapbacked,
  unevictable: PageFlag.unevictable,
  mlocked: PageFlag.mlocked,
  slab: PageFlag.slab,
  reclaim: PageFlag.reclaim,
  waiters: PageFlag.waiters,
  workingset: PageFlag.workingset,
};

const MASK = 127;
const table: (Uint8Array | undefined)[] = Array.from({length: MASK + 1});
const values = new Int32Array(MASK + 1);
for (const [name, value] of Object.entries(NAMES)) {
  const bytes = ascii(name);
  let slot = hashBytes(bytes, 0, bytes.length) & MASK;
  while (table[slot]) slot = (slot + 1) & MASK;
  table[slot] = bytes;
  values[slot] = value;
}

function flagOf(buf: Uint8Array, start: number, end: number, hash: number): number {
  for (let slot = hash & MASK; ; slot = (slot + 1) & MASK) {
    const name = table[slot];
    if (!name) return 0;
    if (sameBytes(buf, start, end, name)) return values[slot]!;
  }
}

/** Who printed the flags: the kernel names its bits itself; libtraceevent does not know their numbers. */
export const FlagPrinter = {kernel: 0, libtraceevent: 1} as const;

/**
 * Reads `[start, end)` as flags.
 *
 * In tracefs text a number in the list is what is left after all names: bits without a name, so nothing we ask about.
 * trace-cmd and perf cannot evaluate the `PG_*` symbols of the format: they take each as 0, so that bit 0 prints as
 * `locked` and the rest as a number (`locked|0x828`, `0x2011c`). `numeric` says that the whole value is a number of raw
 * bits (the `fields` option, `-R`). Raw bits without a `layout` are marked PageFlag.unknownLayout.
 */
export function pageFlags(
  buf: Uint8Array,
  start: number,
  end: number,
  printer: number,
  numeric: boolean,
  layout: FlagLayout | undefined,
): number {
  let flags = 0;
  let others = false;
  let pos = start;
  while (pos < end) {
    const nameStart = pos;
    let hash = 0;
    while (pos < end && buf[pos] !== PIPE) hash = hashStep(hash, buf[pos++]!);
    if (hasHexPrefix(buf, nameStart, pos)) {
      if (!others && (numeric || printer === FlagPrinter.libtraceevent)) {
        flags |= flagsOf(layout, hexLow32(buf, nameStart + 2, pos));
      }
    } else {
      const flag = flagOf(buf, nameStart, pos, hash);
      if (flag !== PageFlag.locked) others = true;
      flags |= flag;
    }
    pos++;
  }
  return flags;
}
