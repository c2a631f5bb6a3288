/**
 * The quick way through the payload of a page_ref event, half of all lines of a real trace: exactly the text of the kernel,
 * or of perf and trace-cmd, and nothing else. Any deviation answers -1 and the line goes the general way
 * (events/page-ref.ts), which reads more.
 *
 *     pfn=0x602c flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=0000000080e8c0cc mt=1 val=-1024 ret=0
 *     pfn=0x5b20 flags=locked|0x828 count=6 mapcount=3 mapping=0xffff888003909418 mt=1 val=1                    trace-cmd, perf
 *         `----´       `----------´       `´         `´        `----------------´`----------´
 *
 * Words of four bytes are compared at once; a word is what DataView.getInt32(pos, true) reads.
 */

import {PageName, type TraceEvent} from '../../src/events/event.js';
import {Has, HAS_BYTE} from '../../src/events/kinds.js';
import {HEX, LF, MINUS, SPACE} from '../bytes.js';
import type {DecodeContext} from '../events/context.js';
import type {FlagLayout} from '../events/page-flag-layout.js';
import {pageFlags} from '../events/page-flags.js';

/** The little-endian word of four characters. */
function word(text: string): number {
  return text.charCodeAt(0) | (text.charCodeAt(1) << 8) | (text.charCodeAt(2) << 16) | (text.charCodeAt(3) << 24);
}

const PFN_ = word('pfn=');
const FLAG = word('flag');
const COUN = word('coun');
const MAPC = word('mapc');
const OUNT = word('ount');
const MAPP = word('mapp');
const ING_ = word('ing=');
const _MT_ = word(' mt=');
const VAL_ = word('val=');
const RET_ = word('ret=');
const _NIL = word('(nil');
const BLANKS = word('    ');
const NULL = word('null');
const BLANK_PAREN = word('  (n');

const EQUALS_CHAR = 61;
/** Longest text of a memo, in words; the last is the text's last four bytes, whatever its length. */
const MEMO_WORDS = 32;

/** Some dozens of texts, each read once and compared as a whole from then on. */
class Memo {
  private readonly lengths: Uint8Array;
  private readonly words: Int32Array;
  /** numbers of each text, three by slot */
  readonly values: Int32Array;

  constructor(private readonly slots: number) {
    this.lengths = new Uint8Array(slots);
    this.words = new Int32Array(slots * MEMO_WORDS);
    this.values = new Int32Array(slots * 3);
  }

  slotOf(hash: number): number {
    return (hash ^ (hash >>> 12) ^ (hash >>> 20)) & (this.slots - 1);
  }

  /** The length of the slot's text if it stands at `pos`, else 0. */
  at(view: DataView, pos: number, slot: number): number {
    const length = this.lengths[slot]!;
    if (length === 0) return 0;
    const {words} = this;
    let at = slot * MEMO_WORDS;
    const whole = pos + (length & ~3);
    for (let here = pos; here < whole; here += 4) if (view.getInt32(here, true) !== words[at++]) return 0;
    return view.getInt32(pos + length - 4, true) === words[slot * MEMO_WORDS + MEMO_WORDS - 1] ? length : 0;
  }

  /** Keeps the text `[start, end)` with its numbers, if it is not too long. */
  put(view: DataView, start: number, end: number, slot: number, a: number, b: number, c: number): void {
    const length = end - start;
    if (length < 4 || length > 4 * (MEMO_WORDS - 1)) return;
    for (let i = 0; i < length >> 2; i++) this.words[slot * MEMO_WORDS + i] = view.getInt32(start + 4 * i, true);
    this.words[slot * MEMO_WORDS + MEMO_WORDS - 1] = view.getInt32(end - 4, true);
    this.values[slot * 3] = a;
    this.values[slot * 3 + 1] = b;
    this.values[slot * 3 + 2] = c;
    this.lengths[slot] = length;
  }

  clear(): void {
    this.lengths.fill(0);
  }
}

export class PageRefLines {
  private readonly flagTexts = new Memo(256);
  private readonly tails = new Memo(256);
  /** for what the numbers of flags were taken */
  private layout: FlagLayout | undefined = undefined;
  private flags = 0;
  // of the number just read
  private number = 0;

  constructor(private readonly ctx: DecodeContext) {}

  /** The payload at `pos` into the row at hand. Answers the newline's position, or -1. */
  read(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent): number {
    // pfn=0x602c
    if (view.getInt32(pos, true) !== PFN_ || buf[pos + 4] !== ZERO || buf[pos + 5] !== LETTER_x) return -1;
    pos += 6;
    let pfn = HEX[buf[pos]!]!;
    if (pfn < 0) return -1;
    const limit = pos + 7;
    let digit: number;
    while ((digit = HEX[buf[++pos]!]!) >= 0) {
      if (pos >= limit) return -1;
      pfn = (pfn << 4) | digit;
    }
    // flags=referenced|uptodate|lru
    if (buf[pos] !== SPACE || view.getInt32(pos + 1, true) !== FLAG) return -1;
    if (buf[pos + 5] !== 115 || buf[pos + 6] !== EQUALS_CHAR) return -1;
    pos = this.flagText(buf, view, pos + 7);
    // count=1 mapcount=0
    if (pos < 0 || view.getInt32(pos, true) !== COUN || buf[pos + 4] !== 116 || buf[pos + 5] !== EQUALS_CHAR) return -1;
    pos = this.decimal(buf, pos + 6);
    const count = this.number;
    if (pos < 0 || view.getInt32(pos + 1, true) !== MAPC || view.getInt32(pos + 5, true) !== OUNT) return -1;
    if (buf[pos] !== SPACE || buf[pos + 9] !== EQUALS_CHAR) return -1;
    pos = this.decimal(buf, pos + 10);
    const mapcount = this.number;
    if (pos < 0 || (mapcount === -1 && !this.ctx.since612)) return -1;
    pos = this.mapping(buf, view, pos);
    if (pos < 0) return -1;
    ev.pageName = PageName.pfn;
    ev.pfn = pfn;
    ev.pageFlags = this.flags;
    ev.count = count;
    ev.mapcount = mapcount;
    return this.tail(buf, view, pos, ev);
  }

