/**
 * The columns before an event in `perf script` (tools/perf/builtin-script.c, perf_sample__fprintf_start, 6.12):
 *
 *              perf612     468 [001]    25.774732:                        kmem:mm_page_alloc: page=0x773d pfn=0x773d ...
 *              perf612     468/468     [001]    25.774732427:             kmem:mm_page_alloc: ...    -F pid,tid --ns
 *     perf612     386 [001]    18.369990:                        kmem:mm_page_alloc: ...             with call chains
 *                 :472     472 [001]    26.412310: filemap:mm_filemap_delete_from_page_cache: ...    comm not known
 *            perf-exec     401 [000]    25.595182: PERF_RECORD_LOST lost 7
 */

import {
  COLON,
  decimal,
  DOT,
  isDigit,
  LBRACKET,
  MINUS,
  RBRACKET,
  SLASH,
  SPACE,
  skipDigits,
  skipSpaces,
} from '../bytes.js';
import {Context} from '../../src/events/event.js';
import {cpuOf, fraction} from '../ftrace/context.js';

/** comm is at most 15 bytes, and so is `:2147483647` */
const MAX_COMM = 16;
/** `-F +misc` and `-F +tod` put words between CPU and time. */
const MAX_WORDS = 4;

export class PerfColumns {
  commStart = 0;
  commEnd = 0;
  pid = -1;
  tgid = -1;
  cpu = -1;
  seconds = 0;
  fraction_ns = 0;
  readonly context = Context.unknown;
  /** where the column of the CPU ends; 0 where there is none */
  headEnd = 0;
  readonly flagsStart = 0;
  readonly flagsEnd = 0;
  /** the decimal point of the time and the colon after it */
  dot = 0;
  colon = 0;
  /** how many events a sample stands for, where `-F +period` prints it; else 1 */
  period = 1;
  /** where the event's name, after blanks, begins */
  body = 0;

  parse(buf: Uint8Array, start: number, end: number): boolean {
    const comm = skipSpaces(buf, start, end);
    // The pid is the last number within a comm's reach that the columns follow: a comm may hold blanks and numbers.
    for (let at = Math.min(comm + MAX_COMM, end - 1); at > comm; at--) {
      if (buf[at] === SPACE && buf[at + 1] !== SPACE && this.fromPid(buf, at + 1, end)) {
        let stop = at;
        while (stop > comm && buf[stop - 1] === SPACE) stop--;
        this.commStart = comm;
        this.commEnd = stop;
        return true;
      }
    }
    // padded pids begin beyond a comm's reach
    const reach = Math.min(comm + MAX_COMM, end);
    let stop = reach;
    while (stop > comm && buf[stop - 1] !== SPACE) stop--;
    const pid = skipSpaces(buf, stop, end);
    if (stop === comm || pid === stop || !this.fromPid(buf, pid, end)) return false;
    while (stop > comm && buf[stop - 1] === SPACE) stop--;
    this.commStart = comm;
    this.commEnd = stop;
    return true;
  }

  /** `468/468     [001]    25.774732427: ` */
  private fromPid(buf: Uint8Array, pos: number, end: number): boolean {
    const negative = pos < end && buf[pos] === MINUS;
    if (negative) pos++;
    let stop = skipDigits(buf, pos, end);
    if (stop === pos || stop >= end) return false;
    this.pid = negative ? -1 : decimal(buf, pos, stop);
    this.tgid = -1;
    if (buf[stop] === SLASH) {
      // pid/tid: the thread group, then the thread
      this.tgid = this.pid;
      pos = stop + 1;
      if (buf[pos] === MINUS) pos++;
      stop = skipDigits(buf, pos, end);
      if (stop === pos) return false;
      this.pid = buf[pos - 1] === MINUS ? -1 : decimal(buf, pos, stop);
    }
    if (buf[stop] !== SPACE) return false;
    pos = skipSpaces(buf, stop, end);
    this.cpu = -1;
    this.headEnd = 0;
    if (pos < end && buf[pos] === LBRACKET) {
      stop = skipDigits(buf, pos + 1, end);
      if (stop === pos + 1 || stop >= end || buf[stop] !== RBRACKET) return false;
      this.cpu = cpuOf(buf, pos + 1, stop);
      this.headEnd = stop + 1;
      pos = skipSpaces(buf, stop + 1, end);
    }
    for (let word = 0; word < MAX_WORDS; word++) {
      if (this.time(buf, pos, end)) return true;
      while (pos < end && buf[pos] !== SPACE) pos++;
      pos = skipSpaces(buf, pos, end);
    }
    return false;
  }

  /** `25.774732: ` */
  private time(buf: Uint8Array, pos: number, end: number): boolean {
    const dot = skipDigits(buf, pos, end);
    if (dot === pos || dot >= end || buf[dot] !== DOT) return false;
    const stop = skipDigits(buf, dot + 1, end);
    if (stop === dot + 1 || stop - dot > 10 || stop >= end || buf[stop] !== COLON) return false;
    if (stop + 1 < end && buf[stop + 1] !== SPACE) return false;
    this.dot = dot;
    this.colon = stop;
    this.seconds = decimal(buf, pos, dot);
    this.fraction_ns = fraction(buf, dot + 1, stop);
    // an event's period stands before its name, in samples of counters
    let body = skipSpaces(buf, stop + 1, end);
    this.period = 1;
    if (body < end && isDigit(buf[body]!)) {
      const period = skipDigits(buf, body, end);
      if (period < end && buf[period] === SPACE) {
        this.period = decimal(buf, body, period);
        body = skipSpaces(buf, period, end);
      }
    }
    this.body = body;
    return true;
  }
}
