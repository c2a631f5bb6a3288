/**
 * Trace lines one at a time, between lines that are something else: an oops around an ftrace dump, prose around an
 * excerpt in a mail. A form strips what stands before a line (a log's prefix, quote marks) and gives the rest here.
 */

import {Context, EventKind, type TraceEvent} from '../src/events/event.js';
import {
  ascii,
  EQUALS,
  GREATER,
  HEX,
  hashBytes,
  LESS,
  LF,
  LPAREN,
  RPAREN,
  skipHex,
  skipSpaces,
  SPACE,
  startsWith,
  TAB,
  text,
} from './bytes.js';
import {type PageDump, PageDumps} from './dmesg/page-dump.js';
import {After, EventLineReader} from './lines/event-lines.js';
import {FlagPrinter} from './events/page-flags.js';
import {MAX_CPU} from './form.js';
import {TimeForm} from './ftrace/context.js';
import {lossLine} from './ftrace/header.js';
import {LooseColumns} from './loose-columns.js';

/** First letters of the lines of a page's dump. */
const DUMP_FIRST = new Set([...'pPhfrB'].map((c) => c.charCodeAt(0)));
const DUMP_BYTES = 500;
/** Dumps told as facts, and kept until the first event comes. */
const DUMPS_TOLD = 8;
const DUMPS_HELD = 1000;

const CPU_COLON = ascii('CPU:');
const STACK = ascii('<stack trace');
const USER_STACK = ascii('<user stack trace');
const KERNEL_STACK = ascii('kernel_stack');
const USER_STACK_EVENT = ascii('user_stack');

export abstract class LooseLineReader extends EventLineReader {
  protected override readonly wholeOnly = false;
  protected readonly columns = new LooseColumns();
  /** an event was read, and what stands below it may be its stack */
  private stackOpen = false;
  /** lines that are none of the trace's */
  protected otherText = 0;

  override end(): void {
    super.end();
    this.endDump();
    if (this.otherText > 0) this.sink.fact(this.options.input, 'lines_of_other_text', String(this.otherText));
  }

  /** Events may lie in other bytes than the chunk's, so the next line is looked for in the chunk itself. */
  protected override region(buf: Uint8Array, start: number, stop: number, offset: number): void {
    while (start < stop) {
      this.counters.lines++;
      const newline = buf.indexOf(LF, start);
      this.line(buf, start, newline, offset);
      start = newline + 1;
    }
  }

  // --- dumps of pages between the lines (dmesg/page-dump.ts): no events, but they stand in a page's history

  private readonly dumps = new PageDumps();
  private readonly heldDumps: PageDump[] = [];
  private dumpsTold = 0;

  /** The time of the last event; NaN before the first. */
  protected abstract now(): number;

  /** Whether the line, without what stands before it, is one of a page's dump. */
  protected dumpLine(buf: Uint8Array, start: number, end: number, line: number, offset: number): boolean {
    start = skipSpaces(buf, start, end);
    if (start >= end || !DUMP_FIRST.has(buf[start]!)) return false;
    const {mine, dump} = this.dumps.line(text(buf, start, Math.min(end, start + DUMP_BYTES)), line, offset);
    if (dump) this.dumped(dump);
    return mine;
  }

  private dumped(dump: PageDump): void {
    if (this.dumpsTold++ < DUMPS_TOLD) {
      const name = this.dumpsTold === 1 ? 'page_dump' : `page_dump_${this.dumpsTold}`;
      this.sink.fact(this.options.input, name, `line ${dump.line}: ${dump.text}`);
    }
    if (this.heldDumps.length < DUMPS_HELD) this.heldDumps.push(dump);
    if (!Number.isNaN(this.now())) this.giveDumps(this.now());
  }

  /** Hands over the dumps so far, as marks at a time: that of the event before, or of the first one. */
  protected giveDumps(t: number): void {
    const {ev, counters} = this;
    for (const {text: said, line, offset} of this.heldDumps.splice(0)) {
      this.closeStack();
      ev.buf = Buffer.from(said);
      ev.line = line;
      ev.offset = offset;
      ev.t = t;
      ev.pid = ev.tgid = ev.cpu = -1;
      ev.context = Context.unknown;
      ev.commStart = ev.commEnd = ev.nameStart = ev.nameEnd = ev.deviceStart = ev.deviceEnd = 0;
      ev.lineStart = ev.textStart = 0;
      ev.lineEnd = ev.textEnd = ev.buf.length;
      ev.begin(EventKind.Marker);
      counters.events++;
      this.table.named('(page dump in the log)').count++;
      this.sink.event(ev);
    }
  }

  private endDump(): void {
    const dump = this.dumps.end();
    if (dump) this.dumped(dump);
    if (this.heldDumps.length === 0) return;
    // no event has a time: the lines are in order
    this.sink.fact(this.options.input, 'clock', 'line order');
    this.sink.fact(this.options.input, 'clock_unit', 'ticks');
    for (const held of this.heldDumps.splice(0)) {
      this.heldDumps.push(held);
      this.giveDumps(this.options.time.fromInteger(BigInt(held.line), 'ticks'));
    }
  }

  /** Whether the line is a loss marker, which is then handed over. */
  protected lossMarker(buf: Uint8Array, start: number, end: number, line = this.counters.lines): boolean {
    if (!isLossMarker(buf, start, end)) return false;
    const pos = skipSpaces(buf, start, end);
    if (!lossLine(buf, pos, end, line, this.options.input, this.sink)) return false;
    this.closeStack();
    return true;
  }

