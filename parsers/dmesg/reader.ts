/**
 * ftrace's ring buffer as the kernel dumps it to its log after an oops (ftrace_dump() of kernel/trace/trace.c: `ftrace_dump_on_oops`,
 * sysrq-z), out of dmesg, a serial console, pstore or a syslog:
 *
 *     [   35.124000] Dumping ftrace buffer:
 *     [   35.124001] ---------------------------------
 *     [   35.124002]     fio-1234      3..... 276242022us : page_ref_mod: pfn=0x206a78 flags=... count=3 ... val=-1
 *     [   35.124003] CPU:3 [LOST 12 EVENTS]
 *     [   35.124004] ** 5 printk messages dropped **
 *     [   35.124005] ---------------------------------
 *
 * The oops and whatever else the log holds is counted as other text. Times are those since the buffer's start, not the log's.
 */

import {ascii, CR, EQUALS, find, MINUS, startsWith, text} from '../bytes.js';
import {MAX_LINE} from '../lines/line-reader.js';
import {LooseLineReader} from '../loose-lines.js';
import {afterPrefix} from './prefix.js';

export const DUMPING = ascii('Dumping ftrace buffer:');
const LINUX = ascii('Linux version ');
const TAINT = ascii('ainted');
const DROPPED = ascii('** ');
const COLON_SPACE = ascii(': ');

const RELEASE = /^Linux version (\d+\.\d+\S*) /;
/** `CPU: 3 PID: 1234 Comm: fio Not tainted 6.12.117-gupl #1` */
const OOPS_RELEASE = /^(?:CPU|Workqueue|PID): .*(?:Not tainted|Tainted: [^#]*?) (\d+\.\d+[^\s#]*) #/;
const MESSAGES = /^\*\* (\d{1,9}) printk messages? (?:dropped|suppressed)/;
/** Lines of the log that say what the kernel is are short. */
const LOOKED_AT = 300;

export class DmesgReader extends LooseLineReader {
  private dumping = false;
  private release = false;

  protected override line(buf: Uint8Array, start: number, newline: number, offset: number): void {
    const end = newline > start && buf[newline - 1] === CR ? newline - 1 : newline;
    if (end - start > MAX_LINE) {
      this.tooLong(buf, start, end);
      return;
    }
    const body = afterPrefix(buf, start, end);
    if (body >= end || this.lossMarker(buf, body, end) || this.frame(buf, body, end)) return;
    if (this.columns.parseWhole(buf, body, end)) {
      this.hand(buf, start, end, this.counters.lines, offset + start, this.printedTime(buf));
    } else if (this.log(buf, body, end)) this.otherText++;
    else this.unrecognised(buf, start, end);
  }

  /** A line of the log that is none of the trace. False if it looks like a damaged one of the trace. */
  private log(buf: Uint8Array, start: number, end: number): boolean {
    this.closeStack();
    if (find(buf, start, end, DUMPING) >= 0) {
      this.dumping = true;
      return true;
    }
    if (buf[start] === MINUS) {
      if (isRule(buf, start, end)) this.rule();
      return true;
    }
    if (startsWith(buf, start, end, DROPPED)) this.dropped(text(buf, start, Math.min(end, start + LOOKED_AT)));
    else if (!this.release) this.kernel(buf, start, end);
    // cut by the console: an event's name, a colon, pairs
    return !(this.dumping && find(buf, start, end, COLON_SPACE) >= 0 && looksCut(buf, start, end));
  }

  /** `---------------------------------` begins a dump and ends it. */
  private rule(): void {
    this.rules++;
    if (this.rules % 2 === 0) this.dumping = false;
  }

  private rules = 0;

  /** The console lost messages: within a dump a message is an event. */
  private dropped(line: string): void {
    const m = MESSAGES.exec(line);
    if (!m || !this.dumping) return;
    this.sink.loss({input: this.options.input, line: this.counters.lines, cpu: -1, count: Number(m[1]), what: 'lost'});
  }

  private kernel(buf: Uint8Array, start: number, end: number): void {
    const linux = startsWith(buf, start, end, LINUX);
    const stop = Math.min(end, start + LOOKED_AT);
    if (!linux && find(buf, start, stop, TAINT) < 0) return;
    const m = (linux ? RELEASE : OOPS_RELEASE).exec(text(buf, start, stop));
    if (!m) return;
    this.release = true;
    this.sink.fact(this.options.input, 'kernel', m[1]!);
    if (this.options.kernel === undefined) this.table.context.setKernel(m[1]);
  }

  // line() reads everything by itself
  protected special(): boolean {
    return false;
  }

  protected eventLine(): void {}
}

/** A line of dashes only. */
function isRule(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start < 10) return false;
  for (let i = start; i < end; i++) if (buf[i] !== MINUS) return false;
  return true;
}

const PAIRS = [ascii(' pfn='), ascii(' page='), ascii(' folio='), ascii('_ref_')];

function looksCut(buf: Uint8Array, start: number, end: number): boolean {
  const equals = buf.indexOf(EQUALS, start);
  return equals >= 0 && equals < end && PAIRS.some((pair) => find(buf, start, end, pair) >= 0);
}
