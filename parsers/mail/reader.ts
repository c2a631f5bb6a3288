/**
 * Traces pasted in mails. What is recovered of a line is read as ftrace, trace-cmd, perf script or a dump prints it, with
 * whatever columns are left; the prose around is counted as other text. A mail shows an excerpt, so nothing that was not
 * seen can be held against a page: fact `excerpt`.
 *
 * A line without a time gets that of the event above it; those before the first time get the first. A mail without any
 * time has the order of its lines, as a counting clock.
 */

import {EventKind, type EventSink} from '../../src/events/event.js';
import {ascii, CR, find, HASH, LF, SPACE, TAB, text as textOf} from '../bytes.js';
import type {EventEntry} from '../events/table.js';
import type {OpenOptions} from '../form.js';
import {afterPrefix} from '../dmesg/prefix.js';
import {headerLine} from '../ftrace/header.js';
import {MAX_LINE} from '../lines/line-reader.js';
import {PerfColumns} from '../perf-script/columns.js';
import {LineNumber} from '../prefix/layers.js';
import {frameStart, isLossMarker, LooseLineReader} from '../loose-lines.js';
import {Message} from './mime.js';
import {Base64, Bounded, looksQuotedPrintable, quotedPrintable} from './transfer.js';
import {beginsWithName, isSnip, Joint, joint, pairs, Quote} from './wrapped.js';

/** A line longer than this is no columns that were cut off. */
const MAX_HEAD = 120;
/** Events that are remembered, to know them again. */
const MAX_SHOWN = 200_000;
/** Pieces of one line. */
const MAX_PIECES = 8;
/** Lines and bytes kept until the first time is known. */
const MAX_HELD = 2000;
const MAX_HELD_BYTES = 1 << 20;

/** A recovered line, waiting for its rest or for a time. */
interface Recovered {
  bytes: Uint8Array;
  line: number;
  offset: number;
  what: 'event' | 'frame' | 'loss' | 'snip';
}

/** What was found, for sniffing. */
export interface MailNotes {
  headerFields: number;
  headerLine: number;
  /** first event behind quote marks, and their number */
  quotedLine: number;
  quoted: number;
  /** first line put together from pieces, and their number */
  joinedLine: number;
  joined: number;
  /** events without a time */
  untimed: number;
  encodedLine: number;
  encoding: string;
  /** lines of other text */
  prose: number;
  /** events of perf script that nobody decodes */
  others: number;
  /** lines that stand there for the second time */
  repeated: number;
}

export class MailReader extends LooseLineReader {
  readonly notes: MailNotes = {
    headerFields: 0,
    headerLine: 0,
    quotedLine: 0,
    quoted: 0,
    joinedLine: 0,
    joined: 0,
    untimed: 0,
    encodedLine: 0,
    encoding: '',
    prose: 0,
    others: 0,
    repeated: 0,
  };

  private readonly message = new Message();
  private readonly quote = new Quote();
  private readonly base64 = new Base64();
  private readonly decoded = new Bounded(MAX_LINE);
  /** where what `decoded` holds began in the input */
  private decodedLine = 0;
  private decodedOffset = 0;
  private wasBase64 = false;
  /** undeclared quoted-printable was found in this part */
  private undeclared = false;

  /** the event line at hand, which the next line may complete */
  private pending: Recovered | undefined;
  private pendingDepth = 0;
  private pendingWidth = 0;
  private pieces = 0;

  private held: Recovered[] | undefined = [];
  private heldBytes = 0;
  /** TimeForm of the first time; -1: none was seen and order counts */
  private timeForm: number | undefined;
  private lastTime = 0;
  private anyEvent = false;

  constructor(sink: EventSink, options: OpenOptions) {
    super(sink, options);
    sink.fact(options.input, 'excerpt', '1');
  }

