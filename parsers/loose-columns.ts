/**
 * The columns before an event where the text may have lost some: pasted in a mail, cut, re-indented. What the kernel and
 * its tools print is read by ftrace/context.ts; what is left of it here, and perf's columns:
 *
 *                 bash-101     [001] d..1.    17.012627: page_ref_set: pfn=...       whole: ftrace, trace-cmd
 *         bash-101       1..... 12058129us!: page_ref_set: pfn=...                   whole: latency format, ftrace dump
 *     perf612     386 [001]    18.371710:  page_ref:page_ref_mod_unless: pfn=...     perf script
 *     perf612     386/386     [001]    18.371710123:  gup:gup_put_folio: (ffff...    perf script -F pid,tid --ns
 *                              [001]    17.012627: page_ref_set: pfn=...             the task cut away
 *                                       17.012627: page_ref_set: pfn=...
 *     page_ref_set: pfn=...                                                          task, CPU and time cut away
 */

import {Context, EventKind} from '../src/events/event.js';
import {
  ascii,
  COLON,
  decimal,
  DOT,
  EQUALS,
  find,
  isDigit,
  LBRACKET,
  MINUS,
  RBRACKET,
  skipBlanks,
  skipDigits,
  skipSpaces,
  SLASH,
  SPACE,
  startsWith,
  TAB,
  text,
} from './bytes.js';
import {EventEntry} from './events/table.js';
import {contextOf, fraction, isFlag, LineContext, TimeForm} from './ftrace/context.js';

/** Words before a name that are looked at. */
const MAX_WORDS = 16;
const MAX_NAME = 64;
/** Longest `comm tid` column: comm padded to 16, tid, pid. */
const MAX_TASK = 48;

export class LooseColumns {
  commStart = 0;
  commEnd = 0;
  pid = -1;
  tgid = -1;
  cpu = -1;
  context: number = Context.unknown;
  /** one of TimeForm, -1 where the line has no time */
  timeForm = -1;
  seconds = 0;
  fraction_ns = 0;
  ticksStart = 0;
  ticksEnd = 0;
  /** an empty range: text without a name */
  nameStart = 0;
  nameEnd = 0;
  /** where the payload begins: after the name and its colon */
  payload = 0;
  /** where the event's name should begin */
  body = 0;
  /** nothing stands after the columns: the line was wrapped there */
  bare = false;

  private readonly whole = new LineContext();
  private readonly known = new Map<string, boolean>();

  /** Reads a line whose columns are whole, as kernel, trace-cmd and latency format print them. */
  parseWhole(buf: Uint8Array, start: number, end: number): boolean {
    const {whole} = this;
    if (!whole.parse(buf, start, end)) return false;
    this.commStart = whole.commStart;
    this.commEnd = whole.commEnd;
    this.pid = whole.pid;
    this.tgid = whole.tgid;
    this.cpu = whole.cpu;
    this.context = whole.context;
    this.timeForm = whole.timeForm;
    this.seconds = whole.seconds;
    this.fraction_ns = whole.fraction_ns;
    this.ticksStart = whole.ticksStart;
    this.ticksEnd = whole.ticksEnd;
    this.body = skipSpaces(buf, whole.body, end);
    this.bare = this.body >= end;
    let pos = this.body;
    while (pos < end && buf[pos] !== COLON && buf[pos]! > SPACE) pos++;
    const named = pos < end && buf[pos] === COLON && pos > this.body;
    this.nameStart = this.body;
    this.nameEnd = named ? pos : this.body;
    this.payload = named ? pos + 1 : this.body;
    return true;
  }

  /** Reads a line that has a name we know and `key=value`, or what stands before these, after it, whatever is left of the columns. */
  parseRest(buf: Uint8Array, start: number, end: number): boolean {
    this.commStart = this.commEnd = 0;
    this.pid = this.tgid = this.cpu = this.timeForm = -1;
    this.context = Context.unknown;
    this.bare = false;
    let pos = skipBlanks(buf, start, end);
    for (let words = 0; words < MAX_WORDS && pos < end; words++) {
      const stop = wordEnd(buf, pos, end);
      if (buf[stop - 1] === COLON && stop - pos > 3 && stop - pos <= MAX_NAME && this.isName(buf, pos, stop - 1, end)) {
        this.nameStart = this.body = pos;
        this.nameEnd = stop - 1;
        this.payload = stop;
        return this.before(buf, skipBlanks(buf, start, pos), pos);
      }
      pos = skipBlanks(buf, stop, end);
    }
    return false;
  }

