/**
 * What the readers of ftrace text, trace-cmd report and perf script share: one reused event, its counting, the stack block
 * that may follow it, and the quick way through lines that are known again (columns.ts, page-ref-line.ts, templates.ts).
 */

import {EventKind, TraceEvent, type EventSink} from '../../src/events/event.js';
import {COLON, CR, EQUALS, hashStep, LF, SPACE, TAB} from '../bytes.js';
import {Clock} from '../clock.js';
import {EventTable, type EventEntry} from '../events/table.js';
import {MAX_CPU, ReaderCounters, type OpenOptions} from '../form.js';
import {QuickColumns, type ReadColumns} from './columns.js';
import {LineReader, MAX_LINE} from './line-reader.js';
import {PageRefLines} from './page-ref-line.js';
import {MAX_OF_EVENT, templateOf, Templates} from './templates.js';

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

/** How a form prints names of events. */
export interface NameStyle {
  /** blanks before the name and before its payload: trace-cmd and perf put them into columns */
  readonly padded: boolean;
  /** what stands before a name of page_ref: perf prints the subsystem */
  readonly subsystem: string;
}

/** The quick way reads words without asking for the buffer's end; it stays this far from it. */
const MARGIN = 1024;
/** Lines of an event that must fail to make a template before no more are tried. */
const ENOUGH_TRIES = 64;
/** Columns of blanks before a name or a payload, and bytes of a subsystem's name: more are not looked at. */
const MAX_PADDING = 64;

