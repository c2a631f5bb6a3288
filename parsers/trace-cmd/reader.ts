/**
 * The text of `trace-cmd report` (tracecmd/trace-read.c, libtraceevent), 2.x to 3.4:
 *
 *     cpus=2
 *                 bash-505   [000]    29.470794: mm_page_alloc:        page=0xffffffffbaddbb74 pfn=0x35dc order=1 ...
 *                 bash-505   [000]    29.471982: try_grab_folio:       (ffffffffb9b80384) folio=0xfffff011000b4440 refs=1
 *                 fio-1234   [003] d..2.  1234.567890: page_ref_mod:   pfn=...                          3.3 and later
 *          fio-1234    3d..2.  1234.567890: page_ref_mod:         pfn=...                               -l
 *                 bash-505   [000]    29.470794123: mm_page_alloc:     ...                              -t
 *     buffer1:             bash-505   [000]    29.470794: mm_page_alloc: ...                            several buffers
 *     CPU:1 [2292 EVENTS DROPPED]
 *                 bash-505   [000]    29.470799: kernel_stack:         <stack trace >
 *     => __alloc_pages_noprof (ffffffff812e1078)
 *                 work-442   [000]    32.400591: kernel_stack:         \t=> trace_event_raw_event_dma_map      no plugins
 *     \t=> dma_map_page_attrs
 *     \t=> 0x0
 */

import {EventKind, type EventSink} from '../../src/events/event.js';
import {
  COLON,
  CR,
  EQUALS,
  GREATER,
  HASH,
  hashBytes,
  LPAREN,
  PLUS,
  RPAREN,
  SPACE,
  skipDigits,
  skipSpaces,
  startsWith,
  TAB,
  text,
} from '../bytes.js';
import {After, EventLineReader, type NameColumn} from '../lines/event-lines.js';
import {FlagPrinter} from '../events/page-flags.js';
import type {OpenOptions} from '../form.js';
import {LineContext, TimeForm} from '../ftrace/context.js';
import {headerLine, lossLine} from '../ftrace/header.js';

const CPUS = new TextEncoder().encode('cpus=');
const CPU_COLON = new TextEncoder().encode('CPU:');
/** Lines of trace-cmd about the file, not of events: `CPU 3 is empty`, `version = 7`, ... */
const REMARK =
  /^(?:CPU \d+ is empty|version = \S+|(?:CPU:\d+ )?\[SUBBUFFER START\]|\S* ?(?:PADDING|TIME EXTEND|TIME STAMP):)/;
const NO_FRAME = new TextEncoder().encode('0x0');
/** TASK_COMM_LEN without its end (include/linux/sched.h). */
const MAX_COMM = 15;
/** Names of buffers and files before a line are no longer than a file name. */
const MAX_PREFIX = 256;

export class TraceCmdReader extends EventLineReader {
  private readonly columns = new LineContext();
  protected override readonly names: NameColumn | undefined = 'left';
  /** width of the column that names the buffer or file, with its colon */
  private prefix = 0;

  constructor(sink: EventSink, options: OpenOptions) {
    super(sink, options);
    this.table.context.printer = FlagPrinter.libtraceevent;
  }

  protected special(buf: Uint8Array, start: number, end: number): boolean {
    let pos = skipSpaces(buf, start, end);
    if (pos === end) return true;
    // events are indented; facts of `pinscope record` around the report are not
    if (buf[start] === HASH) {
      const release = headerLine(buf, start, end, this.counters.lines, this.options.input, this.sink);
      if (release !== undefined) this.table.context.setKernel(release);
      return true;
    }
    if (this.frameLine(buf, start, end)) return true;
    pos = start + this.prefix;
    if (pos < end && this.remark(buf, skipSpaces(buf, pos, end), end)) return true;
    return this.prefix > 0 && this.remark(buf, start, end);
  }

  private remark(buf: Uint8Array, pos: number, end: number): boolean {
    const {input} = this.options;
    if (startsWith(buf, pos, end, CPUS)) {
      // the report of another recording, or of another of its buffers
      if (this.counters.events > 0)
        this.sink.loss({input, line: this.counters.lines, cpu: -1, count: -1, what: 'again'});
      this.sink.fact(input, 'cpus', text(buf, pos + 5, skipDigits(buf, pos + 5, end)));
      return true;
    }
    const {sink, prefix} = this;
    if (startsWith(buf, pos, end, CPU_COLON) && lossLine(buf, pos, end, this.counters.lines, input, sink, prefix > 0)) {
      this.endStack();
      return true;
    }
    // all of them begin with one of these letters or a bracket
    const c = buf[pos]!;
    if (c !== 67 && c !== 118 && c !== 91 && c !== 80 && c !== 84) return false;
    return REMARK.test(text(buf, pos, Math.min(end, pos + 80)));
  }

