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

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {
  COLON,
  COMMA,
  decimal,
  hasHexPrefix,
  hex,
  SPACE,
  skipDigits,
  skipHex,
  skipSpaces,
  startsWith,
} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {readFields, readingsOf} from './family.js';

const PAGE = readingsOf('page');
const FILEMAP = readingsOf('filemap');

export function decodePage(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  ctx.fields.open(buf, start, end);
  readFields(PAGE, ev, ctx, undefined);
  // A failed allocation prints page 0 for pfn -1, a real page 0 is never handed out
  if (ev.pfn <= 0) ev.kind = EventKind.Other;
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
  ev.begin(kind);
  let pos = skipSpaces(buf, start, end);
  if (startsWith(buf, pos, end, DEV)) {
    pos += 4;
    ev.devId = deviceNumber(buf, pos, end);
    pos = skipDigits(buf, skipDigits(buf, pos, end) + 1, end);
    pos = skipSpaces(buf, pos, end);
    if (startsWith(buf, pos, end, INO)) {
      // %lx without 0x, which some write all the same
      const digits = hasHexPrefix(buf, pos + 4, end) ? pos + 6 : pos + 4;
      ev.ino = hex(buf, digits, end);
      pos = skipHex(buf, digits, end);
      // a number that is not read to its end is none: the file is not known
      if (pos === digits || (pos < end && buf[pos] !== SPACE)) ev.devId = -1;
    }
  }
  ctx.fields.open(buf, pos, end);
  readFields(FILEMAP, ev, ctx, undefined);
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
