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
 * The oops and whatever else the log holds is counted as other text, but for lines of IOMMU faults (fault.ts). Times are those
 * since the buffer's start, not the log's: a fault has the time of the event before it and is marked as having none of its own.
 */

import {Context, EventKind} from '../../src/events/event.js';
import {ascii, copyBytes, CR, EQUALS, find, MINUS, startsWith, text} from '../bytes.js';
import {MAX_LINE} from '../lines/line-reader.js';
import {LooseLineReader} from '../loose-lines.js';
import {type FaultLine, faultOf} from './fault.js';
import {afterPrefix} from './prefix.js';

/** `Dumping ftrace buffer:`, and from 6.9 on `Dumping ftrace instance NAME buffer:` (ftrace_dump_one() of kernel/trace/trace.c) */
export const DUMPING = ascii('Dumping ftrace ');
const EMPTY = ascii('(ftrace buffer empty)');
const LINUX = ascii('Linux version ');
const TAINT = ascii('ainted');
const DROPPED = ascii('** ');
const COLON_SPACE = ascii(': ');

const RELEASE = /^Linux version (\d+\.\d+\S*) /;
/** `CPU: 3 PID: 1234 Comm: fio Not tainted 6.12.117-gupl #1` */
const OOPS_RELEASE = /^(?:CPU|Workqueue|PID): .*(?:Not tainted|Tainted: [^#]*?) (\d+\.\d+[^\s#]*) #/;
const MESSAGES = /^\*\* (\d{1,9}) printk messages? (?:dropped|suppressed)/;
/**
 * Who passes the log on lost a part of it: journald (src/journal/journald-kmsg.c, journald-rate-limit.c), rsyslog's imklog
 * and imuxsock.
 */
const PASSED_ON =
  /: (?:Missed (\d{1,9}) kernel messages|Suppressed (\d{1,9}) messages from |.{0,40}\blost (\d{1,9}) messages\b|\/dev\/kmsg buffer overrun, some messages lost)/;
const PASSED_WORD = ascii(' messages');
/** Lines of the log that say what the kernel is are short. */
const LOOKED_AT = 300;
/** One of these is in each line of a fault. */
const FAULTS = [ascii(' fault'), ascii('IO_PAGE_FAULT'), ascii('F_TRANSLATION')];
/** Most faults that are kept until the first event comes, which has a time. */
const HELD_MAX = 1000;
const FAULT_NAME = '(IOMMU fault in the log)';

interface HeldFault {
  fault: FaultLine;
  buf: Uint8Array;
  body: number;
  line: number;
  offset: number;
}

export class DmesgReader extends LooseLineReader {
  /** of a dump: none is open, its rule of dashes comes next, its events do */
  private dump: 'none' | 'announced' | 'within' = 'none';
  private release = false;
  /** time of the last event; NaN before the first */
  private lastTime = NaN;
  /** faults before the first event: a log has them before the oops that dumps the trace */
  private readonly held: HeldFault[] = [];

  protected override line(buf: Uint8Array, start: number, newline: number, offset: number): void {
    const end = newline > start && buf[newline - 1] === CR ? newline - 1 : newline;
    if (end - start > MAX_LINE) {
      this.tooLong(buf, start, end);
      return;
    }
    const body = afterPrefix(buf, start, end);
    if (body >= end || this.lossMarker(buf, body, end) || this.frame(buf, body, end)) return;
    if (this.columns.parseWhole(buf, body, end)) {
      const t = this.printedTime(buf);
      this.giveDumps(t);
      if (this.held.length > 0) for (const one of this.held.splice(0)) this.handFault(one, one.buf.length, t);
      this.lastTime = t;
      // a log may begin within a dump: the ring buffer of the log is the smaller of the two
      this.dump = 'within';
      this.hand(buf, start, end, this.counters.lines, offset + start, t);
    } else if (this.fault(buf, start, body, end, offset)) return;
    else if (this.dumpLine(buf, body, end, this.counters.lines, offset + start)) this.otherText++;
    else if (this.log(buf, body, end)) this.otherText++;
    else this.unrecognised(buf, start, end);
  }

  protected override now(): number {
    return this.lastTime;
  }

  /** Whether the line tells of an access that an IOMMU stopped. */
  private fault(buf: Uint8Array, start: number, body: number, end: number, offset: number): boolean {
    const stop = Math.min(end, body + LOOKED_AT);
    if (!FAULTS.some((word) => find(buf, body, stop, word) >= 0)) return false;
    const fault = faultOf(text(buf, body, stop));
    if (fault === undefined) return false;
    const one = {fault, line: this.counters.lines, offset: offset + start};
    if (!Number.isNaN(this.lastTime)) this.handFault({...one, buf, body}, end, this.lastTime, start);
    else if (this.held.length < HELD_MAX) this.held.push({...one, buf: copyBytes(buf, start, end), body: body - start});
    else return false;
    return true;
  }

  private handFault({fault, buf, body, line, offset}: HeldFault, end: number, t: number, start = 0): void {
    const {ev, counters} = this;
    this.closeStack();
    ev.buf = buf;
    ev.line = line;
    ev.offset = offset;
    ev.t = t;
    ev.pid = ev.tgid = ev.cpu = -1;
    ev.context = Context.unknown;
    ev.commStart = ev.commEnd = ev.nameStart = ev.nameEnd = ev.textStart = ev.textEnd = 0;
    ev.lineStart = start;
    ev.lineEnd = end;
    ev.begin(EventKind.IommuFault);
    ev.dmaAddr = fault.address;
    ev.access = fault.access;
    ev.untimed = 1;
    ev.deviceStart = fault.deviceEnd > 0 ? body + fault.deviceStart : 0;
    ev.deviceEnd = fault.deviceEnd > 0 ? body + fault.deviceEnd : 0;
    counters.events++;
    this.table.named(FAULT_NAME).count++;
    this.sink.event(ev);
  }

  /** A line of the log that is none of the trace. False if it looks like a damaged one of the trace. */
  private log(buf: Uint8Array, start: number, end: number): boolean {
    this.closeStack();
    if (find(buf, start, end, DUMPING) >= 0) {
      this.dump = 'announced';
      return true;
    }
    if (buf[start] === MINUS) {
      // `---------------------------------` begins a dump and ends it; other reports of the kernel have such lines too
      if (this.dump === 'within' && isRule(buf, start, end)) this.dump = 'none';
      return true;
    }
    if (find(buf, start, end, EMPTY) >= 0) this.sink.fact(this.options.input, 'buffer_empty', 'ftrace buffer empty');
    const stop = Math.min(end, start + LOOKED_AT);
    if (startsWith(buf, start, end, DROPPED)) this.dropped(MESSAGES.exec(text(buf, start, stop)));
    else if (find(buf, start, stop, PASSED_WORD) >= 0) this.dropped(PASSED_ON.exec(text(buf, start, stop)));
    else if (!this.release) this.kernel(buf, start, end);
    return this.dump === 'none' || !looksCut(buf, start, end);
  }

  /** The console, or who reads the log, lost messages: within a dump a message is an event. */
  private dropped(m: RegExpExecArray | null): void {
    if (!m || this.dump === 'none') return;
    const count = m.slice(1).find((digits) => digits !== undefined);
    this.sink.loss({
      input: this.options.input,
      line: this.counters.lines,
      cpu: -1,
      count: count === undefined ? -1 : Number(count),
      what: 'lost',
    });
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

  override end(): void {
    // a log without a trace: faults of nothing that is known
    this.otherText += this.held.splice(0).length;
    super.end();
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

/** Task, CPU and flags, with nothing that the columns after them could be read from. */
const COLUMNS = /^ {0,8}\S.{0,15}-\d{1,10} {1,8}\d{1,4}[.dDnNbB]/;

/** What the console left of an event: its first columns, or a name, a colon, pairs. */
function looksCut(buf: Uint8Array, start: number, end: number): boolean {
  if (COLUMNS.test(text(buf, start, Math.min(end, start + 48)))) return true;
  if (find(buf, start, end, COLON_SPACE) < 0) return false;
  const equals = buf.indexOf(EQUALS, start);
  return equals >= 0 && equals < end && PAIRS.some((pair) => find(buf, start, end, pair) >= 0);
}
