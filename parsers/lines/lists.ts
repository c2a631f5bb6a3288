/** Lists in braces, as templates read them: `{0x1034ae000,0x103496000}`, exactly. */

import {LIST_MAX, type TraceEvent} from '../../src/events/event.js';
import {COMMA, HEX, LF, RBRACE} from '../bytes.js';
import {HEX2} from './texts.js';

/** Which list of an event it is. */
export const List = {
  /** of nobody's */
  skipped: 0,
  phys: 1,
  dma: 2,
  lengths: 3,
  pages: 4,
} as const;

const ZERO_X = 48 | (120 << 8);
/** Numbers are exact up to so many digits. */
const MAX_HEX = 13;
const MAX_SKIPPED = 4096;
/** An entry is shorter: it is read without asking for the buffer's end. */
const ENTRY = 32;

/** The list read last: how many entries it has. */
export class Lists {
  length = 0;

  /** The list whose first entry is at `pos`. Answers where its closing brace is, or -1. */
  read(buf: Uint8Array, view: DataView, pos: number, list: number, ev: TraceEvent): number {
    switch (list) {
      case List.phys:
        return this.numbers(buf, view, pos, ev.listPhys);
      case List.dma:
        return this.numbers(buf, view, pos, ev.dmaAddrs);
      case List.lengths:
        return this.numbers(buf, view, pos, ev.dmaLens);
      case List.pages:
        return this.pages(buf, view, pos, ev);
      default:
        return closing(buf, pos);
    }
  }

  private numbers(buf: Uint8Array, view: DataView, pos: number, into: Float64Array): number {
    let n = 0;
    this.length = 0;
    if (buf[pos] === RBRACE) return pos;
    for (;;) {
      if (n === LIST_MAX || pos + ENTRY > buf.length || view.getUint16(pos, true) !== ZERO_X) return -1;
      const start = (pos += 2);
      let value = 0;
      let two: number;
      while (pos <= start + MAX_HEX && (two = HEX2[view.getUint16(pos, true)]!) >= 0) {
        value = value * 256 + two;
        pos += 2;
      }
      const digit = HEX[buf[pos]!]!;
      if (digit >= 0) {
        value = value * 16 + digit;
        pos++;
      }
      if (pos === start || pos > start + MAX_HEX) return -1;
      into[n++] = value;
      if (buf[pos] === COMMA) pos++;
      else break;
    }
    this.length = n;
    return buf[pos] === RBRACE ? pos : -1;
  }

  /** Pointers up to the first 0. */
  private pages(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent): number {
    let n = 0;
    this.length = 0;
    if (buf[pos] === RBRACE) return pos;
    for (;;) {
      if (n === LIST_MAX || pos + ENTRY > buf.length || view.getUint16(pos, true) !== ZERO_X) return -1;
      pos += 2;
      const hi = eightDigits(view, pos);
      if (hi === NONE) {
        // 0x0
        if (buf[pos] !== 48 || (buf[pos + 1] !== COMMA && buf[pos + 1] !== RBRACE)) return -1;
        this.length = n;
        return closing(buf, pos + 1);
      }
      const lo = eightDigits(view, pos + 8);
      if (lo === NONE || (hi === 0 && lo === 0)) return -1;
      ev.listPtrHi[n] = hi;
      ev.listPtrLo[n] = lo;
      ev.listLen[n] = -1;
      n++;
      pos += 16;
      if (buf[pos] === COMMA) pos++;
      else break;
    }
    this.length = n;
    return buf[pos] === RBRACE ? pos : -1;
  }
}

const NONE = -1;

/** Eight hexadecimal digits as an unsigned number, or NONE. */
function eightDigits(view: DataView, pos: number): number {
  const a = HEX2[view.getUint16(pos, true)]!;
  const b = HEX2[view.getUint16(pos + 2, true)]!;
  const c = HEX2[view.getUint16(pos + 4, true)]!;
  const d = HEX2[view.getUint16(pos + 6, true)]!;
  return (a | b | c | d) < 0 ? NONE : ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** The closing brace from `pos` on, or -1 where the line has none near. */
function closing(buf: Uint8Array, pos: number): number {
  for (const end = pos + MAX_SKIPPED; pos < end && buf[pos] !== LF; pos++) if (buf[pos] === RBRACE) return pos;
  return -1;
}
