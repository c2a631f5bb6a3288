/**
 * The lines that a bpftrace program prints, from text output or out of the `printf` records of `-f json`.
 *
 *     # pinscope-record: kernel=6.12.117-gupl                           from `pinscope record`
 *     Attaching 26 probes...
 *     START vmemmap=0xfffffadcc0000000                                   printed by the program for its page frame numbers
 *     59699823801 cpu=1 pid=393 tid=393 comm=sleep mm_page_free pfn=0xd58b order=0
 *                                                                        kstack begins with a newline
 *     <TAB>ffffffff9bef9486 __alloc_pages+598                            kstack(perf)
 *             __alloc_pages+598                                          kstack, or in another program's mode
 *     Lost 8 events
 *     @pins[wl, 398]: 5
 */

import {EventKind, TraceEvent, type EventSink} from '../../src/events/event.js';
import {
  ascii,
  find,
  HASH,
  hashBytes,
  isDigit,
  PLUS,
  skipHex,
  skipSpaces,
  SPACE,
  startsWith,
  TAB,
  text,
} from '../bytes.js';
import {FlagPrinter} from '../events/page-flags.js';
import {EventTable, type EventEntry} from '../events/table.js';
import {MAX_CPU, ReaderCounters, type OpenOptions} from '../form.js';
import {headerLine} from '../ftrace/header.js';
import {decodePayload, payloadOf, type Payload} from './events.js';
import {LinePrefix} from './prefix.js';
import {isOutput, MapOutput} from './output.js';
import {Restyler} from './restyle.js';
import type {Style} from './style.js';

/** What an indented line belongs to. */
const After = {nothing: 0, event: 1, stack: 2, skippedStack: 3} as const;

const START = ascii('START');
const ATTACHING = ascii('Attaching ');
/** Headings are short. */
const MAX_HEADINGS = 400;
const VMEMMAP = ascii('vmemmap=');
const LOST = /^(?:WARNING: )?Lost (\d{1,15}) events?\b/;

export class BpftraceLines {
  readonly counters: ReaderCounters;
  private readonly table = new EventTable();
  private readonly payloads = new Map<EventEntry, Payload>();
  private readonly ev = new TraceEvent();
  private readonly prefix = new LinePrefix();
  private readonly maps = new MapOutput();
  private after: number = After.nothing;
  private skipped = 0;
  /** whether the program prints times; its first event line decides */
  private timed: boolean | undefined;
  private readonly restyler: Restyler | undefined;

  constructor(
    private readonly sink: EventSink,
    private readonly options: OpenOptions,
    /** how the program prints its lines, where it is not as the schema has it */
    private readonly style?: Style,
  ) {
    this.restyler = style && new Restyler(style);
    this.counters = new ReaderCounters(this.table);
    this.ev.input = options.input;
    this.table.context.setKernel(options.kernel);
    this.table.context.mentions = options.mentions === true;
    // a program prints page flags as the number they are
    this.table.context.printer = FlagPrinter.libtraceevent;
  }

  /**
   * Reads the line `buf[start..end)`. `recordStart` to `recordEnd` is what stands in the input as that line: the same, or
   * the JSON record it came in. False if it is not understood.
   */
  line(buf: Uint8Array, start: number, end: number, recordStart: number, recordEnd: number, offset: number): boolean {
    // terminals and tables pad lines
    while (end > start && buf[end - 1] === SPACE) end--;
    if (start === end) {
      // kstack and ustack begin with a newline: what follows a kernel stack is not part of it
      if (this.after === After.stack) this.endStack(After.skippedStack);
      return true;
    }
    const first = buf[start]!;
    // facts of `pinscope record` around what bpftrace printed
    if (first === HASH) {
      const release = headerLine(buf, start, end, this.counters.lines, this.options.input, this.sink);
      if (release !== undefined && this.options.kernel === undefined) this.table.context.setKernel(release);
      return true;
    }
    if ((first === TAB || first === SPACE) && this.after !== After.nothing && this.frame(buf, start, end)) return true;
    if (this.maps.continues(buf, start, end)) return this.skip();
    const read = this.restyler
      ? this.restyled(this.restyler, buf, start, end, recordStart, recordEnd, offset)
      : this.event(buf, start, end, recordStart, recordEnd, offset);
    if (read) return true;
    this.endStack(After.nothing);
    if (this.note(buf, start, end)) return true;
    if (this.style && this.frames(buf, start, end)) return this.skip();
    return (this.maps.begins(buf, start, end) || isOutput(buf, start, end)) && this.skip();
  }

