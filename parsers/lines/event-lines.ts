/**
 * What the readers of ftrace text, trace-cmd report and perf script share: one reused event, its counting, the stack block
 * that may follow it, and the quick way through lines that are known again (columns.ts, page-ref-line.ts, templates.ts).
 */

import {EventKind, TraceEvent, type EventSink} from '../../src/events/event.js';
import {COMMON} from '../../src/events/kinds.js';
import {CR, LF, LPAREN, SPACE, UNDERSCORE} from '../bytes.js';
import {Clock} from '../clock.js';
import {EventTable, type EventEntry} from '../events/table.js';
import {MAX_CPU, ReaderCounters, type OpenOptions} from '../form.js';
import {Head, HEAD_SAYS, QuickColumns, type ReadColumns} from './columns.js';
import {LineReader, MAX_LINE} from './line-reader.js';
import {PageRefLines} from './page-ref-line.js';
import {templateOf} from './template-of.js';
import {answers, isTornEvent, isTornProbe} from './torn.js';
import {Digits, type LineTemplate, MARGIN, MAX_OF_EVENT, newlineFrom, Templates} from './templates.js';

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

/** How a form puts names of events into their column, so that lines are told apart by some of its bytes. */
export type NameColumn = 'left' | 'right';

/** A word of fewer letters may begin any name. */
const LEAST_NAME = 3;
/** So many words are held against the names of events; who prints more prints words. */
const WORDS_ASKED_MAX = 10_000;
/** Lines of an event that must fail to make a template before no more are tried. */
const ENOUGH_TRIES = 64;
/** So many bytes up to the colon of a name on the right tell lines apart (templates.ts). */
const TOLD_APART = 20;