  private isName(buf: Uint8Array, start: number, end: number, lineEnd: number): boolean {
    if (isDigit(buf[start]!)) return false;
    const equals = buf.indexOf(EQUALS, end);
    if ((equals < 0 || equals >= lineEnd) && !BEFORE_PAIRS.some((word) => startsWith(buf, end + 1, lineEnd, word)))
      return false;
    const name = text(buf, start, end);
    if (name === 'map' || name === 'unmap') return find(buf, end, lineEnd, IOVA) >= 0;
    let known = this.known.get(name);
    if (known === undefined) {
      const entry = new EventEntry(name, NONE);
      known = entry.kind !== EventKind.Other || entry.probeByName !== undefined;
      if (this.known.size < 1000) this.known.set(name, known);
    }
    return known;
  }

  /** Everything before the name has to be a column: words of prose are no event. Read from the right. */
  private before(buf: Uint8Array, start: number, name: number): boolean {
    let end = trimEnd(buf, start, name);
    if (end === start) return true;
    let word = wordStart(buf, start, end);
    if (!this.time(buf, word, end)) return false;
    end = trimEnd(buf, start, word);
    if (end === start) return true;
    word = wordStart(buf, start, end);
    if (buf[word] !== LBRACKET && isFlags(buf, word, end)) {
      this.context = contextOf(buf[word + 2]!);
      end = trimEnd(buf, start, word);
      if (end === start) return true;
      word = wordStart(buf, start, end);
    }
    if (buf[word] === LBRACKET) {
      const stop = skipDigits(buf, word + 1, end);
      if (stop === word + 1 || buf[stop] !== RBRACKET || stop + 1 !== end) return false;
      this.cpu = decimal(buf, word + 1, stop);
      end = trimEnd(buf, start, word);
      if (end === start) return true;
      word = wordStart(buf, start, end);
    }
    return this.task(buf, start, word, end);
  }

  /** `17.012627:`, `66443352340:`, `12058129us!:` */
  private time(buf: Uint8Array, start: number, end: number): boolean {
    if (buf[end - 1] !== COLON) return false;
    const stop = skipDigits(buf, start, end);
    if (stop === start) return false;
    if (stop === end - 1) {
      this.timeForm = TimeForm.ticks;
      this.ticksStart = start;
      this.ticksEnd = stop;
      return true;
    }
    if (buf[stop] === DOT) {
      const last = skipDigits(buf, stop + 1, end);
      if (last !== end - 1 || last === stop + 1 || last - stop > 10) return false;
      this.timeForm = TimeForm.seconds;
      this.seconds = decimal(buf, start, stop);
      this.fraction_ns = fraction(buf, stop + 1, last);
      return true;
    }
    if (!startsWith(buf, stop, end, MICROSECONDS) || end - stop > 4) return false;
    const us = decimal(buf, start, stop);
    this.timeForm = TimeForm.relative;
    this.seconds = Math.floor(us / 1e6);
    this.fraction_ns = (us % 1e6) * 1000;
    return true;
  }

  /** `perf612     386`, `perf612     386/386`, `bash-101`, `101` at `[start, end)`; the last word begins at `word`. */
  private task(buf: Uint8Array, start: number, word: number, end: number): boolean {
    if (end - start > MAX_TASK) return false;
    const digits = skipDigits(buf, word, end);
    if (digits > word && (digits === end || (buf[digits] === SLASH && skipDigits(buf, digits + 1, end) === end))) {
      if (digits === end) this.pid = decimal(buf, word, end);
      else {
        this.tgid = decimal(buf, word, digits);
        this.pid = decimal(buf, digits + 1, end);
      }
      this.commStart = start;
      this.commEnd = trimEnd(buf, start, word);
      return true;
    }
    let dash = end;
    while (dash > word && isDigit(buf[dash - 1]!)) dash--;
    if (dash === end || dash === word || buf[dash - 1] !== MINUS) return false;
    this.pid = decimal(buf, dash, end);
    this.commStart = start;
    this.commEnd = dash - 1;
    return true;
  }
}

/** What stands before an event's pairs where a break cut these off: a probe's place, a file's device. */
const BEFORE_PAIRS = [' (', ' dev '].map(ascii);
const IOVA = ascii('iova=');
const MICROSECONDS = ascii('us');
const NONE = new Uint8Array(0);

function isBlank(c: number): boolean {
  return c === SPACE || c === TAB;
}

function wordEnd(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && !isBlank(buf[pos]!)) pos++;
  return pos;
}

function wordStart(buf: Uint8Array, start: number, end: number): number {
  while (end > start && !isBlank(buf[end - 1]!)) end--;
  return end;
}

function trimEnd(buf: Uint8Array, start: number, end: number): number {
  while (end > start && isBlank(buf[end - 1]!)) end--;
  return end;
}

/** `d..1.` */
function isFlags(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start < 4 || end - start > 8) return false;
  for (let i = start; i < end; i++) if (!isFlag(buf[i]!)) return false;
  // a number is a tid, a word a comm
  return skipDigits(buf, start, end) !== end && contextOf(buf[start + 2]!) !== Context.unknown;
}
