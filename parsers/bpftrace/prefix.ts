/**
 * What a bpftrace program prints before the payload of an event. The documented schema, all of the prefix optional:
 *
 *     61966072758 cpu=1 pid=398 tid=398 comm=wl dma_map_sg_ent dev=pinbug.0 i=0/1 pfn=0xe154 off=0 len=24576 dir=0
 *     nsecs       cpu   pid     tid     comm    name           key=value ...
 *
 * `pid` and `tid` are bpftrace's builtins: the thread group and the thread. Other programs' lines are read as far as
 * they resemble this: pairs in any order, a time as `nsecs=` (of any other key the unit is not known: style.ts), words of
 * unknown meaning between.
 */

import {
  ascii,
  COLON,
  COMMA,
  decimal,
  DOT,
  EQUALS,
  isDigit,
  QUOTE,
  sameBytes,
  skipDigits,
  skipSpaces,
  SPACE,
  startsWith,
  UNDERSCORE,
} from '../bytes.js';
import {fraction} from '../ftrace/context.js';

/** A comm is at most 15 bytes (TASK_COMM_LEN 16); padded by `%16s` or `%-16s` it takes 16. */
const COMM_PADDED = 16;
/** Words before a name that are looked at. */
const MAX_WORDS = 32;

const COMM = ascii('comm=');
const CPU = ascii('cpu');
const PID = ascii('pid');
const TID = ascii('tid');
const TGID = ascii('tgid');
const NSECS = ascii('nsecs');

export class LinePrefix {
  hasTime = false;
  seconds = 0;
  fraction_ns = 0;
  cpu = -1;
  /** the thread */
  pid = -1;
  tgid = -1;
  commStart = 0;
  commEnd = 0;
  nameStart = 0;
  nameEnd = 0;
  /** where the payload begins */
  body = 0;
  /** pairs of the schema before the name: with a time or these, a line is meant as an event */
  pairs = 0;
  /** words before the name that are no pairs: the program has a style of its own */
  strange = 0;

  private hasCpu = false;
  private hasPid = false;
  private hasTid = false;

  /** Reads `buf[start..end)`. False if there is no word in it that could be an event's name. */
  parse(buf: Uint8Array, start: number, end: number): boolean {
    this.hasTime = this.hasCpu = this.hasPid = this.hasTid = false;
    this.cpu = this.pid = this.tgid = -1;
    this.commStart = this.commEnd = 0;
    this.pairs = this.strange = 0;
    let pos = this.leadingTime(buf, skipSpaces(buf, start, end), end);
    for (let words = 0; words < MAX_WORDS; words++) {
      pos = skipSpaces(buf, pos, end);
      if (pos >= end) return false;
      if (startsWith(buf, pos, end, COMM)) {
        this.pairs++;
        pos = this.comm(buf, pos + COMM.length, end);
        continue;
      }
      const stop = wordEnd(buf, pos, end);
      const equals = equalsIn(buf, pos, stop);
      if (equals >= 0) this.pair(buf, pos, equals, stop);
      else if (isName(buf, pos, stop) && pairOrEnd(buf, stop, end)) {
        this.nameStart = pos;
        this.nameEnd = stop;
        while (buf[this.nameEnd - 1] === COLON || buf[this.nameEnd - 1] === COMMA) this.nameEnd--;
        this.body = Math.min(stop + 1, end);
        return true;
      } else this.strange++;
      pos = stop;
    }
    return false;
  }

  /** `61966072758 ` or `61.966072758: ` */
  private leadingTime(buf: Uint8Array, pos: number, end: number): number {
    const stop = skipDigits(buf, pos, end);
    if (stop === pos) return pos;
    const word = wordEnd(buf, pos, end);
    return this.time(buf, pos, word) ? word : pos;
  }

  private time(buf: Uint8Array, start: number, end: number): boolean {
    if (end > start && (buf[end - 1] === COLON || buf[end - 1] === COMMA)) end--;
    const stop = skipDigits(buf, start, end);
    if (stop === start || stop - start > 20) return false;
    if (stop === end) {
      // nsecs, in two parts: the whole may outgrow a double
      this.seconds = stop - start > 9 ? decimal(buf, start, stop - 9) : 0;
      this.fraction_ns = decimal(buf, Math.max(start, stop - 9), stop);
    } else {
      const last = skipDigits(buf, stop + 1, end);
      if (buf[stop] !== DOT || last !== end || last === stop + 1) return false;
      this.seconds = decimal(buf, start, stop);
      this.fraction_ns = fraction(buf, stop + 1, last);
    }
    this.hasTime = true;
    return true;
  }