  /** Headings of columns, and the brackets around a list of objects. */
  private frames(buf: Uint8Array, start: number, end: number): boolean {
    if (end - start > MAX_HEADINGS) return false;
    const line = text(buf, start, end);
    if (this.style!.kind === 'json') return /^[[\]],?$/.test(line);
    const words = line.split(/[\s,;|]+/).filter((word) => word !== '');
    return words.length >= 3 && words.every((word) => /^(?:#?[A-Z][A-Za-z0-9_()/%-]*|-)$/.test(word));
  }

  /** A line of a style of its own: read as the line of the schema that it is made into. */
  private restyled(
    restyler: Restyler,
    buf: Uint8Array,
    start: number,
    end: number,
    recordStart: number,
    recordEnd: number,
    offset: number,
  ): boolean {
    const record = recordEnd - recordStart;
    const stop = restyler.rewrite(buf, start, end, record);
    if (stop < 0) return false;
    const {out} = restyler;
    out.set(buf.subarray(recordStart, recordEnd), 0);
    return this.event(out, record, stop, 0, record, offset);
  }

  /** Maps, histograms and the tool's own words: understood, and nothing to read in them. */
  private skip(): true {
    this.skipped++;
    return true;
  }

  end(): void {
    this.endStack(After.nothing);
    if (this.skipped > 0) this.sink.fact(this.options.input, 'lines_of_other_output', String(this.skipped));
  }

  /** Events that the tool could not hand over: it does not say of which CPU. */
  lost(count: number): void {
    this.sink.loss({input: this.options.input, line: this.counters.lines, cpu: -1, count, what: 'lost'});
  }

  /** A line, or a record, that is not understood. */
  unread(): void {
    this.sink.loss({input: this.options.input, line: this.counters.lines, cpu: -1, count: -1, what: 'unread'});
  }

  /** Whether the line begins an event, for JSON records that do not end with a newline. */
  looksLikeEvent(buf: Uint8Array, start: number, end: number): boolean {
    const {prefix} = this;
    if (this.restyler) return this.restyler.rewrite(buf, start, end, 0) >= 0;
    if (!prefix.parse(buf, start, end)) return false;
    return prefix.hasTime || prefix.pairs > 0 || this.payload(this.entry(buf)).read !== 'nothing';
  }

  private event(
    buf: Uint8Array,
    start: number,
    end: number,
    recordStart: number,
    recordEnd: number,
    offset: number,
  ): boolean {
    const {prefix, ev, counters} = this;
    if (!prefix.parse(buf, start, end)) return false;
    // a number before words that are no pairs of the schema may be anything: a pid, a line number
    if (!this.style && prefix.pairs === 0) prefix.hasTime = false;
    const entry = this.entry(buf);
    const payload = this.payload(entry);
    // Free text has a last word too: an unknown name needs the schema's pairs before it, a known one anything beside it.
    const alone = !prefix.hasTime && prefix.body >= end;
    if (payload.read === 'nothing' ? prefix.pairs === 0 || alone : prefix.pairs === 0 && alone) return false;
    // One newline in a task's name is enough to begin a line with anything: it does not forge an event's time.
    if (this.timed === true && !prefix.hasTime) return false;
    this.endStack(After.event);
    entry.count++;
    counters.events++;
    ev.line = counters.lines;
    ev.offset = offset;
    ev.buf = buf;
    ev.lineStart = recordStart;
    ev.lineEnd = recordEnd;
    const hasComm = prefix.commEnd > prefix.commStart;
    ev.commStart = hasComm ? prefix.commStart : recordStart;
    ev.commEnd = hasComm ? prefix.commEnd : recordStart;
    // ranges of an earlier event lie anywhere in the bytes
    ev.deviceStart = ev.deviceEnd = ev.textStart = ev.textEnd = 0;
    ev.cpu = prefix.cpu <= MAX_CPU ? prefix.cpu : -1;
    ev.pid = prefix.pid;
    ev.tgid = prefix.tgid;
    ev.nameStart = prefix.nameStart;
    ev.nameEnd = prefix.nameEnd;
    ev.t = this.time();
    counters.time(ev);
    decodePayload(this.table, entry, payload, buf, prefix.body, end, ev);
    if (ev.kind === EventKind.Other) this.after = After.skippedStack;
    else this.sink.event(ev);
    return true;
  }

  private entry(buf: Uint8Array): EventEntry {
    const {nameStart, nameEnd} = this.prefix;
    return this.table.entry(buf, nameStart, nameEnd, hashBytes(buf, nameStart, nameEnd));
  }

  private payload(entry: EventEntry): Payload {
    let payload = this.payloads.get(entry);
    if (!payload) this.payloads.set(entry, (payload = payloadOf(entry)));
    return payload;
  }

  /** Time of the line at hand. A program that prints no times leaves the order of its lines, which counts instead. */
  private time(): number {
    const {prefix} = this;
    const {time} = this.options;
    if (this.timed === undefined) {
      this.timed = prefix.hasTime;
      this.tellClock();
    }
    if (!this.timed) return time.fromInteger(BigInt(this.counters.events), 'ticks');
    if (this.style?.unit !== 'unknown') return time.fromSeconds(prefix.seconds, prefix.fraction_ns);
    return time.fromInteger(BigInt(prefix.seconds) * 1_000_000_000n + BigInt(prefix.fraction_ns), 'ticks');
  }

  /** What is known of the times, and what cannot be concluded from them. */
  private tellClock(): void {
    const {style, sink} = this;
    const {input} = this.options;
    const tell = (name: string, value: string): void => sink.fact(input, name, value);
    if (!this.timed) {
      tell('clock', 'line order');
      tell('clock_unit', 'ticks');
      tell('order', 'none');
    } else if (!style || style.nsecs) tell('clock', 'nsecs');
    else if (style.unit === 'unknown') tell('clock_unit', 'unknown');
    else if (style.unit === 'clock') {
      tell('clock', 'time of day');
      if (!style.fraction) tell('clock_resolution_ns', '1000000000');
    }
  }

  /** A frame of a kernel stack. False if the indented line is none. */
  private frame(buf: Uint8Array, start: number, end: number): boolean {
    let pos = start;
    while (pos < end && (buf[pos] === TAB || buf[pos] === SPACE)) pos++;
    if (pos - start < 4 && buf[start] !== TAB) return false;
    const addressEnd = skipHex(buf, startsWith(buf, pos, end, HEX_PREFIX) ? pos + 2 : pos, end);
    const hasAddress = addressEnd - pos >= 8 && (addressEnd === end || buf[addressEnd] === SPACE);
    if (hasAddress) {
      // `ffffffff812e1078 __alloc_pages_noprof+616`: the name says it better
      const symbol = skipSpaces(buf, addressEnd, end);
      // an indented event: its time looks like an address
      if (find(buf, symbol, end, EQUALS_SIGN) >= 0) return false;
      if (symbol < end) pos = symbol;
    } else if (!hasOffset(buf, pos, end)) return false;
    if (this.after === After.event) {
      this.after = this.sink.stackBegin(this.ev.cpu, this.ev.pid) ? After.stack : After.skippedStack;
    }
    if (this.after === After.stack) this.sink.stackFrame(buf, pos, end);
    return true;
  }

  private endStack(next: number): void {
    if (this.after === After.stack) this.sink.stackEnd();
    this.after = next;
  }

  private attaching = false;

  /** Lines that say something about the trace. */
  private note(buf: Uint8Array, start: number, end: number): boolean {
    if (startsWith(buf, start, end, ATTACHING)) {
      // a program says so once, before it runs
      if (this.attaching)
        this.sink.loss({input: this.options.input, line: this.counters.lines, cpu: -1, count: -1, what: 'again'});
      this.attaching = true;
      return false;
    }
    if (startsWith(buf, start, end, START)) {
      const at = find(buf, start, end, VMEMMAP);
      if (at < 0) return true;
      const value = at + VMEMMAP.length;
      const digits = startsWith(buf, value, end, HEX_PREFIX) ? value + 2 : value;
      const stop = skipHex(buf, digits, end);
      if (stop > digits && stop - digits <= 16)
        this.sink.fact(this.options.input, 'vmemmap_base', `0x${text(buf, digits, stop)}`);
      return true;
    }
    const m = end - start < 200 ? LOST.exec(text(buf, start, end)) : null;
    if (!m) return false;
    this.lost(Number(m[1]));
    return true;
  }
}

const HEX_PREFIX = ascii('0x');
const EQUALS_SIGN = ascii('=');

/** `symbol+598`, `symbol+0x256 [module]` */
function hasOffset(buf: Uint8Array, start: number, end: number): boolean {
  let pos = start;
  while (pos < end && buf[pos] !== PLUS && buf[pos] !== SPACE) pos++;
  return pos > start && pos + 1 < end && buf[pos] === PLUS && isDigit(buf[pos + 1]!);
}
