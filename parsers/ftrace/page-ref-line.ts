/**
 * The quick way through the payload of a page_ref event, half of all lines of a real trace: exactly the kernel's text
 * and nothing else. Any deviation answers -1 and the line goes the general way (events/page-ref.ts), which reads more.
 *
 *     pfn=0x602c flags=referenced|uptodate|lru|owner_2|swapbacked count=1 mapcount=0 mapping=0000000080e8c0cc mt=1 val=-1024 ret=0
 *
 * Words of four bytes are compared at once; a word is what DataView.getInt32(pos, true) reads.
 */

import {PageFlag, PageName, type TraceEvent} from '../../src/events/event.js';
import {Has, HAS_BYTE} from '../../src/events/kinds.js';
import {HEX, LF, MINUS, PIPE, SPACE} from '../bytes.js';
import type {DecodeContext} from '../events/context.js';

/** The little-endian word of four characters. */
function word(text: string): number {
  return text.charCodeAt(0) | (text.charCodeAt(1) << 8) | (text.charCodeAt(2) << 16) | (text.charCodeAt(3) << 24);
}

const ZEROS = word('0000');
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

/**
 * The flags' names as words, found by their first one. A table, not a `switch`: which flags a trace has differs from
 * line to line, and code that meets a branch for the first time is compiled again.
 */
class FlagWords {
  /** first entry by a hash of the first word, 0 for none; entries of one hash are chained */
  readonly heads = new Uint8Array(64);
  readonly next: Uint8Array;
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly third: Int32Array;
  readonly secondMask: Int32Array;
  readonly thirdMask: Int32Array;
  readonly length: Uint8Array;
  readonly flag: Int32Array;

  constructor(names: Record<string, number>) {
    const entries: [string, number][] = [];
    for (const [name, flag] of Object.entries(names)) {
      // `lru` is shorter than a word: with what may follow it
      if (name.length >= 4) entries.push([name, flag]);
      else entries.push([`${name}|`, flag], [`${name} `, flag]);
    }
    const n = entries.length + 1;
    this.next = new Uint8Array(n);
    this.first = new Int32Array(n);
    this.second = new Int32Array(n);
    this.third = new Int32Array(n);
    this.secondMask = new Int32Array(n);
    this.thirdMask = new Int32Array(n);
    this.length = new Uint8Array(n);
    this.flag = new Int32Array(n);
    entries.forEach(([name, flag], i) => {
      const at = i + 1;
      const padded = name.padEnd(12, '\0');
      this.first[at] = word(padded);
      this.second[at] = word(padded.slice(4));
      this.third[at] = word(padded.slice(8));
      this.secondMask[at] = mask(name.length - 4);
      this.thirdMask[at] = mask(name.length - 8);
      this.length[at] = name.replace(/[| ]$/, '').length;
      this.flag[at] = flag;
      const slot = FlagWords.slot(this.first[at]!);
      this.next[at] = this.heads[slot]!;
      this.heads[slot] = at;
    });
  }

  static slot(first: number): number {
    return (first ^ (first >>> 9) ^ (first >>> 18)) & 63;
  }

  /** The entry of the name at `pos`, or 0. */
  at(view: DataView, pos: number): number {
    const first = view.getInt32(pos, true);
    const second = view.getInt32(pos + 4, true);
    const third = view.getInt32(pos + 8, true);
    let at = this.heads[FlagWords.slot(first)]!;
    while (
      at !== 0 &&
      (first ^ this.first[at]!) |
        ((second ^ this.second[at]!) & this.secondMask[at]!) |
        ((third ^ this.third[at]!) & this.thirdMask[at]!)
    ) {
      at = this.next[at]!;
    }
    return at;
  }
}

/**
 * A trace has some dozens of combinations of flags. Each is read name by name once, and compared as a whole from then on.
 */
class FlagTexts {
  /** flags of the text that `end` has read */
  flags = 0;
  // by slot: bytes with the blank after them (0: none yet), words of the text, its flags
  private readonly lengths = new Uint8Array(SLOTS);
  private readonly words = new Int32Array(SLOTS * MAX_WORDS);
  private readonly values = new Int32Array(SLOTS);

  /** The text at `pos`: answers the position of the blank after it, or -1 if it is not names only. */
  end(buf: Uint8Array, view: DataView, pos: number): number {
    const hash =
      view.getInt32(pos, true) ^
      Math.imul(view.getInt32(pos + 12, true), 0x2c1b3c6d) ^
      Math.imul(view.getInt32(pos + 24, true), 0x297a2d39);
    const slot = (hash ^ (hash >>> 12) ^ (hash >>> 20)) & (SLOTS - 1);
    const length = this.lengths[slot]!;
    if (length > 0) {
      const {words} = this;
      let at = slot * MAX_WORDS;
      const whole = pos + (length & ~3);
      let here = pos;
      while (here < whole && view.getInt32(here, true) === words[at]) {
        here += 4;
        at++;
      }
      // the last four bytes, whatever the length
      if (here === whole && view.getInt32(pos + length - 4, true) === words[slot * MAX_WORDS + MAX_WORDS - 1]) {
        this.flags = this.values[slot]!;
        return pos + length - 1;
      }
    }
    return this.learn(buf, view, pos, slot);
  }