export abstract class EventLineReader extends LineReader {
  readonly counters: ReaderCounters;
  protected readonly table = new EventTable();
  protected readonly ev = new TraceEvent();
  protected readonly clock: Clock;
  protected after: number = After.nothing;
  /** of the line before, for stacks whose lines do not say it */
  protected lastCpu = -1;
  protected lastPid = -1;
  /** by CPU, plus 1: whether the sink was given its last event, so that a stack block after it has an owner */
  protected readonly given = new Uint8Array(MAX_CPU + 2);
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
    this.table.context.mentions = options.mentions === true;
    this.table.context.changed = () => {
      this.templates.forget();
      this.pageRefs.forget();
    };
  }

  override end(): void {
    super.end();
    this.endStack();
  }

  protected unread(): void {
    this.sink.loss({input: this.options.input, line: this.counters.lines, cpu: -1, count: -1, what: 'unread'});
  }

  protected override holed(buf: Uint8Array, start: number, end: number): void {
    this.endStack();
    super.holed(buf, start, end);
    this.after = After.skippedStack;
  }

  protected region(buf: Uint8Array, start: number, stop: number, offset: number): void {
    this.look(buf);
    const {ev} = this;
    const quickEnd = buf.length - MARGIN;
    while (start < stop) {
      this.counters.lines++;
      if (start < quickEnd) {
        const next = this.quick(buf, this.view, start, offset);
        if (next > 0) {
          start = next;
          continue;
        }
      }
      ev.at64 = ev.at32 = ev.at8 = 0;
      this.timeEnd = -1;
      const newline = this.finder.indexOf(LF, start);
      this.line(buf, start, newline, offset);
      start = newline + 1;
    }
  }

  // --- the quick way

  /** where names stand; undefined for forms whose lines are not read the quick way */
  protected readonly names: NameColumn | undefined;
  private readonly known = new QuickColumns();
  private readonly templates = new Templates();
  private readonly pageRefs = new PageRefLines(this.table.context);
  private view: DataView = new DataView(new ArrayBuffer(0));
  /** from the end of the time to the bytes that tell lines apart; -1 until one was learnt */
  private toName = -1;
  /** time of the second that is known; a fraction first, for V8 */
  private second = 0.5;
  /** where the time of the line at hand ends, if its columns can be known again; else -1 */
  private timeEnd = -1;

  /**
   * A line whose columns and texts were met before. Answers where the next line begins, or -1 when the line needs the general
   * way; nothing has happened then.
   *
   * Loops over single bytes need no bound: a newline stops each of them, and every line here has one.
   */
  private quick(buf: Uint8Array, view: DataView, start: number, offset: number): number {
    const time = this.known.read(buf, view, start);
    if (time < 0) return -1;
    let template = this.templates.alike(view, time + this.toName);
    while (template !== undefined) {
      const pos = template.begins(view, time);
      const newline = pos < 0 ? -1 : this.payloadBy(template, buf, view, pos);
      if (newline >= 0) {
        this.emit(template, start, time, newline, offset);
        return newline + 1;
      }
      template = template.next;
    }
    return -1;
  }

  /** What is not the same in lines of a template. Answers the newline's position, or -1. */
  private payloadBy(template: LineTemplate, buf: Uint8Array, view: DataView, pos: number): number {
    const {ev} = this;
    template.view(ev);
    switch (template.first) {
      case Digits.pageRef: {
        const newline = this.pageRefs.read(buf, view, pos, ev);
        return ev.hasRet === 0 && answers(ev.kind) ? -1 : newline;
      }
      case Digits.unread:
        return newlineFrom(buf, pos);
      default:
        return template.read(buf, view, pos, ev);
    }
  }

  /** The event of a line that was known: what its columns say, and its place. */
  private emit(template: LineTemplate, start: number, time: number, newline: number, offset: number): void {
    if (this.after !== After.nothing) this.endStack();
    const {ev, counters, known} = this;
    counters.events++;
    template.entry.count++;
    const {values} = known.heads;
    const head = known.head * HEAD_SAYS;
    const cpu = (this.lastCpu = values[head + Head.cpu]!);
    const pid = (this.lastPid = values[head + Head.pid]!);
    const t = this.second + known.us * 1000;
    // in order, as most are; a number handed to a function is a number on the heap
    if (t >= counters.latest && t >= counters.lastTime[cpu]!) counters.latest = counters.lastTime[cpu] = t;
    else counters.time({t, cpu});
    const given = template.first !== Digits.unread;
    this.given[cpu + 1] = given ? 1 : 0;
    if (!given) return;
    const {i32, at32} = ev;
    ev.f64[ev.at64 + COMMON.t.at] = t;
    ev.f64[ev.at64 + COMMON.offset.at] = offset + start;
    ev.i8[ev.at8 + COMMON.context.at] = known.context;
    i32[at32 + COMMON.line.at] = counters.lines;
    i32[at32 + COMMON.cpu.at] = cpu;
    i32[at32 + COMMON.pid.at] = pid;
    i32[at32 + COMMON.tgid.at] = values[head + Head.tgid]!;
    ev.lineStart = start;
    ev.lineEnd = newline;
    ev.commStart = start + values[head + Head.comm]!;
    ev.commEnd = start + values[head + Head.commEnd]!;
    ev.nameStart = time + template.nameStart;
    ev.nameEnd = time + template.nameEnd;
    template.named(ev, time);
    this.sink.event(ev);
  }

  /** The columns of the line at `start`, just read by the form, may come again. */
  protected learn(buf: Uint8Array, start: number, columns: ReadColumns): void {
    if (this.names === undefined || !this.known.learn(buf, this.view, start, columns)) return;
    this.second = this.clock.fromSeconds(columns.seconds, 0);
    this.timeEnd = columns.colon + 1;
  }

  /** The payload `[payload, end)` of the event just decoded may come again. */
  private learnPayload(entry: EventEntry, buf: Uint8Array, payload: number, end: number): void {
    const {ev, timeEnd} = this;
    // of a line whose columns are not known nothing will be
    if (timeEnd < 0 || this.templates.full) return;
    if (entry.withoutTemplate >= ENOUGH_TRIES || entry.templates >= MAX_OF_EVENT) return;
    // the texts end with a newline, without CR
    if (buf[end] !== LF || timeEnd + MARGIN > buf.length) return;
    if (this.toName < 0) this.toName = this.names === 'left' ? 0 : Math.max(0, ev.nameEnd - TOLD_APART - timeEnd);
    const template = templateOf(entry, ev, buf, timeEnd, payload, end, this.table);
    if (!template) entry.withoutTemplate++;
    else this.templates.put(this.view, timeEnd + this.toName, template, ev);
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
    this.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
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
    if (this.isTorn(entry, buf, start, end)) {
      ev.kind = EventKind.Other;
      this.counters.torn++;
      this.unread();
      this.give();
      return;
    }
    // before the event is given: who hears of it may ask for another
    this.learnPayload(entry, buf, start, end);
    this.give();
  }

  /** `-F +sym` of perf puts words behind an event's fields. */
  protected readonly endsWithFields: boolean = true;

  private isTorn(entry: EventEntry, buf: Uint8Array, start: number, end: number): boolean {
    while (start < end && buf[start] === SPACE) start++;
    if (start < end && buf[start] !== LPAREN && buf[start] !== UNDERSCORE)
      return isTornEvent(entry.kind, buf, start, end);
    const probed = entry.probeByName !== undefined || entry.lastProbe !== undefined;
    return probed ? isTornProbe(buf, start, end, this.endsWithFields) : isTornEvent(entry.kind, buf, start, end);
  }

  private wordsAsked = 0;

  /** A word where the name of an event should be, which begins one that came: the rest is missing. */
  protected tornName(buf: Uint8Array, start: number, end: number): void {
    for (let pos = start; pos < end; pos++) if (buf[pos] === SPACE) return;
    if (end - start < LEAST_NAME || this.wordsAsked++ >= WORDS_ASKED_MAX) return;
    if (!this.table.hasNameFrom(buf, start, end)) return;
    this.counters.torn++;
    this.unread();
  }

  protected give(): void {
    const ev = this.ev;
    const wanted = ev.kind !== EventKind.Other;
    this.given[ev.cpu + 1] = wanted ? 1 : 0;
    if (!wanted) return;
    if (ev.kind === EventKind.Marker) this.after = After.text;
    this.sink.event(ev);
  }

  /** A stack block begins after the last event of that CPU. */
  protected beginStack(cpu: number, pid: number): void {
    this.after = this.given[cpu + 1] === 1 && this.sink.stackBegin(cpu, pid) ? After.stack : After.skippedStack;
  }

  protected endStack(): void {
    if (this.after === After.stack) this.sink.stackEnd();
    this.after = After.nothing;
  }
}