  /**
   * A frame below an event. False if the line is none, or no event is above it.
   *
   *     ` => __alloc_pages_noprof`   ` => __alloc_pages_noprof+0x268/0x2e0 <ffffffff812e1078>`        ftrace
   *     `=> __alloc_pages_noprof (ffffffff812e1078)`                                                  trace-cmd
   *     `<TAB>ffffffff812e1078 __alloc_pages_noprof+0x268 ([kernel.kallsyms])`                        perf
   */
  protected frame(buf: Uint8Array, start: number, end: number): boolean {
    if (!this.stackOpen) return false;
    const pos = frameStart(buf, start, end);
    if (pos < 0) return false;
    if (pos === end) return true;
    const stop = withoutTail(buf, pos, end);
    if (stop === pos) return false;
    if (this.after === After.nothing || this.after === After.text) this.beginStack(this.ev.cpu, this.ev.pid);
    if (this.after === After.stack) this.sink.stackFrame(buf, pos, stop);
    return true;
  }

  /** What is above does not go on below this line. */
  protected closeStack(): void {
    this.endStack();
    this.stackOpen = false;
  }

  /**
   * Hands over the event whose columns were just read. `[recordStart, recordEnd)` is what the report shows as its line;
   * `t` its time.
   */
  protected hand(
    buf: Uint8Array,
    recordStart: number,
    recordEnd: number,
    line: number,
    offset: number,
    t: number,
  ): void {
    const {columns, ev, counters} = this;
    this.closeStack();
    ev.buf = buf;
    this.place(ev, t, line, offset);
    ev.lineStart = recordStart;
    ev.lineEnd = recordEnd;
    const {body} = columns;
    const kernelStack = startsWith(buf, body, recordEnd, STACK) || startsWith(buf, body, recordEnd, KERNEL_STACK);
    if (
      kernelStack ||
      startsWith(buf, body, recordEnd, USER_STACK) ||
      startsWith(buf, body, recordEnd, USER_STACK_EVENT)
    ) {
      this.stackOpen = true;
      if (kernelStack) this.beginStack(ev.cpu, ev.pid);
      else this.after = After.skippedStack;
      return;
    }
    counters.events++;
    counters.time({t, cpu: ev.cpu});
    this.stackOpen = true;
    if (columns.nameEnd === columns.nameStart) {
      this.table.named('(text)').count++;
      ev.kind = EventKind.Other;
      this.after = After.skippedStack;
      return;
    }
    const entry = this.table.entry(
      buf,
      columns.nameStart,
      columns.nameEnd,
      hashBytes(buf, columns.nameStart, columns.nameEnd),
    );
    entry.count++;
    ev.nameStart = columns.nameStart;
    ev.nameEnd = columns.nameEnd;
    // trace-cmd pads the name, perf has the subsystem before it; both print page flags as numbers
    const padded = buf[columns.payload] === SPACE && buf[columns.payload + 1] === SPACE;
    this.table.context.printer = padded || entry.name.includes(':') ? FlagPrinter.libtraceevent : FlagPrinter.kernel;
    this.payload(entry, buf, Math.min(columns.payload, recordEnd), recordEnd);
    if (ev.kind === EventKind.Other) this.after = After.skippedStack;
  }

  private place(ev: TraceEvent, t: number, line: number, offset: number): void {
    const {columns} = this;
    ev.line = line;
    ev.offset = offset;
    ev.t = t;
    ev.commStart = columns.commStart;
    ev.commEnd = columns.commEnd;
    ev.pid = columns.pid;
    ev.tgid = columns.tgid;
    ev.cpu = columns.cpu <= MAX_CPU ? columns.cpu : -1;
    ev.context = columns.context;
  }

  /** The time of the columns just read; they have one. */
  protected printedTime(buf: Uint8Array): number {
    const {columns, clock} = this;
    switch (columns.timeForm) {
      case TimeForm.ticks:
        return clock.fromTicks(buf, columns.ticksStart, columns.ticksEnd);
      case TimeForm.relative:
        return clock.fromRelative(columns.seconds, columns.fraction_ns);
      default:
        return clock.fromSeconds(columns.seconds, columns.fraction_ns);
    }
  }
}

/** `CPU:3 [LOST 12 EVENTS]` */
export function isLossMarker(buf: Uint8Array, start: number, end: number): boolean {
  return startsWith(buf, skipSpaces(buf, start, end), end, CPU_COLON);
}

/**
 * Where the symbol of a frame begins; `end` for a frame of user space, which says nothing about pages; -1 if the line is
 * no frame.
 */
export function frameStart(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  while (pos < end && (buf[pos] === SPACE || buf[pos] === TAB)) pos++;
  if (pos + 3 < end && buf[pos] === EQUALS && buf[pos + 1] === GREATER && buf[pos + 2] === SPACE) {
    return skipSpaces(buf, pos + 3, end);
  }
  // perf: an address of the kernel begins with f and has 16 digits
  const address = skipHex(buf, pos, end);
  if (pos === start || address - pos < 8 || buf[address] !== SPACE) return -1;
  return address - pos < 16 || HEX[buf[pos]!] !== 15 ? end : address + 1;
}

/** Without ` <ffffffff812e1078>`, ` (ffffffff812e1078)`, ` ([kernel.kallsyms])`, blanks. */
function withoutTail(buf: Uint8Array, start: number, end: number): number {
  while (end > start && (buf[end - 1] === SPACE || buf[end - 1] === TAB)) end--;
  const last = buf[end - 1];
  const open = last === GREATER ? LESS : last === RPAREN ? LPAREN : 0;
  if (open === 0) return end;
  let bracket = end - 1;
  while (bracket > start && buf[bracket] !== open) bracket--;
  return bracket > start && buf[bracket - 1] === SPACE ? bracket - 1 : end;
}
