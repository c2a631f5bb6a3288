/**
 * kmem:*, filemap:*, vmscan:* events that name a page frame.
 *
 *     mm_page_alloc: page=00000000e1d30e0a pfn=0x2f28 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE     5.15 on
 *     mm_page_alloc: page=00000000deadbeef pfn=1235456 order=0 migratetype=1 gfp_flags=GFP_KERNEL              to 5.10
 *     mm_page_alloc: page=0xffffffffbaddbb74 pfn=0x35dc order=1 ...                                            trace-cmd
 *     mm_page_free_batched: page=000000006354c8b9 pfn=0x2fab order=0
 *     mm_filemap_add_to_page_cache: dev 0:27 ino 35a1ad pfn=0x2fc1 ofs=790528 order=0
 *     mm_filemap_add_to_page_cache: dev 8:1 ino 2a5f page=00000000deadbeef pfn=1235456 ofs=16384               to 5.15
 *     mm_filemap_add_to_page_cache:  pfn=0x2d46 i_ino=366083 index=0xc1 s_dev=29 order=0                       -R
 *     mm_vmscan_write_folio: page=00000000deadbeef pfn=0x12da03 flags=RECLAIM_WB_FILE|RECLAIM_WB_ASYNC
 */

import {EventKind, PageName, type TraceEvent} from '../../src/events/event.js';
import {COLON, COMMA, decimal, DIGIT_0, hex, SPACE, skipDigits, skipHex, skipSpaces, startsWith} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {Key} from './keys.js';

export function decodePage(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  const fields = ctx.fields;
  ev.kind = kind;
  ev.pageName = PageName.none;
  ev.pfn = -1;
  ev.ptrHi = ev.ptrLo = ev.mayBeTail = 0;
  ev.order = -1;
  ev.mt = -1;
  fields.open(buf, start, end);
  while (fields.next()) {
    switch (fields.key) {
      case Key.pfn:
        ev.pfn = fields.number();
        ev.pageName = PageName.pfn;
        break;
      case Key.page:
        rawPointer(ev, ctx);
        break;
      case Key.order:
        ev.order = fields.number();
        break;
      case Key.mt:
        ev.mt = fields.signed();
        break;
    }
  }
  // A failed allocation prints page 0 for pfn -1, a real page 0 is never handed out
  if (ev.pfn <= 0) ev.kind = EventKind.Other;
}

/**
 * The `page=%p` beside a pfn: only the kernel's own text (16 digits, no 0x) is a pointer. perf and trace-cmd compute it
 * from a vmemmap_base they do not know and print nonsense such as 0x773d or 0xffffffffbaddbb74.
 */
function rawPointer(ev: TraceEvent, ctx: DecodeContext): void {
  const fields = ctx.fields;
  // a hashed one begins with zeros
  if (fields.buf[fields.start] === DIGIT_0 || !fields.isBarePointer()) return;
  const hi = fields.pointerHigh();
  if (hi < 0x80000000) return;
  ev.ptrHi = hi;
  ev.ptrLo = fields.pointerLow();
}

const DEV = new TextEncoder().encode('dev ');
const INO = new TextEncoder().encode('ino ');

export function decodeFilemap(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  const fields = ctx.fields;
  ev.kind = kind;
  ev.pageName = PageName.none;
  ev.pfn = -1;
  ev.ptrHi = ev.ptrLo = ev.mayBeTail = 0;
  ev.order = -1;
  ev.devId = -1;
  ev.ino = 0;
  ev.ofs = ev.index = -1;
  let pos = skipSpaces(buf, start, end);
  if (startsWith(buf, pos, end, DEV)) {
    pos += 4;
    ev.devId = deviceNumber(buf, pos, end);
    pos = skipDigits(buf, skipDigits(buf, pos, end) + 1, end);
    pos = skipSpaces(buf, pos, end);
    if (startsWith(buf, pos, end, INO)) {
      // %lx without 0x
      ev.ino = hex(buf, pos + 4, end);
      pos = skipHex(buf, pos + 4, end);
    }
  }
  fields.open(buf, pos, end);
  while (fields.next()) {
    switch (fields.key) {
      case Key.pfn:
        ev.pfn = fields.number();
        ev.pageName = PageName.pfn;
        break;
      case Key.page:
        rawPointer(ev, ctx);
        break;
      case Key.order:
        ev.order = fields.number();
        break;
      case Key.ofs:
        ev.ofs = fields.number();
        break;
      case Key.ino:
        ev.ino = fields.hexNumber();
        break;
      case Key.index:
        ev.index = fields.number();
        break;
      case Key.sDev:
        ev.devId = fields.number();
        break;
    }
  }
  if (ev.pfn < 0) ev.kind = EventKind.Other;
}

/** `259:0` or `259,0` as major * 2^20 + minor (MKDEV of include/linux/kdev_t.h); -1 if it is none. */
export function deviceNumber(buf: Uint8Array, start: number, end: number): number {
  const majorEnd = skipDigits(buf, start, end);
  if (majorEnd === start || majorEnd >= end || (buf[majorEnd] !== COLON && buf[majorEnd] !== COMMA)) return -1;
  const minorEnd = skipDigits(buf, majorEnd + 1, end);
  if (minorEnd === majorEnd + 1 || (minorEnd < end && buf[minorEnd] !== SPACE && buf[minorEnd] !== COLON)) return -1;
  return decimal(buf, start, majorEnd) * 1048576 + decimal(buf, majorEnd + 1, minorEnd);
}
