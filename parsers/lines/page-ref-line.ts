/**
 * The quick way through the payload of a page_ref event, half of all lines of a real trace: exactly the text of the kernel,
 * or of perf and trace-cmd, and nothing else. Any deviation answers -1 and the line goes the general way
 * (events/page-ref.ts), which reads more.
 *
 *     pfn=0x602c flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=0000000080e8c0cc mt=1 val=-1024 ret=0
 *     pfn=0x5b20 flags=locked|0x828 count=6 mapcount=3 mapping=0xffff888003909418 mt=1 val=1                    trace-cmd, perf
 *         `----´`------------------------´ `---------´ `--------´`--------------´`---------------------------´
 *          read       a known text              read                a pointer           a known text
 */

import type {TraceEvent} from '../../src/events/event.js';
import {Has, HAS_BYTE, OWN} from '../../src/events/kinds.js';
import {ascii, HEX, LF, MINUS, SPACE, startsWith} from '../bytes.js';
import type {DecodeContext} from '../events/context.js';
import {pageFlags} from '../events/page-flags.js';
import {HEX2, Texts} from './texts.js';

/** Eight characters as getFloat64(pos, true) reads them. */
function eight(text: string): number {
  const bytes = ascii(text);
  return new DataView(bytes.buffer).getFloat64(0, true);
}

const MAPCOUNT = eight(' mapcoun');
const T_EQUALS = 116 | (61 << 8);
const MAPPING = eight(' mapping');
const EQUALS_CHAR = 61;
const NIL = ascii('(nil)');
const OLDER_NULL = ascii('          (null)');
const FLAGS_EQUALS = ascii(' flags=');
const COUNT_EQUALS = ascii(' count=');
const MT_EQUALS = ascii(' mt=');
const VAL_EQUALS = ascii(' val=');
const RET_EQUALS = ascii(' ret=');
/** Most digits of a PFN. */
const MAX_PFN = 7;
const MAX_DECIMAL = 9;
const MAX_FLAGS = 400;
/** What a text after the pointer says. */
const Tail = {mt: 0, has: 1, val: 2, ret: 3} as const;
const TAIL_SAYS = 4;

export class PageRefLines {
  /** ` flags=uptodate|lru count=`, by text: the bits */
  private readonly flagTexts = new Texts(512, 24, 1);
  /** ` mt=1 val=-1024 ret=0` and the newline */
  private readonly tails = new Texts(256, 6, TAIL_SAYS);
  /** the pointer that the last line had, sixteen digits */
  private mappingFirst = NaN;
  private mappingLast = NaN;
  private flags = 0;
  // of the number just read
  private number = 0;

  constructor(private readonly ctx: DecodeContext) {}

  /** What flags mean has changed. */
  forget(): void {
    this.flagTexts.clear();
  }

  /** The payload after `pfn=0x` into the row at hand. Answers the newline's position, or -1. */
  read(buf: Uint8Array, view: DataView, start: number, ev: TraceEvent): number {
    // 602c
    let pos = start;
    let pfn = 0;
    let two: number;
    while (pos <= start + MAX_PFN && (two = HEX2[view.getUint16(pos, true)]!) >= 0) {
      pfn = (pfn << 8) | two;
      pos += 2;
    }
    const digit = HEX[buf[pos]!]!;
    if (digit >= 0) {
      pfn = (pfn << 4) | digit;
      pos++;
    }
    if (pos === start || pos > start + MAX_PFN) return -1;
    //  flags=referenced|uptodate|lru count=1
    pos = this.flagText(buf, view, pos);
    if (pos < 0) return -1;
    // most numbers have one digit
    let count = buf[pos]! - 48;
    if (count >>> 0 <= 9 && buf[pos + 1] === SPACE) pos++;
    else {
      pos = this.decimal(buf, pos);
      count = this.number;
    }
    //  mapcount=0
    if (pos < 0 || view.getFloat64(pos, true) !== MAPCOUNT || view.getUint16(pos + 8, true) !== T_EQUALS) return -1;
    pos += 10;
    let mapcount = buf[pos]! - 48;
    if (mapcount >>> 0 <= 9 && buf[pos + 1] === SPACE) pos++;
    else {
      pos = this.decimal(buf, pos);
      mapcount = this.number;
    }
    if (pos < 0 || (mapcount === -1 && !this.ctx.since612)) return -1;
    //  mapping=0000000080e8c0cc
    if (view.getFloat64(pos, true) !== MAPPING || buf[pos + 8] !== EQUALS_CHAR) return -1;
    pos += 9;
    if (view.getFloat64(pos, true) === this.mappingFirst && view.getFloat64(pos + 8, true) === this.mappingLast)
      pos += 16;
    else if ((pos = this.mapping(buf, view, pos)) < 0) return -1;
    const {f64, at64} = ev;
    f64[at64 + OWN.pfn.at] = pfn;
    f64[at64 + OWN.count.at] = count;
    f64[at64 + OWN.mapcount.at] = mapcount;
    ev.i32[ev.at32 + OWN.pageFlags.at] = this.flags;
    return this.tail(buf, view, pos, ev);
  }