/** Length of the name of each kind of page_ref event (EventKind RefSet to RefUnfreeze). */
const NAME_LENGTH = [0, 12, 12, 21, 23, 19, 15, 17];
const PAGE_REF = [
  'page_ref_set',
  'page_ref_mod',
  'page_ref_mod_and_test',
  'page_ref_mod_and_return',
  'page_ref_mod_unless',
  'page_ref_freeze',
  'page_ref_unfreeze',
];

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
    this.table.context.mentions = options.mentions === true;
  }

  override end(): void {
    super.end();
    this.endStack();
  }

  protected unread(): void {
    this.sink.loss({input: this.options.input, line: this.counters.lines, cpu: -1, count: -1, what: 'unread'});
  }

  protected region(buf: Uint8Array, start: number, stop: number, offset: number): void {
    this.look(buf);
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
      const newline = this.finder.indexOf(LF, start);
      this.line(buf, start, newline, offset);
      start = newline + 1;
    }
  }

  // --- the quick way

  /** how names are printed; undefined for forms whose lines are not read the quick way */
  protected readonly names: NameStyle | undefined;
  private readonly known = new QuickColumns();
  private readonly templates = new Templates();
  private readonly pageRefs = new PageRefLines(this.table.context);
  private readonly pageRefEntries: EventEntry[] = [];
  private view: DataView = new DataView(new ArrayBuffer(0));
  private nameAt = 0;

  /**
   * A line whose columns were met before. Answers where the next line begins, or -1 when the line needs the general way;
   * nothing has happened then.
   *
   * Loops over single bytes need no bound: a newline stops each of them, and every line here has one.
   */
  private quick(buf: Uint8Array, view: DataView, start: number, offset: number): number {
    const first = buf[start]!;
    if (first === TAB || first === LF || first === EQUALS) return -1;
    const {ev, known} = this;
    const time = known.read(buf, view, start, ev);
    if (time < 0 || buf[time] !== SPACE) return -1;
    const name = this.startOfName(buf, time + 1);
    if (name < 0) return -1;
    // the event's own name, after the subsystem's
    const bare = this.nameAt;
    const kind = pageRefName(buf, view, bare);
    let entry: EventEntry;
    let newline: number;
    let nameEnd: number;
    if (kind > 0) {
      nameEnd = bare + NAME_LENGTH[kind]!;
      newline = this.pageRefs.read(buf, view, this.afterBlanks(buf, nameEnd + 2), ev);
      if (newline < 0) return this.unknown(buf, view, start, name, bare, offset);
      ev.kind = kind as EventKind;
      entry = this.pageRefEntries[kind]!;
    } else {
      newline = this.templates.read(buf, view, name, bare, ev);
      if (newline < 0) return this.unknown(buf, view, start, name, bare, offset);
      entry = this.templates.found!.entry;
      nameEnd = name + entry.bytes.length;
    }
    entry.count++;
    ev.nameStart = name;
    ev.nameEnd = nameEnd;
    this.placeKnown(start, newline, offset);
    this.given[ev.cpu & MAX_CPU] = 1;
    this.sink.event(ev);
    return newline + 1;
  }

  /** Where the name begins whose columns end at `pos`, or -1; `nameAt` is where it begins without its subsystem. */
  private startOfName(buf: Uint8Array, pos: number): number {
    const {names} = this;
    if (names?.padded === true) pos = this.afterBlanks(buf, pos);
    this.nameAt = pos;
    if (names === undefined || names.subsystem === '') return pos;
    let colon = pos;
    for (const limit = pos + MAX_PADDING; buf[colon] !== COLON; colon++) {
      if (buf[colon]! <= SPACE || colon >= limit) return -1;
    }
    if (buf[colon + 1] !== SPACE) this.nameAt = colon + 1;
    return pos;
  }

  private afterBlanks(buf: Uint8Array, pos: number): number {
    const limit = pos + MAX_PADDING;
    while (buf[pos] === SPACE && pos < limit) pos++;
    return pos;
  }

  /** A line whose columns are known and whose payload is not. */
  private unknown(buf: Uint8Array, view: DataView, start: number, name: number, bare: number, offset: number): number {
    const {ev} = this;
    let pos = name;
    let hash = 0;
    let char: number;
    while ((char = buf[pos]!) !== COLON || buf[pos + 1] !== SPACE) {
      if (char <= SPACE || (char === COLON && this.names?.subsystem === '')) return -1;
      hash = hashStep(hash, char);
      pos++;
    }
    if (pos === name) return -1;
    const entry = this.table.entry(buf, name, pos, hash);
    if (entry.isStack) return -1;
    entry.count++;
    const newline = this.finder.indexOf(LF, pos);
    const end = buf[newline - 1] === CR ? newline - 1 : newline;
    this.placeKnown(start, end, offset);
    ev.nameStart = name;
    ev.nameEnd = pos;
    this.table.decode(entry, buf, pos + 2, end, ev);
    // at a newline without CR: a template ends there. Before the event is given: who hears of it may ask for another.
    if (ev.kind !== EventKind.Other && end === newline) this.learnPayload(entry, buf, view, name, bare, end);
    this.give();
    return newline + 1;
  }

  /** Ends what the line before began, and fills in the place and time of a line whose columns are known. */
  private placeKnown(start: number, end: number, offset: number): void {
    if (this.after !== After.nothing) this.endStack();
    const {ev, counters, known} = this;
    counters.events++;
    ev.line = counters.lines;
    ev.offset = offset + start;
    ev.lineStart = start;
    ev.lineEnd = end;
    ev.t = this.clock.fromSeconds(known.seconds, known.us * 1000);
    counters.time(ev.t, ev.cpu);
  }

  /** The columns of the line at `start`, just read by the form, may come again. */
  protected learn(buf: Uint8Array, start: number, columns: ReadColumns): void {
    if (this.names === undefined) return;
    if (this.pageRefEntries.length === 0) {
      const {subsystem} = this.names;
      this.pageRefEntries.push(...['', ...PAGE_REF].map((name) => this.table.named(subsystem + name)));
    }
    this.known.learn(buf, this.view, start, columns);
  }

  /** The next lines of an event just decoded may be read by a template. */
  private learnPayload(
    entry: EventEntry,
    buf: Uint8Array,
    view: DataView,
    name: number,
    bare: number,
    end: number,
  ): void {
    if (
      entry.withoutTemplate >= ENOUGH_TRIES ||
      entry.templates >= MAX_OF_EVENT ||
      this.ev.kind <= EventKind.RefUnfreeze ||
      this.ev.kind === EventKind.Mention
    )
      return;
    const template = templateOf(entry, this.ev, buf, name, end, this.table.context);
    if (template) this.templates.put(view, bare, template);
    else entry.withoutTemplate++;
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

/** The kind of page_ref event whose name and colon begin at `pos`, or 0. */
function pageRefName(buf: Uint8Array, view: DataView, pos: number): number {
  // page _ref
  if (view.getInt32(pos, true) !== 0x65676170 || view.getInt32(pos + 4, true) !== 0x6665725f) return 0;
  let kind = 0;
  switch (view.getInt32(pos + 8, true)) {
    case 0x646f6d5f: // _mod
      if (buf[pos + 12] === COLON) kind = EventKind.RefMod;
      else if (view.getInt32(pos + 12, true) === 0x646e615f) {
        // _and _test _return
        if (view.getInt32(pos + 16, true) === 0x7365745f && buf[pos + 20] === 116) kind = EventKind.RefModAndTest;
        else if (view.getInt32(pos + 16, true) === 0x7465725f && view.getInt32(pos + 19, true) === 0x6e727574)
          kind = EventKind.RefModAndReturn;
      } else if (view.getInt32(pos + 12, true) === 0x6c6e755f && view.getInt32(pos + 15, true) === 0x7373656c)
        kind = EventKind.RefModUnless;
      break;
    case 0x7465735f: // _set
      kind = EventKind.RefSet;
      break;
    case 0x6572665f: // _fre eze
      if (view.getInt32(pos + 11, true) === 0x657a6565) kind = EventKind.RefFreeze;
      break;
    case 0x666e755f: // _unf reeze
      if (view.getInt32(pos + 12, true) === 0x7a656572 && buf[pos + 16] === 101) kind = EventKind.RefUnfreeze;
      break;
  }
  if (kind === 0) return 0;
  const end = pos + NAME_LENGTH[kind]!;
  return buf[end] === COLON && buf[end + 1] === SPACE ? kind : 0;
}
