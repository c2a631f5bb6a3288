/**
 * The columns before an event in tracefs text (kernel/trace/trace_output.c, trace_print_context and
 * trace_print_lat_context), also printed by trace-cmd report.
 *
 *     `%16s-%-7d [%03d] flags %5lu.%06lu: `      5.10 on; the pid 5 wide before; `(tgid) ` before or after `[cpu]`
 *                bash-101     [001] d..1.    17.012627: page_ref_set: pfn=...
 *                fio-1234  (   1230) [003] ....  1234.567890: ...
 *                bash-100     [001]     14.225552: ...                                          noirq-info
 *                bash-101     [001] .....  66443352340: ...                                     counting clocks
 *                bash-453     [000]-0x9    71.519933: ...                    trace-cmd report -R, 3.3 on
 *     `%8.8s-%-7d %3d` flags ` %4lldus%c: `      latency-format
 *         bash-101       1..... 12058129us!: page_ref_set: pfn=...
 *     `%16s %7d %3d %d %08x [%08llx] ms.us (+ms.us): `  latency-format with verbose
 */

import {
  COLON,
  decimal,
  DIGIT_0,
  DOT,
  hasHexPrefix,
  hex,
  isDigit,
  LBRACKET,
  LPAREN,
  MINUS,
  PLUS,
  RBRACKET,
  RPAREN,
  SPACE,
  skipDigits,
  skipHex,
  skipSpaces,
} from '../bytes.js';
import {Context} from '../../src/events/event.js';
import {MAX_CPU} from '../form.js';

/** How the time was printed. */
export const TimeForm = {
  /** `s.ffffff` of a clock in ns */
  seconds: 0,
  /** an integer of a counting clock */
  ticks: 1,
  /** µs since the buffer's start (latency format) */
  relative: 2,
} as const;

/** comm is at most 15 bytes (TASK_COMM_LEN 16) and padded to 16 columns: its dash stands in column 16, counted from 0. */
const COMM_WIDTH = 16;
const LATENCY_COMM_WIDTH = 8;

const MAX_PID_DIGITS = 10;

export class LineContext {
  commStart = 0;
  commEnd = 0;
  pid = -1;
  tgid = -1;
  cpu = -1;
  context: number = Context.unknown;
  /** where the flags column begins; 0 when there is none */
  flagsStart = 0;
  flagsEnd = 0;
  /** where the columns of task and CPU end: at the flags, or at the blanks before the time; 0 in other layouts */
  headEnd = 0;
  /** the decimal point of a time in seconds and the colon after it; 0 in other layouts */
  dot = 0;
  colon = 0;
  timeForm: number = TimeForm.seconds;
  /** whole seconds, or the µs of a relative time */
  seconds = 0;
  /** the fraction in ns */
  fraction_ns = 0;
  /** the digits of a counting clock's time */
  ticksStart = 0;
  ticksEnd = 0;
  /** where the event's name begins */
  body = 0;

  /** Reads the columns of `buf[start..end)`. False if the line does not begin with them. */
  parse(buf: Uint8Array, start: number, end: number): boolean {
    if (this.parseInPlace(buf, start, end)) return true;
    const commStart = skipSpaces(buf, start, end);
    // Re-indented text: the last dash within a comm's length that the columns follow.
    for (let at = Math.min(commStart + COMM_WIDTH, end - 2); at >= commStart; at--) {
      if (buf[at] === MINUS && isDigit(buf[at + 1]!) && this.afterDash(buf, commStart, at, end)) return true;
    }
    return this.verbose(buf, start, end) || this.withoutPid(buf, start, end);
  }