  private learn(buf: Uint8Array, view: DataView, start: number, slot: number): number {
    let flags = 0;
    let pos = start;
    const limit = start + 400;
    for (;;) {
      const at = flagWords.at(view, pos);
      if (at === 0) return -1;
      flags |= flagWords.flag[at]!;
      pos += flagWords.length[at]!;
      if (buf[pos] === SPACE) break;
      if (buf[pos] !== PIPE || pos >= limit) return -1;
      pos++;
    }
    this.flags = flags;
    const length = pos + 1 - start;
    if (length <= 4 * (MAX_WORDS - 1)) {
      for (let i = 0; i < length >> 2; i++) this.words[slot * MAX_WORDS + i] = view.getInt32(start + 4 * i, true);
      this.words[slot * MAX_WORDS + MAX_WORDS - 1] = view.getInt32(start + length - 4, true);
      this.values[slot] = flags;
      this.lengths[slot] = length;
    }
    return pos;
  }
}

const SLOTS = 256;
const MAX_WORDS = 32;

/** A mask over the first `bytes` bytes of a word. */
function mask(bytes: number): number {
  if (bytes <= 0) return 0;
  return bytes >= 4 ? -1 : (1 << (8 * bytes)) - 1;
}

const {unknownLayout: _, ...NAMED_FLAGS} = PageFlag;
const flagWords = new FlagWords({
  ...NAMED_FLAGS,
  none: 0,
  error: 0,
  owner_priv_1: 0,
  owner_2: 0,
  arch_1: 0,
  arch_2: 0,
  arch_3: 0,
  private_2: 0,
  mappedtodisk: 0,
  uncached: 0,
  hwpoison: 0,
  young: 0,
  idle: 0,
  dropbehind: 0,
});

const EQUALS_CHAR = 61;
const LETTER_0 = 48;

const flagTexts = new FlagTexts();

/**
 * Reads the payload that begins at `pos` and ends with a newline. Sets the page_ref fields but not the kind. Answers the
 * newline's position, or -1 when the text is not exactly this form. `view` is over `buf` and at least 1 KiB
 * longer than `pos`.
 */
export function pageRefLine(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent, ctx: DecodeContext): number {
  // pfn=0x602c
  if (view.getInt32(pos, true) !== PFN_ || buf[pos + 4] !== LETTER_0 || buf[pos + 5] !== 120) return -1;
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
  if (view.getInt32(pos + 1, true) !== FLAG || buf[pos + 5] !== 115 || buf[pos + 6] !== EQUALS_CHAR) return -1;
  pos += 7;
  const flagsEnd = flagTexts.end(buf, view, pos);
  if (flagsEnd < 0) return -1;
  const flags = flagTexts.flags;
  pos = flagsEnd;

  // count=1 mapcount=0
  if (view.getInt32(pos + 1, true) !== COUN || buf[pos + 5] !== 116 || buf[pos + 6] !== EQUALS_CHAR) return -1;
  pos += 7;
  let negative = buf[pos] === MINUS ? 1 : 0;
  pos += negative;
  let value = buf[pos]! - 48;
  if (value >>> 0 > 9) return -1;
  limit = pos + 9;
  let d: number;
  while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
    if (pos >= limit) return -1;
    value = value * 10 + d;
  }
  if (buf[pos] !== SPACE) return -1;
  const count = (value ^ -negative) + negative;
  if (view.getInt32(pos + 1, true) !== MAPC || view.getInt32(pos + 5, true) !== OUNT) return -1;
  if (buf[pos + 9] !== EQUALS_CHAR) return -1;
  pos += 10;
  negative = buf[pos] === MINUS ? 1 : 0;
  pos += negative;
  value = buf[pos]! - 48;
  if (value >>> 0 > 9) return -1;
  limit = pos + 9;
  while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
    if (pos >= limit) return -1;
    value = value * 10 + d;
  }
  if (buf[pos] !== SPACE) return -1;
  const mapcount = (value ^ -negative) + negative;

  // mapping=0000000080e8c0cc: hashed, so that the high half is zeros
  if (view.getInt32(pos + 1, true) !== MAPP || view.getInt32(pos + 5, true) !== ING_) return -1;
  pos += 9;
  if (view.getInt32(pos, true) !== ZEROS || view.getInt32(pos + 4, true) !== ZEROS) return -1;
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
  pos += 8;

  // mt=1 val=-1024
  if (view.getInt32(pos, true) !== _MT_) return -1;
  const mt = buf[pos + 4]! - 48;
  if (mt >>> 0 > 9 || buf[pos + 5] !== SPACE || view.getInt32(pos + 6, true) !== VAL_) return -1;
  pos += 10;
  negative = buf[pos] === MINUS ? 1 : 0;
  pos += negative;
  value = buf[pos]! - 48;
  if (value >>> 0 > 9) return -1;
  limit = pos + 9;
  while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
    if (pos >= limit) return -1;
    value = value * 10 + d;
  }
  const val = (value ^ -negative) + negative;

  // ret=0, of four of the seven events
  let has = Has.count | Has.mapcount;
  let ret = 0;
  if (buf[pos] === SPACE) {
    if (view.getInt32(pos + 1, true) !== RET_) return -1;
    pos += 5;
    negative = buf[pos] === MINUS ? 1 : 0;
    pos += negative;
    ret = buf[pos]! - 48;
    if (ret >>> 0 > 9) return -1;
    limit = pos + 9;
    while ((d = buf[++pos]! - 48) >>> 0 <= 9) {
      if (pos >= limit) return -1;
      ret = ret * 10 + d;
    }
    ret = (ret ^ -negative) + negative;
    has |= Has.ret;
  }
  if (buf[pos] !== LF) return -1;

  if (mapcount === -1) ctx.since612 = true;
  ev.pageName = PageName.pfn;
  ev.pfn = pfn;
  ev.pageFlags = flags;
  ev.count = count;
  ev.mapcount = mapcount;
  ev.mt = mt;
  ev.val = val;
  ev.ret = ret;
  ev.i8[ev.base * 8 + HAS_BYTE] = has;
  return pos;
}