  /** `-1`, up to nine digits. Answers where they end, or -1; sets `number`. */
  private decimal(buf: Uint8Array, pos: number): number {
    const negative = buf[pos] === MINUS ? 1 : 0;
    pos += negative;
    let value = buf[pos]! - 48;
    if (value >>> 0 > 9) return -1;
    const limit = pos + 9;
    let d: number;
    while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
      if (pos >= limit) return -1;
      value = value * 10 + d;
    }
    this.number = (value ^ -negative) + negative;
    return pos;
  }

  /**
   * ` mapping=` and a pointer that nobody asks for: hashed or raw, or null in its spellings. Answers where it ends.
   */
  private mapping(buf: Uint8Array, view: DataView, pos: number): number {
    if (buf[pos] !== SPACE || view.getInt32(pos + 1, true) !== MAPP || view.getInt32(pos + 5, true) !== ING_) return -1;
    pos += 9;
    const first = buf[pos]!;
    if (first === ZERO || first === LETTER_f) {
      if (buf[pos + 1] === LETTER_x) pos += 2;
      const stop = pos + 16;
      for (; pos < stop; pos++) if (HEX[buf[pos]!]! < 0) return -1;
      return pos;
    }
    if (view.getInt32(pos, true) === _NIL && buf[pos + 4] === RPAREN) return pos + 5;
    const older =
      view.getInt32(pos, true) === BLANKS &&
      view.getInt32(pos + 4, true) === BLANKS &&
      view.getInt32(pos + 8, true) === BLANK_PAREN &&
      view.getInt32(pos + 11, true) === NULL &&
      buf[pos + 15] === RPAREN;
    return older ? pos + 16 : -1;
  }

  /** The flags and the blank after them. Answers where they end, or -1; sets `flags`. */
  private flagText(buf: Uint8Array, view: DataView, pos: number): number {
    const {flagTexts} = this;
    if (this.layout !== this.ctx.layout) {
      this.layout = this.ctx.layout;
      flagTexts.clear();
    }
    const hash =
      view.getInt32(pos, true) ^
      Math.imul(view.getInt32(pos + 12, true), 0x2c1b3c6d) ^
      Math.imul(view.getInt32(pos + 24, true), 0x297a2d39);
    const slot = flagTexts.slotOf(hash);
    const length = flagTexts.at(view, pos, slot);
    if (length > 0) {
      this.flags = flagTexts.values[slot * 3]!;
      return pos + length;
    }
    // a name or a number, and no value in quotes or brackets
    const first = buf[pos]!;
    if (first !== ZERO && (first < 97 || first > 122)) return -1;
    let end = pos;
    for (const limit = pos + 400; buf[end] !== SPACE; end++) if (buf[end]! < SPACE || end >= limit) return -1;
    this.flags = pageFlags(buf, pos, end, this.ctx.printer, false, this.layout);
    flagTexts.put(view, pos, end + 1, slot, this.flags, 0, 0);
    return end + 1;
  }

  /** ` mt=1 val=-1024 ret=0` (`ret=` of four of the seven events) and the newline. Answers the newline's position, or -1. */
  private tail(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent): number {
    const {tails} = this;
    const hash =
      Math.imul(view.getInt32(pos + 4, true), 0x85ebca6b) +
      view.getInt32(pos + 9, true) +
      Math.imul(view.getInt32(pos + 13, true), 0x2c1b3c6d);
    const slot = tails.slotOf(hash);
    const length = tails.at(view, pos, slot);
    if (length === 0) return this.newTail(buf, view, pos, slot, ev);
    const {values} = tails;
    const both = values[slot * 3]!;
    ev.mt = both >> 8;
    ev.i8[ev.at8 + HAS_BYTE] = both & 0xff;
    ev.val = values[slot * 3 + 1]!;
    ev.ret = values[slot * 3 + 2]!;
    return pos + length - 1;
  }

  private newTail(buf: Uint8Array, view: DataView, start: number, slot: number, ev: TraceEvent): number {
    let pos = start;
    if (view.getInt32(pos, true) !== _MT_) return -1;
    const mt = buf[pos + 4]! - 48;
    if (mt >>> 0 > 9 || buf[pos + 5] !== SPACE || view.getInt32(pos + 6, true) !== VAL_) return -1;
    pos = this.decimal(buf, pos + 10);
    if (pos < 0) return -1;
    const val = this.number;
    let has = Has.count | Has.mapcount;
    let ret = 0;
    if (buf[pos] === SPACE) {
      if (view.getInt32(pos + 1, true) !== RET_) return -1;
      pos = this.decimal(buf, pos + 5);
      if (pos < 0) return -1;
      ret = this.number;
      has |= Has.ret;
    }
    if (buf[pos] !== LF) return -1;
    ev.mt = mt;
    ev.i8[ev.at8 + HAS_BYTE] = has;
    ev.val = val;
    ev.ret = ret;
    this.tails.put(view, start, pos + 1, slot, (mt << 8) | has, val, ret);
    return pos;
  }
}

const ZERO = 48;
const LETTER_f = 102;
const LETTER_x = 120;
const RPAREN = 41;
