/**
 * The byte scanner of tracefs text, `trace` and `trace_pipe`: no allocation, no string, no pattern for a line that
 * nobody keeps. What the columns before an event say is in context.ts; payloads are decoded in events/.
 */

import {Context, EventKind, type EventSink} from '../../src/events/event.js';
import {
  COLON,
  CR,
  DOT,
  EQUALS,
  GREATER,
  HASH,
  hashBytes,
  hashStep,
  LESS,
  LF,
  MINUS,
  SPACE,
  startsWith,
} from '../bytes.js';
import {After, EventLineReader} from '../event-lines.js';
import type {EventEntry} from '../events/table.js';
import {MAX_CPU, type OpenOptions} from '../form.js';
import {contextOf, isFlag, LineContext, TimeForm} from './context.js';
import {headerLine, lossLine} from './header.js';
import {pageRefLine} from './page-ref-line.js';
import {Templates, templateOf} from './templates.js';

const CPU_COLON = new TextEncoder().encode('CPU:');
const KERNEL_STACK = new TextEncoder().encode('<stack trace>');
const USER_STACK = new TextEncoder().encode('<user stack trace>');

/** The quick way reads words without asking for the buffer's end; it stays this far from it. */
const MARGIN = 1024;
/** Longest column block that is compared with the line before's. */
const MAX_SAME = 64;

export class FtraceReader extends EventLineReader {
  private readonly columns = new LineContext();
  private readonly pageRefEntries: EventEntry[];

  // the columns up to the flags of the last line in the kernel's layout, to know them again
  private readonly same = new Int32Array(MAX_SAME / 4);
  /** bytes that the columns take; 0: nothing to compare with */
  private sameLength = 0;
  private sameTail = 0;
  private sameFlags = 0;
  // the same for flags, blanks and seconds
  private readonly rest = new Int32Array(MAX_SAME / 4);
  private restLength = 0;
  private restTail = 0;
  private seconds = 0;
  private sameCommStart = 0;
  private sameCommEnd = 0;

  private readonly templates = new Templates();
  private viewed: Uint8Array | undefined;
  private view: DataView = new DataView(new ArrayBuffer(0));

  constructor(sink: EventSink, options: OpenOptions) {
    super(sink, options);
    this.pageRefEntries = [
      'page_ref_set',
      'page_ref_mod',
      'page_ref_mod_and_test',
      'page_ref_mod_and_return',
      'page_ref_mod_unless',
      'page_ref_freeze',
      'page_ref_unfreeze',
    ].map((name) => this.table.named(name));
  }