  /** `-1`, up to nine digits. Answers where they end, or -1; sets `number`. */
  private decimal(buf: Uint8Array, pos: number): number {
    const negative = buf[pos] === MINUS ? 1 : 0;
    pos += negative;
    let value = buf[pos]! - 48;
    if (value >>> 0 > 9) return -1;
    const limit = pos + MAX_DECIMAL;
    let d: number;
    while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
      if (pos >= limit) return -1;
      value = value * 10 + d;
    }
    // which no kernel prints
    if (value === 0 && negative === 1) return -1;
    this.number = (value ^ -negative) + negative;
    return pos;
  }

  /** A pointer that nobody asks for: hashed or raw, or null in its spellings. Answers where it ends, or -1. */
  private mapping(buf: Uint8Array, view: DataView, start: number): number {
    let pos = start;
    const first = buf[pos]!;
    if (first !== ZERO && first !== LETTER_f) {
      if (startsWith(buf, pos, buf.length, NIL)) return pos + NIL.length;
      return startsWith(buf, pos, buf.length, OLDER_NULL) ? pos + OLDER_NULL.length : -1;
    }
    if (buf[pos + 1] === LETTER_x) pos += 2;
    for (let i = 0; i < 16; i += 2) if (HEX2[view.getUint16(pos + i, true)]! < 0) return -1;
    if (pos === start) {
      this.mappingFirst = view.getFloat64(pos, true);
      this.mappingLast = view.getFloat64(pos + 8, true);
    }
    return pos + 16;
  }

  /** The flags and ` count=` after them. Answers where they end, or -1; sets `flags`. */
  private flagText(buf: Uint8Array, view: DataView, pos: number): number {
    const {flagTexts} = this;
    const hash =
      view.getInt32(pos + 7, true) ^
      Math.imul(view.getInt32(pos + 15, true), 0x2c1b3c6d) ^
      Math.imul(view.getInt32(pos + 23, true), 0x297a2d39) ^
      Math.imul(view.getInt32(pos + 31, true), 0x1b873593);
    const slot = flagTexts.find(view, pos, hash);
    if (slot < 0) return this.newFlags(buf, view, pos, hash);
    this.flags = flagTexts.values[slot]!;
    return pos + flagTexts.lengths[slot]!;
  }

  private newFlags(buf: Uint8Array, view: DataView, start: number, hash: number): number {
    const {ctx, flagTexts} = this;
    if (!startsWith(buf, start, buf.length, FLAGS_EQUALS)) return -1;
    const pos = start + FLAGS_EQUALS.length;
    // a name or a number, and no value in quotes or brackets
    const first = buf[pos]!;
    if (first !== ZERO && (first < 97 || first > 122)) return -1;
    let end = pos;
    for (const limit = pos + MAX_FLAGS; buf[end] !== SPACE; end++) if (buf[end]! < SPACE || end >= limit) return -1;
    if (!startsWith(buf, end, buf.length, COUNT_EQUALS)) return -1;
    this.flags = pageFlags(buf, pos, end, ctx.printer, false, ctx.layout);
    end += COUNT_EQUALS.length;
    const slot = flagTexts.put(buf, view, start, end, hash);
    if (slot >= 0) flagTexts.values[slot] = this.flags;
    return end;
  }

  /** ` mt=1 val=-1024 ret=0` (`ret=` of four of the seven events) and the newline. Answers the newline's position, or -1. */
  private tail(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent): number {
    const {tails} = this;
    const hash =
      Math.imul(view.getInt32(pos + 4, true), 0x85ebca6b) +
      view.getInt32(pos + 9, true) +
      Math.imul(view.getInt32(pos + 13, true), 0x2c1b3c6d);
    let slot = tails.find(view, pos, hash);
    if (slot < 0 && (slot = this.newTail(buf, view, pos, hash)) < 0) return -1;
    const {values} = tails;
    const {f64, at64} = ev;
    const at = slot * TAIL_SAYS;
    f64[at64 + OWN.mt.at] = values[at + Tail.mt]!;
    f64[at64 + OWN.val.at] = values[at + Tail.val]!;
    f64[at64 + OWN.ret.at] = values[at + Tail.ret]!;
    ev.i8[ev.at8 + HAS_BYTE] = values[at + Tail.has]!;
    return pos + tails.lengths[slot]! - 1;
  }

  /** Answers the slot of a text met for the first time, or -1. */
  private newTail(buf: Uint8Array, view: DataView, start: number, hash: number): number {
    const {tails} = this;
    const end = buf.length;
    if (!startsWith(buf, start, end, MT_EQUALS)) return -1;
    let pos = start + MT_EQUALS.length;
    const mt = buf[pos]! - 48;
    if (mt >>> 0 > 9 || !startsWith(buf, pos + 1, end, VAL_EQUALS)) return -1;
    pos = this.decimal(buf, pos + 1 + VAL_EQUALS.length);
    if (pos < 0) return -1;
    const val = this.number;
    let has = Has.count | Has.mapcount;
    let ret = 0;
    if (startsWith(buf, pos, end, RET_EQUALS)) {
      pos = this.decimal(buf, pos + RET_EQUALS.length);
      if (pos < 0) return -1;
      ret = this.number;
      has |= Has.ret;
    }
    if (buf[pos] !== LF) return -1;
    const slot = tails.put(buf, view, start, pos + 1, hash);
    if (slot < 0) return -1;
    const at = slot * TAIL_SAYS;
    tails.values[at + Tail.mt] = mt;
    tails.values[at + Tail.has] = has;
    tails.values[at + Tail.val] = val;
    tails.values[at + Tail.ret] = ret;
    return slot;
  }
}

const ZERO = 48;
const LETTER_f = 102;
const LETTER_x = 120;
