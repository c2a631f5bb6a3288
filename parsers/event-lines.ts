/**
 * What the readers of ftrace text, trace-cmd report and perf script share: one reused event, its counting, and the
 * stack block that may follow it.
 */

import {EventKind, TraceEvent, type EventSink} from '../src/events/event.js';
import {CR, LF} from './bytes.js';
import {Clock} from './clock.js';
import {EventTable, type EventEntry} from './events/table.js';
import {MAX_CPU, ReaderCounters, type OpenOptions} from './form.js';
import {LineReader, MAX_LINE} from './lines.js';

/** What lines without columns of their own belong to. */
export const After = {
  /** nothing: such a line is not understood */
  nothing: 0,
  /** a stack block whose frames are wanted */
  stack: 1,
  /** a stack block that nobody wants */
  skippedStack: 2,
  /** an event that may print several lines: a marker, a trace_printk */
  text: 3,
} as const;

export abstract class EventLineReader extends LineReader {
  readonly counters: ReaderCounters;
  protected readonly table = new EventTable();
  protected readonly ev = new TraceEvent();
  protected readonly clock: Clock;
  protected after: number = After.nothing;
  /** by CPU: whether the sink was given its last event, so that a stack block after it has an owner */
  protected readonly given = new Uint8Array(MAX_CPU + 1);
  /** the bytes of `ev.buf` as a Buffer, whose indexOf is five times that of a Uint8Array */
  protected finder: Buffer = Buffer.alloc(0);
  private other: Uint8Array | undefined;
  private otherFinder: Buffer = this.finder;

  constructor(
    protected readonly sink: EventSink,
    protected readonly options: OpenOptions,
  ) {
    super();
    this.counters = new ReaderCounters(this.table);
    this.clock = new Clock(options.time, sink, options.input);
    this.ev.input = options.input;
    this.table.context.setKernel(options.kernel);
  }

  override end(): void {
    super.end();
    this.endStack();
  }

  protected region(buf: Uint8Array, start: number, stop: number, offset: number): void {
    this.look(buf);
    while (start < stop) {
      this.counters.lines++;
      const newline = this.finder.indexOf(LF, start);
      this.line(buf, start, newline, offset);
      start = newline + 1;
    }
  }

  /** Makes `buf` the bytes that events lie in. */
  protected look(buf: Uint8Array): void {
    const {ev, finder, other, otherFinder} = this;
    if (ev.buf === buf) return;
    // chunks and the lines cut by them take turns
    this.other = ev.buf;
    this.otherFinder = finder;
    ev.buf = buf;
    this.finder = other === buf ? otherFinder : Buffer.from(buf.buffer, buf.byteOffset, buf.byteLength);
  }

  /** Any line, `buf[start..newline)`. */
  protected line(buf: Uint8Array, start: number, newline: number, offset: number): void {
    const end = newline > start && buf[newline - 1] === CR ? newline - 1 : newline;
    if (end - start > MAX_LINE) this.tooLong(buf, start, end);
    else if (!this.special(buf, start, end)) this.eventLine(buf, start, end, offset);
  }

  /** Reads a line that is no event. False if the line is none of those. */
  protected abstract special(buf: Uint8Array, start: number, end: number): boolean;

  /** Reads a line that should be an event. */
  protected abstract eventLine(buf: Uint8Array, start: number, end: number, offset: number): void;

  /** Decodes the payload and hands over the event, if anybody could want it. */
  protected payload(entry: EventEntry, buf: Uint8Array, start: number, end: number): void {
    const ev = this.ev;
    this.table.decode(entry, buf, start, end, ev);
    this.give();
  }

  protected give(): void {
    const ev = this.ev;
    const wanted = ev.kind !== EventKind.Other;
    if (ev.cpu >= 0 && ev.cpu <= MAX_CPU) this.given[ev.cpu] = wanted ? 1 : 0;
    if (!wanted) return;
    if (ev.kind === EventKind.Marker) this.after = After.text;
    this.sink.event(ev);
  }

  /** A stack block begins after the last event of that CPU. */
  protected beginStack(cpu: number, pid: number): void {
    const owned = cpu < 0 || cpu > MAX_CPU || this.given[cpu] === 1;
    this.after = owned && this.sink.stackBegin(cpu, pid) ? After.stack : After.skippedStack;
  }

  protected endStack(): void {
    if (this.after === After.stack) this.sink.stackEnd();
    this.after = After.nothing;
  }
}