  private pair(buf: Uint8Array, start: number, equals: number, end: number): void {
    if (!isDigit(buf[equals + 1]!)) return;
    const value = decimal(buf, equals + 1, end);
    if (sameBytes(buf, start, equals, CPU)) {
      this.cpu = value;
      this.hasCpu = true;
    } else if (sameBytes(buf, start, equals, TID)) {
      this.pid = value;
      this.hasTid = true;
    } else if (sameBytes(buf, start, equals, PID)) {
      this.tgid = value;
      // without a tid it is the best there is
      if (!this.hasTid) this.pid = value;
      this.hasPid = true;
    } else if (sameBytes(buf, start, equals, TGID)) this.tgid = value;
    else if (!this.hasTime && sameBytes(buf, start, equals, NSECS)) this.time(buf, equals + 1, end);
    else return;
    this.pairs++;
  }

  /**
   * `comm=` at `pos`: a comm may hold blanks and `x=y`, so it goes on to the last word in reach that a payload follows.
   * Answers where the word after it begins.
   */
  private comm(buf: Uint8Array, pos: number, end: number): number {
    if (buf[pos] === QUOTE) {
      const close = buf.indexOf(QUOTE, pos + 1);
      if (close > pos && close < Math.min(end, pos + COMM_PADDED + 2)) {
        this.setComm(buf, pos + 1, close);
        return close + 1;
      }
    }
    const reach = Math.min(end - 1, pos + COMM_PADDED + 1);
    let name = -1;
    for (let at = pos + 1; at <= reach; at++) {
      if (buf[at - 1] !== SPACE || buf[at] === SPACE) continue;
      if (this.isNewPair(buf, at, end)) {
        // comm is not the last of this program's prefix
        this.setComm(buf, pos, at - 1);
        return at;
      }
      const stop = wordEnd(buf, at, end);
      if (isName(buf, at, stop) && pairOrEnd(buf, stop, end)) name = at;
    }
    if (name < 0) {
      const stop = wordEnd(buf, pos, end);
      this.setComm(buf, pos, stop);
      return stop;
    }
    this.setComm(buf, pos, name - 1);
    return name;
  }

  private setComm(buf: Uint8Array, start: number, end: number): void {
    if (end - start >= COMM_PADDED) {
      while (end > start && buf[end - 1] === SPACE) end--;
      start = skipSpaces(buf, start, end);
    }
    this.commStart = start;
    this.commEnd = end;
  }

  /** `cpu=1`, `pid=398`, `tid=398` at `pos`, where this line has not had it yet */
  private isNewPair(buf: Uint8Array, pos: number, end: number): boolean {
    const equals = pos + 3;
    if (equals + 1 >= end || buf[equals] !== EQUALS || !isDigit(buf[equals + 1]!)) return false;
    if (startsWith(buf, pos, end, CPU)) return !this.hasCpu;
    if (startsWith(buf, pos, end, PID)) return !this.hasPid;
    return startsWith(buf, pos, end, TID) && !this.hasTid;
  }
}

function wordEnd(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && buf[pos] !== SPACE) pos++;
  return pos;
}

function equalsIn(buf: Uint8Array, start: number, end: number): number {
  for (let i = start + 1; i < end; i++) if (buf[i] === EQUALS) return i;
  return -1;
}

/** A symbol, or `provider:symbol`, maybe with a colon after it */
function isName(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 || end - start > 128 || isDigit(buf[start]!) || buf[start] === COLON) return false;
  for (let i = start; i < end; i++) {
    const c = buf[i]!;
    const letter = (c | 32) >= 97 && (c | 32) <= 122;
    if (!letter && !isDigit(c) && c !== UNDERSCORE && c !== DOT && c !== COLON && !(c === COMMA && i === end - 1))
      return false;
  }
  return true;
}

/** Whether a `key=value`, or nothing, follows. */
function pairOrEnd(buf: Uint8Array, pos: number, end: number): boolean {
  pos = skipSpaces(buf, pos, end);
  return pos >= end || equalsIn(buf, pos, wordEnd(buf, pos, end)) >= 0;
}
