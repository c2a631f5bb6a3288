/**
 * The quick way through the payload of a page_ref event, half of all lines of a real trace: exactly the kernel's text
 * and nothing else. Any deviation answers -1 and the line goes the general way (events/page-ref.ts), which reads more.
 *
 *     pfn=0x602c flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=0000000080e8c0cc mt=1 val=-1024 ret=0
 *
 * Words of four bytes are compared at once; a word is what DataView.getInt32(pos, true) reads.
 */

import {PageFlag, PageName, type TraceEvent} from '../../src/model/event.js';
import {HEX, LF, MINUS, PIPE, SPACE} from '../bytes.js';
import type {DecodeContext} from '../events/context.js';

/** The little-endian word of four characters. */
export function word(text: string): number {
  return (
    text.charCodeAt(0) | (text.charCodeAt(1) << 8) | (text.charCodeAt(2) << 16) | (text.charCodeAt(3) << 24)
  );
}

/**
 * The words below are written out as numbers because a `switch` is only quick on literals; `word('refe')` and so on, as
 * a test checks.
 */
export const WORDS = {
  ZEROS: 0x30303030,
  PFN_: 0x3d6e6670,
  FLAG: 0x67616c66,
  COUN: 0x6e756f63,
  MAPC: 0x6370616d,
  OUNT: 0x746e756f,
  MAPP: 0x7070616d,
  ING_: 0x3d676e69,
  _MT_: 0x3d746d20,
  VAL_: 0x3d6c6176,
  RET_: 0x3d746572,
} as const;

const EQUALS_CHAR = 61;
const LETTER_0 = 48;

/**
 * Reads the payload that begins at `pos` and ends with a newline. Sets the page_ref fields but not the kind. Answers the
 * position after the newline, or -1 when the text is not exactly this form. `view` is over `buf` and at least 1 KiB
 * longer than `pos`.
 */