  protected override region(buf: Uint8Array, start: number, stop: number, offset: number): void {
    this.look(buf);
    if (this.viewed !== buf) {
      this.viewed = buf;
      this.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
    }
    const quickEnd = buf.length - MARGIN;
    while (start < stop) {
      this.counters.lines++;
      if (this.sameLength > 0 && start < quickEnd) {
        let next = this.quick(buf, this.view, start, offset);
        if (next === OTHER_TASK && this.task(buf, start, stop)) next = this.quick(buf, this.view, start, offset);
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

  /**
   * A line that begins like the one before (same task, same CPU), with a time in `s.ffffff`. Answers where the next line
   * begins, or -1 when the line needs the general way (OTHER_TASK when only its task or CPU is another); nothing has
   * happened then.
   *
   * Loops over single bytes need no bound: a newline stops each of them, and every line here has one.
   */
  private quick(buf: Uint8Array, view: DataView, start: number, offset: number): number {
    const same = this.same;
    const length = this.sameLength;
    const words = length >> 2;
    for (let i = 0; i < words; i++) if (view.getInt32(start + 4 * i, true) !== same[i]) return OTHER_TASK;
    if (view.getInt32(start + length - 4, true) !== this.sameTail) return OTHER_TASK;
    const dot = this.secondsEnd(buf, view, start + length);
    if (dot < 0) return -1;
    const a = buf[dot + 1]! - 48;
    const b = buf[dot + 2]! - 48;
    const c = buf[dot + 3]! - 48;
    const d = buf[dot + 4]! - 48;
    const e = buf[dot + 5]! - 48;
    const f = buf[dot + 6]! - 48;
    if (a >>> 0 > 9 || b >>> 0 > 9 || c >>> 0 > 9 || d >>> 0 > 9 || e >>> 0 > 9 || f >>> 0 > 9) return -1;
    if (buf[dot + 7] !== COLON || buf[dot + 8] !== SPACE) return -1;
    const us = a * 100000 + b * 10000 + c * 1000 + d * 100 + e * 10 + f;
    const name = dot + 9;

    const ev = this.ev;
    const kind = pageRefName(buf, view, name);
    if (kind > 0) {
      const nameEnd = name + NAME_LENGTH[kind]!;
      const newline = pageRefLine(buf, view, nameEnd + 2, ev, this.table.context);
      if (newline < 0) return -1;
      const entry = this.pageRefEntries[kind - 1]!;
      entry.count++;
      ev.kind = entry.kind;
      ev.nameStart = name;
      ev.nameEnd = nameEnd;
      this.place(start, newline, offset, us);
      this.given[ev.cpu & MAX_CPU] = 1;
      this.sink.event(ev);
      return newline + 1;
    }

    const template = this.templates.at(view, name);
    if (template !== undefined) {
      const newline = template.read(buf, view, name, ev);
      if (newline > 0) {
        const entry = template.entry;
        entry.count++;
        ev.nameStart = name;
        ev.nameEnd = name + entry.bytes.length;
        this.place(start, newline, offset, us);
        this.given[ev.cpu & MAX_CPU] = 1;
        this.sink.event(ev);
        return newline + 1;
      }
    }

    let pos = name;
    let hash = 0;
    let char: number;
    while ((char = buf[pos]!) !== COLON) {
      if (char <= SPACE) return -1;
      hash = hashStep(hash, char);
      pos++;
    }
    if (buf[pos + 1] !== SPACE || pos === name) return -1;
    const entry = this.table.entry(buf, name, pos, hash);
    entry.count++;
    const newline = this.finder.indexOf(LF, pos);
    const end = buf[newline - 1] === CR ? newline - 1 : newline;
    this.place(start, end, offset, us);
    ev.nameStart = name;
    ev.nameEnd = pos;
    this.payload(entry, buf, pos + 2, end);
    // at a newline without CR: a template ends there
    if (ev.kind !== EventKind.Other && end === newline) this.learn(entry, buf, view, name, end);
    return newline + 1;
  }

  /** Takes on task and CPU of the line at `start`. False if its columns are not such that `quick` can go on. */
  private task(buf: Uint8Array, start: number, stop: number): boolean {
    const columns = this.columns;
    // no loop over columns goes beyond a newline, but the first column may begin at one: an empty line
    if (buf[start] === LF || !columns.parseInPlace(buf, start, stop)) return false;
    this.take();
    this.remember(buf, start);
    return this.sameLength > 0;
  }

  /** The task and CPU of the columns become the event's. */
  private take(): void {
    const {ev, columns} = this;
    ev.pid = columns.pid;
    ev.tgid = columns.tgid;
    ev.cpu = columns.cpu;
    ev.context = columns.context;
  }

  /** If the event was a probe, the lines that follow of it may be read by a template. */
  private learn(entry: EventEntry, buf: Uint8Array, view: DataView, name: number, end: number): void {
    const probe = this.table.lastProbe;
    if (!probe || entry.withoutTemplate >= ENOUGH_TRIES) return;
    const template = templateOf(entry, probe, this.ev.kind, buf, name, this.table.lastProbeArgs, end);
    if (template) this.templates.put(view, name, template);
    else entry.withoutTemplate++;
  }

  /**
   * Flags, blanks and seconds, which begin at `pos`: mostly those of the line before. Answers the position of the
   * decimal point, or -1; sets the seconds and the context.
   */
  private secondsEnd(buf: Uint8Array, view: DataView, pos: number): number {
    const rest = this.rest;
    const length = this.restLength;
    if (length > 0) {
      const dot = pos + length;
      let i = 0;
      for (const words = length >> 2; i < words; i++) if (view.getInt32(pos + 4 * i, true) !== rest[i]) break;
      // the tail takes in the decimal point
      if (i === length >> 2 && view.getInt32(dot - 3, true) === this.restTail) return dot;
    }
    const start = pos;
    let context: number = Context.unknown;
    if (this.sameFlags > 0) {
      for (let i = 0; i < this.sameFlags; i++) if (!isFlag(buf[pos + i]!)) return -1;
      context = contextOf(buf[pos + 2]!);
      pos += this.sameFlags;
    }
    if (buf[pos] !== SPACE) return -1;
    while (buf[pos] === SPACE) pos++;
    const first = pos;
    let seconds = 0;
    let digit: number;
    while ((digit = buf[pos]! - 48) >>> 0 <= 9) {
      seconds = seconds * 10 + digit;
      pos++;
    }
    if (pos === first || pos > first + 12 || buf[pos] !== DOT) return -1;
    // these three belong together, whatever becomes of the line
    this.ev.context = context;
    this.seconds = seconds;
    this.restLength = 0;
    if (pos - start >= 4 && pos - start <= MAX_SAME) {
      this.restLength = pos - start;
      for (let i = 0; i < (pos - start) >> 2; i++) rest[i] = view.getInt32(start + 4 * i, true);
      this.restTail = view.getInt32(pos - 3, true);
    }
    return pos;
  }

  /** Ends what the line before began, and fills in the columns of a line that begins like it. */
  private place(start: number, end: number, offset: number, us: number): void {
    if (this.after !== After.nothing) this.endStack();
    const ev = this.ev;
    const counters = this.counters;
    counters.events++;
    ev.line = counters.lines;
    ev.offset = offset + start;
    ev.lineStart = start;
    ev.lineEnd = end;
    ev.commStart = start + this.sameCommStart;
    ev.commEnd = start + this.sameCommEnd;
    ev.t = this.clock.fromSeconds(this.seconds, us * 1000);
    counters.time(ev.t, ev.cpu);
  }

  /** Lines without the columns of an event. False if the line is none of them. */
  protected special(buf: Uint8Array, start: number, end: number): boolean {
    const first = start < end ? buf[start]! : LF;
    const input = this.options.input;
    if (first === LF) return true;
    if (first === SPACE) {
      // ` => symbol`; a comm may look so too, but then a dash stands in its column
      const frame = buf[start + 1] === EQUALS && buf[start + 2] === GREATER && buf[start + 3] === SPACE;
      if (!frame || (start + 16 < end && buf[start + 16] === MINUS)) return false;
      if (this.after === After.stack) this.frame(buf, start + 4, end);
      return true;
    }
    if (first === HASH) {
      // a comm of eight characters or more fills its column in the latency format
      if (this.columns.parse(buf, start, end)) return false;
      this.endStack();
      const release = headerLine(buf, start, end, this.counters.lines, input, this.sink);
      if (release) this.table.context.setKernel(release);
      return true;
    }
    if (first === LETTER_C && startsWith(buf, start, end, CPU_COLON)) {
      if (!lossLine(buf, start, end, this.counters.lines, input, this.sink)) return false;
      this.endStack();
      return true;
    }
    return false;
  }

  /** `symbol+0x10/0x90 [mod]`, without ` <ffffffff81..>` of the sym-addr option */
  private frame(buf: Uint8Array, start: number, end: number): void {
    if (buf[end - 1] === GREATER) {
      let bracket = end - 1;
      while (bracket > start && buf[bracket] !== LESS) bracket--;
      if (bracket > start && buf[bracket - 1] === SPACE) end = bracket - 1;
    }
    this.sink.stackFrame(buf, start, end);
  }

  protected eventLine(buf: Uint8Array, start: number, end: number, offset: number): void {
    const columns = this.columns;
    if (!columns.parse(buf, start, end)) {
      if (this.after === After.text) return;
      this.endStack();
      this.unrecognised(buf, start, end);
      return;
    }
    this.endStack();
    this.remember(buf, start);
    const ev = this.ev;
    const counters = this.counters;
    ev.line = counters.lines;
    ev.offset = offset + start;
    ev.lineStart = start;
    ev.lineEnd = end;
    ev.commStart = columns.commStart;
    ev.commEnd = columns.commEnd;
    this.take();
    ev.t = this.time(buf);
    counters.time(ev.t, ev.cpu);

    const body = columns.body;
    if (buf[body] === LESS) {
      const kernel = startsWith(buf, body, end, KERNEL_STACK);
      if (kernel || startsWith(buf, body, end, USER_STACK)) {
        counters.stacks++;
        // frames of user space say nothing about pages
        if (kernel) this.beginStack(ev.cpu, ev.pid);
        else this.after = After.skippedStack;
        return;
      }
    }
    counters.events++;
    let pos = body;
    while (pos < end && buf[pos] !== COLON && buf[pos]! > SPACE) pos++;
    if (pos < end && buf[pos] === COLON && pos > body && (pos + 1 === end || buf[pos + 1] === SPACE)) {
      const entry = this.table.entry(buf, body, pos, hashBytes(buf, body, pos));
      entry.count++;
      ev.nameStart = body;
      ev.nameEnd = pos;
      this.payload(entry, buf, Math.min(pos + 2, end), end);
    } else if (pos + 2 < end && buf[pos] === SPACE && buf[pos + 1] === LESS && buf[pos + 2] === MINUS) {
      // `try_grab_folio <-follow_page_pte` of the function tracer
      this.functionLines ??= this.table.named('(function)');
      this.functionLines.count++;
      ev.kind = EventKind.Other;
      this.give();
    } else {
      // printk-msg-only, trace_marker_raw: text without a name
      this.textLines ??= this.table.named('(text)');
      this.textLines.count++;
      ev.kind = EventKind.Other;
      this.give();
      this.after = After.text;
    }
  }

  private functionLines: EventEntry | undefined;
  private textLines: EventEntry | undefined;

  private time(buf: Uint8Array): number {
    const columns = this.columns;
    switch (columns.timeForm) {
      case TimeForm.ticks:
        return this.clock.fromTicks(buf, columns.ticksStart, columns.ticksEnd);
      case TimeForm.relative:
        return this.clock.fromRelative(columns.seconds, columns.fraction_ns);
      default:
        return this.clock.fromSeconds(columns.seconds, columns.fraction_ns);
    }
  }

  /** Keeps the columns of the line at `start` for the next one, if they are such that `quick` can compare. */
  private remember(buf: Uint8Array, start: number): void {
    const columns = this.columns;
    this.sameLength = 0;
    if (columns.timeForm !== TimeForm.seconds || columns.columnsEnd === 0) return;
    const length = columns.columnsEnd - start;
    const flags = columns.flagsEnd - columns.flagsStart;
    if (length < 8 || length > MAX_SAME || start + length + 8 > buf.length || flags > 8) return;
    const view = this.view;
    for (let i = 0; i < length >> 2; i++) this.same[i] = view.getInt32(start + 4 * i, true);
    this.sameTail = view.getInt32(start + length - 4, true);
    this.sameLength = length;
    this.sameFlags = flags;
    // the context of this line is its own: what the next one compares with is read there
    this.restLength = 0;
    this.sameCommStart = columns.commStart - start;
    this.sameCommEnd = columns.commEnd - start;
  }
}

const LETTER_C = 67;
const OTHER_TASK = -2;
/** Lines of an event that must fail to make a template before no more are tried. */
const ENOUGH_TRIES = 4;

/** Length of the name of each kind of page_ref event (EventKind RefSet to RefUnfreeze). */
const NAME_LENGTH = [0, 12, 12, 21, 23, 19, 15, 17];

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
