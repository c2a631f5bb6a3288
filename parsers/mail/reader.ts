/**
 * Traces pasted in mails. What is recovered of a line is read as ftrace, trace-cmd, perf script or a dump prints it, with
 * whatever columns are left; the prose around is counted as other text. A mail shows an excerpt, so nothing that was not
 * seen can be held against a page: fact `excerpt`.
 *
 * A line without a time gets that of the event above it; those before the first time get the first. A mail without any
 * time has the order of its lines, as a counting clock.
 */

import {EventKind, type EventSink} from '../../src/events/event.js';
import {CR, HASH, text as textOf} from '../bytes.js';
import type {EventEntry} from '../events/table.js';
import type {OpenOptions} from '../form.js';
import {afterPrefix} from '../dmesg/prefix.js';
import {headerLine} from '../ftrace/header.js';
import {MAX_LINE} from '../lines/line-reader.js';
import {PerfColumns} from '../perf-script/columns.js';
import {frameStart, isLossMarker, LooseLineReader} from '../loose-lines.js';
import {Body} from './body.js';
import {isCut, isSnip} from './cut.js';
import {EventStart} from './event-start.js';
import {Joiner} from './joiner.js';
import {Message} from './mime.js';
import {noNotes, type MailNotes} from './notes.js';
import {copy, type Recovered} from './recovered.js';
import {pairs, Quote, withBlanks} from './wrapped.js';

/** Events that are remembered, to know them again. */
const MAX_SHOWN = 200_000;
/** Lines and bytes kept until the first time is known. */
const MAX_HELD = 2000;
const MAX_HELD_BYTES = 1 << 20;
const NOTHING = new Uint8Array(0);

export class MailReader extends LooseLineReader {
  readonly notes: MailNotes = noNotes();

  private readonly message = new Message();
  private readonly quote = new Quote();
  private readonly perf = new PerfColumns();
  private readonly joiner: Joiner;
  private readonly body = new Body(this.notes, {
    text: (buf, start, end, line, offset) => this.text(buf, start, end, line, offset),
    tooLong: (buf, start, end) => this.tooLong(buf, start, end),
  });

  private held: Recovered[] | undefined = [];
  private heldBytes = 0;
  /** TimeForm of the first time; -1: none was seen and order counts */
  private timeForm: number | undefined;
  private lastTime = 0;
  private anyEvent = false;

  /** `fold`: the width at which all lines were cut; 0: they were not. */
  constructor(sink: EventSink, options: OpenOptions, fold = 0) {
    super(sink, options);
    this.joiner = new Joiner(this.columns, new EventStart(this.columns, this.perf), this.notes, fold);
    sink.fact(options.input, 'excerpt', '1');
  }

  override end(): void {
    // a last line without an end comes in here
    super.end();
    this.body.end();
    this.flush();
    this.countOther();
    if (this.held && this.held.length > 0) this.release(-1, 0);
    this.closeStack();
    const {repeated} = this.notes;
    const {skipped} = this.message;
    if (skipped.length > 0)
      this.sink.fact(
        this.options.input,
        'attachments_not_read',
        `${skipped.join(', ')}: save them, and give them as traces`,
      );
    if (repeated > 0) this.sink.fact(this.options.input, 'repeated_lines', String(repeated));
  }

  protected override line(buf: Uint8Array, start: number, newline: number, offset: number): void {
    const end = newline > start && buf[newline - 1] === CR ? newline - 1 : newline;
    if (end - start > MAX_LINE) {
      this.tooLong(buf, start, end);
      return;
    }
    const {message, counters} = this;
    const what = message.next(buf, start, end, counters.lines);
    if (what !== 'read') {
      this.body.end();
      this.flush();
      if (what === 'header') {
        this.notes.headerFields = message.fields;
        this.notes.headerLine = message.headerLine;
      }
      return;
    }
    this.body.line(message.encoding, buf, start, end, counters.lines, offset + start);
  }

  // --- lines of text

  private text(buf: Uint8Array, start: number, end: number, line: number, offset: number): void {
    const {quote, notes, joiner} = this;
    const plain = withBlanks(buf, start, end);
    if (plain) {
      buf = plain;
      start = 0;
      end = buf.length;
    }
    quote.parse(buf, start, end);
    const {body: from, depth} = quote;
    if (from >= end) {
      this.flush();
      this.countOther();
      this.perfLine = undefined;
      return;
    }
    if (joiner.goesOn(buf, from, end, depth, end - start)) return;
    this.flush();
    const begins = joiner.begins(buf, from, end, line, offset, depth, end - start);
    // a line that the next one completes is counted with that
    if (this.perfLine?.line !== (begins ? joiner.begunAt : undefined)) this.countOther();
    this.perfLine = undefined;
    if (begins) return;
    if ((this.perfLine = this.otherEvent(buf, from, end, line))) notes.others++;
    else if (isSnip(buf, from, end)) this.recovered({bytes: NOTHING, line, offset, what: 'snip'});
    else if (frameStart(buf, from, end) >= 0)
      this.recovered({bytes: copy(buf, from, end), line, offset, what: 'frame'});
    else if (isLossMarker(buf, from, end)) this.recovered({bytes: copy(buf, from, end), line, offset, what: 'loss'});
    else {
      if (buf[from] === HASH) this.header(buf, from, end, line);
      // pairs without an event above them are what a break left of one
      if (this.dumpLine(buf, afterPrefix(buf, from, end), end, line, offset)) this.otherText++;
      else if (pairs(buf, from, end) > 1) this.unrecognised(buf, start, end);
      else {
        if (buf[from] !== HASH) notes.prose++;
        this.otherText++;
      }
      if (!this.held?.length) this.closeStack();
    }
  }

