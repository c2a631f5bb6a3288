/**
 * What is left of perf script's columns where `-F` leaves some out, or an old perf printed no time: before the event's
 * name, which has its subsystem, any of them in this order (perf_sample__fprintf_start of tools/perf/builtin-script.c):
 *
 *     wrk   701 [001] page_ref:page_ref_mod: pfn=0x4a10 ...                        -F comm,pid,cpu,event,trace
 *     701/703 500.100001:   1 page_ref:page_ref_mod: pfn=0x4a10 ...                -F pid,tid,time,period,event,trace
 *     page_ref:page_ref_mod: pfn=0x4a10 ...                                        -F event,trace
 */

import {
  ascii,
  COLON,
  decimal,
  DOT,
  isDigit,
  LBRACKET,
  RBRACKET,
  skipDigits,
  skipSpaces,
  SLASH,
  SPACE,
  startsWith,
  UNDERSCORE,
} from '../bytes.js';
import {fraction} from '../ftrace/context.js';

/** Bytes before the name that are looked at. */
const MAX_BEFORE = 96;
const MAX_COMM = 16;
/** What bpftrace's builtin `probe` prints looks like the name of a perf event. */
const PROVIDERS = ['kprobe:', 'kretprobe:', 'kfunc:', 'kretfunc:', 'fentry:', 'fexit:', 'tracepoint:'].map(ascii);
const RECORD = ascii('PERF_RECORD_');

export class PerfFields {
  commStart = 0;
  commEnd = 0;
  pid = -1;
  tgid = -1;
  cpu = -1;
  hasTime = false;
  /** how many events a sample stands for, where it is printed behind a time; else 1 */
  period = 1;
  seconds = 0;
  fraction_ns = 0;
  /** where the event's name begins */
  body = 0;

  parse(buf: Uint8Array, start: number, end: number): boolean {
    const name = nameAt(buf, start, end);
    if (name < 0) return false;
    this.body = name;
    this.commStart = this.commEnd = start;
    this.pid = this.tgid = this.cpu = -1;
    this.hasTime = false;
    this.period = 1;
    start = skipSpaces(buf, start, name);
    let stop = trim(buf, start, name);
    let word = wordStart(buf, start, stop);
    // a period stands between time and name
    if (
      digits(buf, word, stop) &&
      this.time(buf, wordStart(buf, start, trim(buf, start, word)), trim(buf, start, word))
    ) {
      this.period = decimal(buf, word, stop);
      stop = trim(buf, start, word);
      word = wordStart(buf, start, stop);
    }
    if (this.time(buf, word, stop)) {
      stop = trim(buf, start, word);
      word = wordStart(buf, start, stop);
    }
    if (buf[word] === LBRACKET && buf[stop - 1] === RBRACKET && digits(buf, word + 1, stop - 1)) {
      this.cpu = decimal(buf, word + 1, stop - 1);
      stop = trim(buf, start, word);
      word = wordStart(buf, start, stop);
    }
    const slash = skipDigits(buf, word, stop);
    if (slash > word && (slash === stop || (buf[slash] === SLASH && digits(buf, slash + 1, stop)))) {
      this.pid = decimal(buf, slash === stop ? word : slash + 1, stop);
      if (slash < stop) this.tgid = decimal(buf, word, slash);
      stop = trim(buf, start, word);
    }
    if (stop - start > MAX_COMM) return false;
    this.commStart = start;
    this.commEnd = stop;
    return true;
  }

  /** `500.100001:` */
  private time(buf: Uint8Array, start: number, end: number): boolean {
    const dot = skipDigits(buf, start, end);
    if (dot === start || buf[dot] !== DOT) return false;
    const stop = skipDigits(buf, dot + 1, end);
    if (stop === dot + 1 || stop - dot > 10 || stop + 1 !== end || buf[stop] !== COLON) return false;
    this.seconds = decimal(buf, start, dot);
    this.fraction_ns = fraction(buf, dot + 1, stop);
    return (this.hasTime = true);
  }
}

/** Where a word `subsystem:event:` or a record of perf's own begins, or -1. */
function nameAt(buf: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end, start + MAX_BEFORE);
  for (let pos = skipSpaces(buf, start, end); pos < limit;) {
    let stop = pos;
    let colons = 0;
    let plain = !isDigit(buf[pos]!);
    while (stop < end && buf[stop] !== SPACE) {
      const c = buf[stop++]!;
      const letter = (c | 32) >= 97 && (c | 32) <= 122;
      if (c === COLON) colons++;
      else if (!letter && !isDigit(c) && c !== UNDERSCORE) plain = false;
    }
    if (plain && colons === 2 && buf[stop - 1] === COLON && buf[pos] !== COLON) {
      return PROVIDERS.some((name) => startsWith(buf, pos, stop, name)) ? -1 : pos;
    }
    if (startsWith(buf, pos, stop, RECORD)) return pos;
    pos = skipSpaces(buf, stop, end);
  }
  return -1;
}

function digits(buf: Uint8Array, start: number, end: number): boolean {
  return end > start && skipDigits(buf, start, end) === end;
}

function trim(buf: Uint8Array, start: number, end: number): number {
  while (end > start && buf[end - 1] === SPACE) end--;
  return end;
}

function wordStart(buf: Uint8Array, start: number, end: number): number {
  while (end > start && buf[end - 1] !== SPACE) end--;
  return end;
}