  /**
   * What people leave of the task before they show a trace: `<redacted>    [005] ..s..   166.485548: name: `,
   * `wrk [000] ..... 392.976830: `, `[005] 166350.485548: `. What perf prints has a pid there.
   */
  private withoutPid(buf: Uint8Array, start: number, end: number): boolean {
    const comm = skipSpaces(buf, start, end);
    let pos = comm;
    // `<redacted>-<redacted>` and the blanks after it
    const limit = Math.min(end, comm + COMM_WIDTH + 24);
    while (pos < limit && buf[pos] !== LBRACKET) pos++;
    if (pos >= limit || (pos > comm && buf[pos - 1] !== SPACE)) return false;
    let stop = pos;
    while (stop > comm && buf[stop - 1] === SPACE) stop--;
    if (stop > comm && isDigit(buf[stop - 1]!)) return false;
    this.commStart = comm;
    this.commEnd = stop;
    this.pid = this.tgid = -1;
    if (!this.afterTask(buf, pos, end) || this.timeForm !== TimeForm.seconds) return false;
    // a name with its subsystem is perf's
    let name = this.body;
    while (name < end && buf[name] !== COLON && buf[name] !== SPACE) name++;
    if (name === this.body || buf[name] !== COLON || (name + 1 < end && buf[name + 1] !== SPACE)) return false;
    this.headEnd = 0;
    return true;
  }

  /**
   * The same where the dash before the pid stands in the column that the kernel and trace-cmd put it in: then what is
   * before it is the comm, whatever it looks like.
   */
  parseInPlace(buf: Uint8Array, start: number, end: number): boolean {
    return this.dashAt(buf, start, start + COMM_WIDTH, end) || this.dashAt(buf, start, start + LATENCY_COMM_WIDTH, end);
  }

  private dashAt(buf: Uint8Array, start: number, dash: number, end: number): boolean {
    if (dash + 1 >= end || buf[dash] !== MINUS || !isDigit(buf[dash + 1]!)) return false;
    return this.afterDash(buf, start, dash, end);
  }

  private afterDash(buf: Uint8Array, start: number, dash: number, end: number): boolean {
    let pos = skipDigits(buf, dash + 1, end);
    if (pos - dash > MAX_PID_DIGITS + 1) return false;
    this.pid = decimal(buf, dash + 1, pos);
    this.tgid = -1;
    const gap = pos;
    pos = skipSpaces(buf, pos, end);
    if (pos === gap || pos >= end) return false;
    this.commStart = Math.min(skipSpaces(buf, start, dash), dash);
    this.commEnd = dash;
    if (buf[pos] === LPAREN) {
      pos = this.threadGroup(buf, pos, end);
      if (pos < 0) return false;
    }
    if (pos < end && buf[pos] === LBRACKET) return this.afterTask(buf, pos, end);
    if (pos < end && isDigit(buf[pos]!)) return this.latency(buf, pos, end);
    return false;
  }

  /** `(    101) ` or `(-------) ` at `pos`; answers where the next column begins, or -1. */
  private threadGroup(buf: Uint8Array, pos: number, end: number): number {
    pos = skipSpaces(buf, pos + 1, end);
    if (pos < end && isDigit(buf[pos]!)) {
      const stop = skipDigits(buf, pos, end);
      this.tgid = decimal(buf, pos, stop);
      pos = stop;
    } else while (pos < end && buf[pos] === MINUS) pos++;
    return pos < end && buf[pos] === RPAREN ? skipSpaces(buf, pos + 1, end) : -1;
  }

  /** `[001] d..1.    17.012627: ` */
  private afterTask(buf: Uint8Array, pos: number, end: number): boolean {
    const cpuEnd = skipDigits(buf, pos + 1, end);
    if (cpuEnd === pos + 1 || cpuEnd >= end || buf[cpuEnd] !== RBRACKET) return false;
    this.cpu = cpuOf(buf, pos + 1, cpuEnd);
    pos = skipSpaces(buf, cpuEnd + 1, end);
    // 4.13 to 4.17 print the thread group here
    if (pos < end && buf[pos] === LPAREN) {
      pos = this.threadGroup(buf, pos, end);
      if (pos < 0) return false;
    }
    if (pos >= end) return false;
    this.flagsStart = this.flagsEnd = 0;
    this.context = Context.unknown;
    this.headEnd = cpuEnd + 1;
    if (this.time(buf, pos, end)) return true;
    this.headEnd = pos;
    const stop = this.flags(buf, pos, end);
    if (stop < 0 || stop >= end || buf[stop] !== SPACE) return false;
    return this.time(buf, skipSpaces(buf, stop, end), end);
  }