  /** a line of perf script whose event nobody decodes, if the line before was one */
  private perfLine: {entry: EventEntry; t: number; cpu: number; line: number} | undefined;

  /** A line of perf script whose event nobody decodes: counted, as those of tracefs are. */
  private otherEvent(buf: Uint8Array, start: number, end: number, line: number): MailReader['perfLine'] {
    const {perf, table} = this;
    if (!perf.parse(buf, start, end)) return undefined;
    const name = /^\w+:\w+(?=:(?: |$))/.exec(textOf(buf, perf.body, Math.min(end, perf.body + 200)))?.[0];
    if (name === undefined) return undefined;
    return {entry: table.named(name), t: this.clock.fromSeconds(perf.seconds, perf.fraction_ns), cpu: perf.cpu, line};
  }

  private countOther(): void {
    const {perfLine, counters} = this;
    if (!perfLine) return;
    perfLine.entry.count++;
    counters.events++;
    counters.time(perfLine);
  }

  /** A comment of a tracefs file */
  private header(buf: Uint8Array, start: number, end: number, line: number): void {
    const release = headerLine(buf, start, end, line, this.options.input, this.sink);
    if (release !== undefined && this.options.kernel === undefined) this.table.context.setKernel(release);
  }

  private flush(): void {
    const event = this.joiner.take();
    if (event) this.recovered(event);
  }

  // --- times

  private recovered(item: Recovered): void {
    const {columns} = this;
    if (item.what === 'event') {
      this.parse(item);
      const timed = columns.timeForm >= 0 && (this.timeForm === undefined || this.timeForm === columns.timeForm);
      if (timed) {
        const t = this.printedTime(item.bytes);
        if (this.held) {
          this.release(columns.timeForm, t);
          this.parse(item);
        }
        this.lastTime = t;
      } else this.notes.untimed++;
    }
    if (!this.held) {
      this.deliver(item);
      return;
    }
    if (item.what !== 'event' && this.held.length === 0) return;
    this.held.push(item);
    this.heldBytes += item.bytes.length;
    if (this.held.length > MAX_HELD || this.heldBytes > MAX_HELD_BYTES) this.release(-1, 0);
  }

  /** The first time is known, or there will be none: hands over what waited for it. */
  private release(timeForm: number, t: number): void {
    const held = this.held!;
    this.held = undefined;
    this.timeForm = timeForm;
    this.lastTime = t;
    if (timeForm < 0) {
      this.sink.fact(this.options.input, 'clock', 'line order');
      this.sink.fact(this.options.input, 'clock_unit', 'ticks');
    }
    for (const item of held) this.deliver(item);
  }

  private parse(item: Recovered): void {
    const {columns} = this;
    const {bytes} = item;
    if (!columns.parseWhole(bytes, 0, bytes.length)) columns.parseRest(bytes, 0, bytes.length);
  }

  private deliver(item: Recovered): void {
    const {bytes, line, offset} = item;
    switch (item.what) {
      case 'event':
        this.parse(item);
        if (this.repeats(bytes)) {
          this.closeStack();
          this.notes.repeated++;
          return;
        }
        this.anyEvent = true;
        this.giveDumps(this.timeForm === -1 ? this.nextInOrder() : this.lastTime);
        this.hand(bytes, 0, bytes.length, line, offset, this.timeForm === -1 ? this.nextInOrder() : this.lastTime);
        return;
      case 'frame':
        this.frame(bytes, 0, bytes.length);
        return;
      case 'loss':
        this.lossMarker(bytes, 0, bytes.length, line);
        return;
      case 'snip':
        // what was cut before the first event is the start that no excerpt has
        this.closeStack();
        if (this.anyEvent) this.sink.loss({input: this.options.input, line, cpu: -1, count: -1, what: 'cut'});
    }
  }

  private readonly shown = new Set<string>();

  /**
   * Whether an event was shown before: who mails a trace shows it whole, then a part of it once more. The same time, CPU,
   * task, event and values are the same event. The line was just parsed.
   */
  private repeats(bytes: Uint8Array): boolean {
    const {columns, shown} = this;
    if (columns.timeForm < 0 || columns.nameEnd === columns.nameStart) return false;
    const said = textOf(bytes, columns.body, bytes.length).replace(/\s+/g, ' ').trim();
    const key = `${columns.cpu} ${columns.pid} ${this.printedTime(bytes)} ${said}`;
    if (shown.has(key)) return true;
    if (shown.size < MAX_SHOWN) shown.add(key);
    return false;
  }

  protected override now(): number {
    return this.anyEvent ? (this.timeForm === -1 ? this.nextInOrder() : this.lastTime) : NaN;
  }

  private nextInOrder(): number {
    return this.options.time.fromInteger(BigInt(this.counters.events), 'ticks');
  }

  /** A page_ref line that was cut before its last fields tells of a change, but not of which. */
  protected override payload(entry: EventEntry, buf: Uint8Array, start: number, end: number): void {
    const {kind} = entry;
    const changes = kind >= EventKind.RefSet && kind <= EventKind.RefUnfreeze;
    if (!changes || !isCut(kind, buf, start, end)) {
      super.payload(entry, buf, start, end);
      return;
    }
    const {ev, counters} = this;
    ev.kind = EventKind.Other;
    const now = counters.lines;
    counters.lines = ev.line;
    this.unrecognised(buf, ev.lineStart, ev.lineEnd);
    counters.lines = now;
    this.sink.loss({input: this.options.input, line: ev.line, cpu: ev.cpu, count: 1, what: 'lost'});
  }

  // line() reads everything by itself
  protected special(): boolean {
    return false;
  }

  protected eventLine(): void {}
}