export function pageRefLine(
  buf: Uint8Array,
  view: DataView,
  pos: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): number {
  // pfn=0x602c
  if (view.getInt32(pos, true) !== WORDS.PFN_ || buf[pos + 4] !== LETTER_0 || buf[pos + 5] !== 120) return -1;
  pos += 6;
  let digit = HEX[buf[pos]!]!;
  if (digit < 0) return -1;
  let pfn = digit;
  let limit = pos + 7;
  while ((digit = HEX[buf[++pos]!]!) >= 0) {
    if (pos >= limit) return -1;
    pfn = (pfn << 4) | digit;
  }
  if (buf[pos] !== SPACE) return -1;

  // flags=referenced|uptodate|lru
  if (view.getInt32(pos + 1, true) !== WORDS.FLAG || buf[pos + 5] !== 115 || buf[pos + 6] !== EQUALS_CHAR) return -1;
  pos += 7;
  let flags = 0;
  limit = pos + 400;
  for (;;) {
    switch (view.getInt32(pos, true)) {
      case 0x65666572: // refe renced
        if (view.getInt32(pos + 4, true) !== 0x636e6572 || buf[pos + 8] !== 101 || buf[pos + 9] !== 100) return -1;
        flags |= PageFlag.referenced;
        pos += 10;
        break;
      case 0x6f747075: // upto date
        if (view.getInt32(pos + 4, true) !== 0x65746164) return -1;
        flags |= PageFlag.uptodate;
        pos += 8;
        break;
      case 0x7c75726c: // lru|
      case 0x2075726c: // lru_
        flags |= PageFlag.lru;
        pos += 3;
        break;
      case 0x656e776f: // owne r_2 r_priv_1
        if (view.getInt32(pos + 3, true) === 0x325f7265) pos += 7;
        else if (view.getInt32(pos + 4, true) === 0x72705f72 && view.getInt32(pos + 8, true) === 0x315f7669) pos += 12;
        else return -1;
        break;
      case 0x70617773: // swap backed cache
        if (view.getInt32(pos + 4, true) === 0x6b636162 && buf[pos + 8] === 101 && buf[pos + 9] === 100) {
          flags |= PageFlag.swapbacked;
          pos += 10;
        } else if (view.getInt32(pos + 4, true) === 0x68636163 && buf[pos + 8] === 101) {
          flags |= PageFlag.swapcache;
          pos += 9;
        } else return -1;
        break;
      case 0x656e6f6e: // none
        pos += 4;
        break;
      case 0x69746361: // acti ve
        if (buf[pos + 4] !== 118 || buf[pos + 5] !== 101) return -1;
        flags |= PageFlag.active;
        pos += 6;
        break;
      case 0x74726964: // dirt y
        if (buf[pos + 4] !== 121) return -1;
        flags |= PageFlag.dirty;
        pos += 5;
        break;
      case 0x6b636f6c: // lock ed
        if (buf[pos + 4] !== 101 || buf[pos + 5] !== 100) return -1;
        flags |= PageFlag.locked;
        pos += 6;
        break;
      case 0x74697277: // writ eback
        if (view.getInt32(pos + 4, true) !== 0x63616265 || buf[pos + 8] !== 107) return -1;
        flags |= PageFlag.writeback;
        pos += 9;
        break;
      case 0x76697270: // priv ate ate_2
        if (view.getInt32(pos + 3, true) !== 0x65746176) return -1;
        pos += 7;
        if (buf[pos] === 95) {
          if (buf[pos + 1] !== 50) return -1;
          pos += 2;
        } else flags |= PageFlag.private;
        break;
      case 0x64616568: // head
        flags |= PageFlag.head;
        pos += 4;
        break;
      case 0x6b726f77: // work ingset
        if (view.getInt32(pos + 4, true) !== 0x73676e69 || buf[pos + 8] !== 101 || buf[pos + 9] !== 116) return -1;
        flags |= PageFlag.workingset;
        pos += 10;
        break;
      default:
        return -1;
    }
    if (buf[pos] === PIPE) pos++;
    else if (buf[pos] === SPACE) break;
    else return -1;
    if (pos >= limit) return -1;
  }

  // count=1 mapcount=0
  if (view.getInt32(pos + 1, true) !== WORDS.COUN || buf[pos + 5] !== 116 || buf[pos + 6] !== EQUALS_CHAR) return -1;
  pos += 7;
  let negative = buf[pos] === MINUS;
  if (negative) pos++;
  let value = buf[pos]! - 48;
  if (value >>> 0 > 9) return -1;
  limit = pos + 9;
  let d: number;
  while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
    if (pos >= limit) return -1;
    value = value * 10 + d;
  }
  if (buf[pos] !== SPACE) return -1;
  ev.count = negative ? -value : value;
  if (view.getInt32(pos + 1, true) !== WORDS.MAPC || view.getInt32(pos + 5, true) !== WORDS.OUNT) return -1;
  if (buf[pos + 9] !== EQUALS_CHAR) return -1;
  pos += 10;
  negative = buf[pos] === MINUS;
  if (negative) pos++;
  value = buf[pos]! - 48;
  if (value >>> 0 > 9) return -1;
  limit = pos + 9;
  while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
    if (pos >= limit) return -1;
    value = value * 10 + d;
  }
  if (buf[pos] !== SPACE) return -1;
  ev.mapcount = negative ? -value : value;

  // mapping=0000000080e8c0cc: hashed, so that the high half is zeros
  if (view.getInt32(pos + 1, true) !== WORDS.MAPP || view.getInt32(pos + 5, true) !== WORDS.ING_) return -1;
  pos += 9;
  if (view.getInt32(pos, true) !== WORDS.ZEROS || view.getInt32(pos + 4, true) !== WORDS.ZEROS) return -1;
  pos += 8;
  const a = HEX[buf[pos]!]!;
  const b = HEX[buf[pos + 1]!]!;
  const c = HEX[buf[pos + 2]!]!;
  const e = HEX[buf[pos + 3]!]!;
  const f = HEX[buf[pos + 4]!]!;
  const g = HEX[buf[pos + 5]!]!;
  const h = HEX[buf[pos + 6]!]!;
  const i = HEX[buf[pos + 7]!]!;
  if ((a | b | c | e | f | g | h | i) < 0) return -1;
  const low = ((a << 28) | (b << 24) | (c << 20) | (e << 16) | (f << 12) | (g << 8) | (h << 4) | i) >>> 0;
  pos += 8;

  // mt=1 val=-1024
  if (view.getInt32(pos, true) !== WORDS._MT_) return -1;
  const mt = buf[pos + 4]! - 48;
  if (mt >>> 0 > 9 || buf[pos + 5] !== SPACE || view.getInt32(pos + 6, true) !== WORDS.VAL_) return -1;
  pos += 10;
  negative = buf[pos] === MINUS;
  if (negative) pos++;
  value = buf[pos]! - 48;
  if (value >>> 0 > 9) return -1;
  limit = pos + 9;
  while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
    if (pos >= limit) return -1;
    value = value * 10 + d;
  }
  const val = negative ? -value : value;

  // ret=0, of four of the seven events
  let hasRet = 0;
  let ret = 0;
  if (buf[pos] === SPACE) {
    if (view.getInt32(pos + 1, true) !== WORDS.RET_) return -1;
    pos += 5;
    negative = buf[pos] === MINUS;
    if (negative) pos++;
    ret = buf[pos]! - 48;
    if (ret >>> 0 > 9) return -1;
    limit = pos + 9;
    while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
      if (pos >= limit) return -1;
      ret = ret * 10 + d;
    }
    if (negative) ret = -ret;
    hasRet = 1;
  }
  if (buf[pos] !== LF) return -1;

  if (ev.mapcount === -1) ctx.flagsLayoutKnown = true;
  ev.pageName = PageName.pfn;
  ev.pfn = pfn;
  ev.ptrHi = 0;
  ev.ptrLo = 0;
  ev.pageFlags = flags;
  ev.hasCount = 1;
  ev.hasMapcount = 1;
  ev.mappingHi = 0;
  ev.mappingLo = low;
  ev.hasMapping = 1;
  ev.mt = mt;
  ev.val = val;
  ev.ret = ret;
  ev.hasRet = hasRet;
  return pos + 1;
}