  /** `=> __alloc_pages_noprof (ffffffff812e1078)`, after blanks or a tab. False if it is none. */
  private frameLine(buf: Uint8Array, start: number, end: number): boolean {
    let pos = start;
    while (pos < end && (buf[pos] === SPACE || buf[pos] === TAB)) pos++;
    if (pos + 1 >= end || buf[pos] !== EQUALS || buf[pos + 1] !== GREATER) return false;
    if (this.after === After.stack) this.frame(buf, skipSpaces(buf, pos + 2, end), end);
    return true;
  }

  /** `__alloc_pages_noprof (ffffffff812e1078)` */
  private frame(buf: Uint8Array, start: number, end: number): void {
    let stop = end;
    while (stop > start && buf[stop - 1] === SPACE) stop--;
    if (stop > start && buf[stop - 1] === RPAREN) {
      let bracket = stop - 1;
      while (bracket > start && buf[bracket] !== LPAREN) bracket--;
      if (bracket > start && buf[bracket - 1] === SPACE) stop = bracket - 1;
    }
    // without its plugins trace-cmd prints eight entries always
    if (stop - start === NO_FRAME.length && startsWith(buf, start, stop, NO_FRAME)) return;
    if (stop > start) this.sink.stackFrame(buf, start, stop);
  }

  protected eventLine(buf: Uint8Array, start: number, end: number, offset: number): void {
    const columns = this.columns;
    if (!this.parseColumns(buf, start, end)) {
      if (this.after === After.text) return;
      this.endStack();
      this.unrecognised(buf, start, end);
      return;
    }
    const ev = this.ev;
    const counters = this.counters;
    this.endStack();
    this.learn(buf, start, columns);
    counters.events++;
    ev.line = counters.lines;
    ev.offset = offset + start;
    ev.lineStart = start;
    ev.lineEnd = end;
    ev.commStart = columns.commStart;
    ev.commEnd = columns.commEnd;
    ev.pid = columns.pid;
    ev.tgid = columns.tgid;
    ev.cpu = columns.cpu;
    ev.context = columns.context;
    ev.t =
      columns.timeForm === TimeForm.ticks
        ? this.clock.fromTicks(buf, columns.ticksStart, columns.ticksEnd)
        : this.clock.fromSeconds(columns.seconds, columns.fraction_ns);
    counters.time(ev);
    let body = skipSpaces(buf, columns.body, end);
    // --ts-diff: `(+123) `
    if (body + 1 < end && buf[body] === LPAREN && buf[body + 1] === PLUS) {
      while (body < end && buf[body] !== RPAREN) body++;
      body = skipSpaces(buf, body + 1, end);
    }
    this.body(buf, body, end);
  }

  /** `name:    payload` */
  private body(buf: Uint8Array, start: number, end: number): void {
    let pos = start;
    while (pos < end && buf[pos] !== COLON && buf[pos]! > SPACE) pos++;
    const ev = this.ev;
    if (pos === start || pos >= end || buf[pos] !== COLON) {
      this.table.named('(text)').count++;
      this.tornName(buf, start, end);
      ev.kind = EventKind.Other;
      this.give();
      return;
    }
    const entry = this.table.entry(buf, start, pos, hashBytes(buf, start, pos));
    entry.count++;
    ev.nameStart = start;
    ev.nameEnd = pos;
    if (entry.name === 'kernel_stack') {
      this.beginStack(ev.cpu, ev.pid);
      // without its plugins trace-cmd prints the first frame here
      this.frameLine(buf, Math.min(pos + 1, end), end);
      return;
    }
    if (entry.name === 'user_stack') {
      this.after = After.skippedStack;
      return;
    }
    this.payload(entry, buf, Math.min(pos + 1, end), end);
  }

  /** The columns, after the name of a buffer or file where the report has several. */
  private parseColumns(buf: Uint8Array, start: number, end: number): boolean {
    const columns = this.columns;
    if (this.prefix > 0 && columns.parseInPlace(buf, start + this.prefix, end)) return true;
    // a longer name of a task is the name of a buffer, and a task's
    const plain = columns.parseInPlace(buf, start, end);
    if (plain && columns.commEnd - columns.commStart <= MAX_COMM) return true;
    // `%*s: ` before the columns; names may hold blanks of their own only before them
    let pos = skipSpaces(buf, start, end);
    const limit = Math.min(end, start + MAX_PREFIX);
    while (pos + 1 < limit && !(buf[pos] === COLON && buf[pos + 1] === SPACE)) {
      if (buf[pos] === SPACE || buf[pos] === CR) break;
      pos++;
    }
    if (pos + 1 < limit && buf[pos] === COLON && columns.parseInPlace(buf, pos + 2, end)) {
      this.prefix = pos + 2 - start;
      return true;
    }
    return columns.parse(buf, start, end);
  }
}
