/**
 * Whether a line stands by itself: is it an event of some form with a time of its own? Of what tools put before lines,
 * only that may be taken away which leaves such lines behind.
 */

import {DOT, EQUALS, isDigit, LBRACE, QUOTE, skipDigits, skipSpaces, SPACE, startsWith, ascii} from '../bytes.js';
import {afterPrefix} from '../dmesg/prefix.js';
import {LineContext, TimeForm} from '../ftrace/context.js';
import {PerfColumns} from '../perf-script/columns.js';

const SCHEMA_KEYS = ['cpu', 'pid', 'tid', 'comm'].map(ascii);

export class Standing {
  private readonly ftrace = new LineContext();
  private readonly perf = new PerfColumns();

  /** the line that was asked for last has the columns of the kernel's tools, not of a program of bpftrace */
  columns = false;
  /** and a task of its own */
  tasked = false;

  /**
   * Where the first column of the event that `buf[start..end)` is begins: its comm in most forms. -1: no such event.
   */
  at(buf: Uint8Array, start: number, end: number): number {
    this.columns = this.tasked = true;
    if (this.ftrace.parse(buf, start, end)) {
      this.tasked = this.ftrace.pid >= 0 || this.ftrace.commEnd > this.ftrace.commStart;
      return this.ftrace.commStart;
    }
    if (this.perf.parse(buf, start, end)) return this.perf.commStart;
    const body = afterPrefix(buf, start, end);
    // other tools put times of day in brackets too
    if (body > start && this.ftrace.parse(buf, body, end) && (this.isDump || hasByte(buf, start, body, DOT)))
      return start;
    this.columns = false;
    return schema(buf, start, end) || record(buf, start, end) ? start : -1;
  }

  /** The line just read has the columns of a dump, which count from its buffer's start. */
  private get isDump(): boolean {
    return this.ftrace.timeForm === TimeForm.relative;
  }

  /** The same where the columns stand exactly where the kernel prints them. */
  inPlace(buf: Uint8Array, start: number, end: number): boolean {
    return this.ftrace.parseInPlace(buf, start, end);
  }
}

function hasByte(buf: Uint8Array, start: number, end: number, byte: number): boolean {
  const at = buf.indexOf(byte, start);
  return at >= 0 && at < end;
}

/** `61966072758 cpu=1 pid=398 ...` of bpftrace programs */
function schema(buf: Uint8Array, start: number, end: number): boolean {
  const first = skipSpaces(buf, start, end);
  const digits = skipDigits(buf, first, end);
  if (digits - first < 6 || buf[digits] !== SPACE) return false;
  const key = skipSpaces(buf, digits, end);
  return SCHEMA_KEYS.some((name) => startsWith(buf, key, end, name) && buf[key + name.length] === EQUALS);
}

/** `{"type": ...` of bpftrace -f json */
function record(buf: Uint8Array, start: number, end: number): boolean {
  return (
    start < end && buf[start] === LBRACE && buf[skipSpaces(buf, start + 1, end)] === QUOTE && !isDigit(buf[end - 1]!)
  );
}