  override end(): void {
    // a last line without an end comes in here
    super.end();
    this.flushDecoded();
    this.flush();
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
      this.flushDecoded();
      this.flush();
      this.undeclared = false;
      if (what === 'header') {
        this.notes.headerFields = message.fields;
        this.notes.headerLine = message.headerLine;
      }
      return;
    }
    this.body(buf, start, end, offset + start);
  }

  // --- transfer encoding

  private body(buf: Uint8Array, start: number, end: number, offset: number): void {
    const {decoded, counters} = this;
    const {encoding} = this.message;
    if (encoding === 'base64') {
      this.encoded(encoding);
      if (!this.wasBase64) this.base64.reset();
      this.wasBase64 = true;
      this.base64.decode(buf, start, end, (byte) => {
        if (decoded.length === 0) this.began(offset);
        if (byte === LF) this.decodedText();
        else decoded.add(byte);
      });
      return;
    }
    if (encoding === 'none' && !this.undeclared) {
      if (!looksQuotedPrintable(buf, start, end)) {
        this.text(buf, start, end, counters.lines, offset);
        return;
      }
      this.undeclared = true;
    }
    this.encoded('quoted-printable');
    if (decoded.length === 0) this.began(offset);
    if (!quotedPrintable(buf, start, end, decoded)) this.decodedText();
  }

  private encoded(encoding: string): void {
    if (this.notes.encoding !== '') return;
    this.notes.encoding = encoding;
    this.notes.encodedLine = this.counters.lines;
  }

  private began(offset: number): void {
    this.decodedLine = this.counters.lines;
    this.decodedOffset = offset;
  }

  private decodedText(): void {
    const {decoded} = this;
    const {bytes} = decoded;
    let end = decoded.length;
    if (end > 0 && bytes[end - 1] === CR) end--;
    if (decoded.full) this.tooLong(bytes, 0, end);
    else this.text(bytes, 0, end, this.decodedLine, this.decodedOffset);
    decoded.clear();
  }

  private flushDecoded(): void {
    if (this.decoded.length > 0) this.decodedText();
    this.wasBase64 = false;
  }

  // --- lines of text

  private text(buf: Uint8Array, start: number, end: number, line: number, offset: number): void {
    const {quote, notes} = this;
    if (find(buf, start, end, NO_BREAK_SPACE) >= 0) {
      buf = withBlanks(buf, start, end);
      start = 0;
      end = buf.length;
    }
    quote.parse(buf, start, end);
    let from = quote.body;
    if (from >= end) {
      this.flush();
      return;
    }
    if (this.goesOn(buf, from, end, end - start)) return;
    this.flush();
    const whole = this.isEvent(buf, from, end);
    if (whole) from = this.begin;
    const joined = this.fromHead(buf, from, end, whole);
    if (joined) {
      this.pending = {bytes: joined, line: this.headLine, offset: this.headOffset, what: 'event'};
      this.pendingDepth = quote.depth;
      this.pendingWidth = end - start;
      this.pieces = 2;
      notes.joined++;
      notes.joinedLine ||= this.headLine;
      if (quote.depth > 0) {
        notes.quoted++;
        notes.quotedLine ||= this.headLine;
      }
      this.head = NONE;
      return;
    }
    this.head = whole || end - from > MAX_HEAD ? NONE : copy(buf, from, end);
    this.headLine = line;
    this.headOffset = offset;
    this.headDepth = quote.depth;
    if (whole) {
      if (quote.depth > 0) {
        notes.quoted++;
        notes.quotedLine ||= line;
      }
      this.pending = {bytes: copy(buf, from, end), line, offset, what: 'event'};
      this.pendingDepth = quote.depth;
      this.pendingWidth = end - start;
      this.pieces = 1;
    } else if (this.otherEvent(buf, from, end)) notes.others++;
    else if (isSnip(buf, from, end)) this.recovered({bytes: NONE, line, offset, what: 'snip'});
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

  /** the line before, if it may be the columns of an event that a break cut off */
  private head: Uint8Array = NONE;
  private headLine = 0;
  private headOffset = 0;
  private headDepth = 0;

  /** The line before and this one as one event, where that has a task and a time that this line alone has not. */
  private fromHead(buf: Uint8Array, start: number, end: number, whole: boolean): Uint8Array | undefined {
    const {head, columns} = this;
    if (head.length === 0 || this.quote.depth !== this.headDepth) return undefined;
    if (whole && columns.timeForm >= 0 && columns.pid >= 0) return undefined;
    for (const gap of [1, 0]) {
      const joined = new Uint8Array(head.length + gap + end - start);
      joined.set(head);
      if (gap > 0) joined[head.length] = SPACE;
      joined.set(buf.subarray(start, end), head.length + gap);
      const read = columns.parseWhole(joined, 0, joined.length) || columns.parseRest(joined, 0, joined.length);
      const better = whole ? columns.pid >= 0 : columns.cpu >= 0 || columns.pid >= 0;
      if (read && better && columns.timeForm >= 0 && columns.nameEnd > columns.nameStart) return joined;
    }
    // what was read last is what the caller goes on with
    if (whole) this.isEvent(buf, start, end);
    return undefined;
  }

  /** A line of perf script whose event nobody decodes: counted, as those of tracefs are. */
  private otherEvent(buf: Uint8Array, start: number, end: number): boolean {
    const {perf, table, counters} = this;
    if (!perf.parse(buf, start, end)) return false;
    const name = /^\w+:\w+(?=:(?: |$))/.exec(textOf(buf, perf.body, Math.min(end, perf.body + 200)))?.[0];
    if (name === undefined) return false;
    table.named(name).count++;
    counters.events++;
    counters.time(this.clock.fromSeconds(perf.seconds, perf.fraction_ns), perf.cpu);
    return true;
  }

  /** A comment of a tracefs file */
  private header(buf: Uint8Array, start: number, end: number, line: number): void {
    const release = headerLine(buf, start, end, line, this.options.input, this.sink);
    if (release !== undefined && this.options.kernel === undefined) this.table.context.setKernel(release);
  }

  private begin = 0;
  private readonly number = new LineNumber();
  private readonly perf = new PerfColumns();

  /** Whether a line has columns of an event, maybe behind a log's prefix, or at least a name we know with pairs. */
  private isEvent(buf: Uint8Array, start: number, end: number): boolean {
    const {columns} = this;
    while (start < end && buf[start] === TAB) start++;
    this.begin = start;
    // `12:   wrk-701 [001]`: who greps a trace and mails that
    const numbered = this.number.strip(buf, start, end);
    if (numbered > start && this.standsWithTask(buf, numbered, end)) {
      this.begin = start = numbered;
    }
    const logged = afterPrefix(buf, start, end);
    const isLogged = (): boolean => logged > start && columns.parseWhole(buf, logged, end);
    // `[  516.125676] ` of a log: a comm may not begin within it
    const stamped = logged > start && find(buf, start, logged, POINT) >= 0 && isLogged();
    if (!stamped && columns.parseWhole(buf, start, end)) return true;
    if (stamped || isLogged()) {
      this.begin = logged;
      return true;
    }
    return columns.parseRest(buf, start, end);
  }

  /** A pid before `[cpu]` is no line number: what is left of the line has to have a task of its own. */
  private standsWithTask(buf: Uint8Array, start: number, end: number): boolean {
    const {columns, perf} = this;
    return (columns.parseWhole(buf, start, end) && columns.pid >= 0) || perf.parse(buf, start, end);
  }

  /** Adds a line to the event above it, if it clearly completes that. */
  private goesOn(buf: Uint8Array, start: number, end: number, width: number): boolean {
    const {pending, columns, notes} = this;
    if (!pending || this.pieces >= MAX_PIECES || this.quote.depth > this.pendingDepth) return false;
    const {bytes} = pending;
    // columns alone, broken before the name
    const bare = columns.parseWhole(bytes, 0, bytes.length) && columns.bare;
    let how: number = Joint.none;
    if (bare) {
      if (beginsWithName(buf, start, end)) how = Joint.blank;
    } else if (!this.isEvent(buf, start, end)) how = joint(bytes, bytes.length, this.pendingWidth, buf, start, end);
    if (how === Joint.none) return false;
    if (bytes.length + end - start > MAX_LINE) return false;
    const rest = copy(buf, start, end);
    const gap = how === Joint.blank ? 1 : 0;
    const joined = new Uint8Array(bytes.length + gap + rest.length);
    joined.set(bytes);
    if (gap > 0) joined[bytes.length] = SPACE;
    joined.set(rest, bytes.length + gap);
    pending.bytes = joined;
    this.pendingWidth = width;
    this.pieces++;
    notes.joined++;
    notes.joinedLine ||= pending.line;
    return true;
  }

  private flush(): void {
    const {pending} = this;
    if (!pending) return;
    this.pending = undefined;
    this.recovered(pending);
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

const NONE = new Uint8Array(0);
const POINT = ascii('.');
const MT = ascii(' mt=');
const VAL = ascii(' val=');
const RET = ascii(' ret=');

/**
 * The kernel prints `... mt= val= ret=` at the end. Without `val=` the line is cut; with all of them but the last, too,
 * and then the digits of `val=` may be, while a line that somebody trimmed by hand lacks others as well.
 */
function isCut(kind: EventKind, buf: Uint8Array, start: number, end: number): boolean {
  if (find(buf, start, end, VAL) < 0) return true;
  const hasRet = kind >= EventKind.RefModAndTest && kind <= EventKind.RefFreeze;
  return hasRet && find(buf, start, end, RET) < 0 && find(buf, start, end, MT) >= 0;
}

const NO_BREAK_SPACE = Uint8Array.of(0xc2, 0xa0);

/** A copy with no-break spaces, which mail programs put for blanks, as blanks. */
function withBlanks(buf: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start);
  let n = 0;
  for (let i = start; i < end; i++) {
    if (buf[i] === 0xc2 && buf[i + 1] === 0xa0 && i + 1 < end) {
      bytes[n++] = SPACE;
      i++;
    } else bytes[n++] = buf[i]!;
  }
  return bytes.slice(0, n);
}

/** A copy that stays, without blanks at its end. */
function copy(buf: Uint8Array, start: number, end: number): Uint8Array {
  while (end > start && buf[end - 1] === SPACE) end--;
  return new Uint8Array(buf.subarray(start, end));
}