  /**
   * `d..1.`: irqs-off, need-resched, hard or soft interrupt, preemption depth, migration depth. 3 to 8 characters: other
   * trees add columns. `-0x9`: the byte they were made of, glued to the CPU (trace-cmd 3.3 on, with -R). Answers where the
   * column ends, or -1.
   */
  private flags(buf: Uint8Array, pos: number, end: number): number {
    let stop = pos;
    if (buf[pos] === MINUS) {
      if (pos + 3 >= end || !hasHexPrefix(buf, pos + 1, end)) return -1;
      stop = skipHex(buf, pos + 3, end);
      if (stop - pos > 5) return -1;
      this.flagsStart = pos;
      this.flagsEnd = stop;
      this.context = contextOfBits(hex(buf, pos + 3, stop));
      return stop;
    }
    while (stop < end && isFlag(buf[stop]!)) stop++;
    if (stop - pos < 3 || stop - pos > 8) return -1;
    this.flagsStart = pos;
    this.flagsEnd = stop;
    this.context = contextOf(buf[pos + 2]!);
    return stop;
  }

  /** `17.012627: ` or `66443352340: ` */
  private time(buf: Uint8Array, pos: number, end: number): boolean {
    const stop = skipDigits(buf, pos, end);
    this.dot = this.colon = 0;
    if (stop === pos || stop >= end) return false;
    if (buf[stop] === COLON) {
      if (stop + 1 < end && buf[stop + 1] !== SPACE) return false;
      this.timeForm = TimeForm.ticks;
      this.ticksStart = pos;
      this.ticksEnd = stop;
      this.body = Math.min(stop + 2, end);
      return true;
    }
    if (buf[stop] !== DOT) return false;
    const fractionEnd = skipDigits(buf, stop + 1, end);
    if (fractionEnd === stop + 1 || fractionEnd - stop > 10 || fractionEnd >= end || buf[fractionEnd] !== COLON)
      return false;
    if (fractionEnd + 1 < end && buf[fractionEnd + 1] !== SPACE) return false;
    this.timeForm = TimeForm.seconds;
    this.seconds = decimal(buf, pos, stop);
    this.fraction_ns = fraction(buf, stop + 1, fractionEnd);
    this.dot = stop;
    this.colon = fractionEnd;
    this.body = Math.min(fractionEnd + 2, end);
    return true;
  }

  /** `1..... 12058129us!: ` */
  private latency(buf: Uint8Array, pos: number, end: number): boolean {
    const cpuEnd = skipDigits(buf, pos, end);
    this.cpu = cpuOf(buf, pos, cpuEnd);
    this.headEnd = 0;
    this.flagsStart = this.flagsEnd = 0;
    this.context = Context.unknown;
    pos = cpuEnd;
    // the flags touch the CPU, or (trace-cmd 3.3) stand apart
    const apart = skipSpaces(buf, pos, end);
    if (apart < end && !isDigit(buf[apart]!)) {
      pos = this.flags(buf, apart, end);
      if (pos < 0) return false;
    }
    pos = skipSpaces(buf, pos, end);
    // trace-cmd report -l prints the time itself, counting clocks have no unit
    if (this.time(buf, pos, end)) return true;
    const stop = skipDigits(buf, pos, end);
    if (stop === pos) return false;
    // `us`, a mark of one character, a colon
    if (stop + 3 >= end || buf[stop] !== LETTER_u || buf[stop + 1] !== LETTER_s || buf[stop + 3] !== COLON)
      return false;
    if (stop + 4 < end && buf[stop + 4] !== SPACE) return false;
    this.timeForm = TimeForm.relative;
    const us = decimal(buf, pos, stop);
    this.seconds = Math.floor(us / 1e6);
    this.fraction_ns = (us % 1e6) * 1000;
    this.body = Math.min(stop + 5, end);
    return true;
  }

  /** `            bash     101   1 0 00000000 [00b7fd11] 12058.129ms (+0.001ms): ` */
  private verbose(buf: Uint8Array, start: number, end: number): boolean {
    const comm = skipSpaces(buf, start, end);
    if (start + COMM_WIDTH >= end || buf[start + COMM_WIDTH] !== SPACE || comm > start + COMM_WIDTH) return false;
    let pos = skipSpaces(buf, start + COMM_WIDTH, end);
    const pidEnd = skipDigits(buf, pos, end);
    if (pidEnd === pos) return false;
    const pid = decimal(buf, pos, pidEnd);
    pos = skipSpaces(buf, pidEnd, end);
    const cpuEnd = skipDigits(buf, pos, end);
    if (cpuEnd === pos) return false;
    const cpu = cpuOf(buf, pos, cpuEnd);
    pos = skipSpaces(buf, cpuEnd, end);
    const flagsEnd = skipDigits(buf, pos, end);
    if (flagsEnd === pos) return false;
    const flags = decimal(buf, pos, flagsEnd);
    // preemption count and, in older kernels, an index
    pos = flagsEnd;
    for (let i = 0; i < 2; i++) {
      pos = skipSpaces(buf, pos, end);
      pos = skipHex(buf, pos, end);
    }
    pos = skipSpaces(buf, pos, end);
    if (pos >= end || buf[pos] !== LBRACKET) return false;
    const stampEnd = skipHex(buf, pos + 1, end);
    if (stampEnd === pos + 1 || stampEnd >= end || buf[stampEnd] !== RBRACKET) return false;
    const us = hex(buf, pos + 1, stampEnd);
    pos = skipSpaces(buf, stampEnd + 1, end);
    while (pos < end && buf[pos] !== PLUS && buf[pos] !== COLON) pos++;
    while (pos < end && buf[pos] !== COLON) pos++;
    if (pos + 1 >= end || buf[pos + 1] !== SPACE) return false;
    this.commStart = comm;
    this.commEnd = start + COMM_WIDTH;
    this.pid = pid;
    this.tgid = -1;
    this.cpu = cpu;
    this.context = contextOfBits(flags);
    this.headEnd = 0;
    this.flagsStart = this.flagsEnd = 0;
    // the bracket holds the clock itself in µs, the ms columns the distance from the buffer's start
    this.timeForm = TimeForm.seconds;
    this.seconds = Math.floor(us / 1e6);
    this.fraction_ns = (us % 1e6) * 1000;
    this.body = pos + 2;
    return true;
  }
}

/** The number of a CPU; -1 for one that no kernel has. */
export function cpuOf(buf: Uint8Array, start: number, end: number): number {
  const cpu = decimal(buf, start, end);
  return cpu <= MAX_CPU ? cpu : -1;
}

const LETTER_u = 117;
const LETTER_s = 115;

/** A character of the flags column. */
export function isFlag(c: number): boolean {
  return c === DOT || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || isDigit(c) || c === 35;
}

/** The flags as a number (enum trace_flag_type, include/linux/trace_events.h): 8 hardirq, 0x10 softirq, 0x40 NMI. */
function contextOfBits(flags: number): number {
  if (flags & 0x40) return Context.nmi;
  if (flags & 0x08) return Context.hardirq;
  return flags & 0x10 ? Context.softirq : Context.task;
}

/** Character 3 of the flags: `.` task, `s` softirq, `h` hardirq, `H` hardirq in a softirq, `z` NMI, `Z` NMI in a hardirq */
export function contextOf(c: number): number {
  switch (c) {
    case DOT:
      return Context.task;
    case 115:
      return Context.softirq;
    case 104:
    case 72:
      return Context.hardirq;
    case 122:
    case 90:
      return Context.nmi;
    default:
      return Context.unknown;
  }
}

/** The digits after a decimal point in ns: `012627` is 12627000. At most 9 digits. */
export function fraction(buf: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < start + 9; i++) value = value * 10 + (i < end ? buf[i]! - DIGIT_0 : 0);
  return value;
}
