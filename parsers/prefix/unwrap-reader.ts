/**
 * Takes away what another tool put around each line, and hands the rest to the form's own reader: one line for each, so
 * that numbers stay those of the input. Events show the line as it stands in the input.
 */

import type {EventSink, Loss, TraceEvent} from '../../src/events/event.js';
import {ascii, CR, LF, text} from '../bytes.js';
import {EventTable} from '../events/table.js';
import {UNRECOGNISED_BYTES, type OpenOptions, ReaderCounters, type TraceReader} from '../form.js';
import {LineReader} from '../lines/line-reader.js';
import {Cleaner, cleans} from './cleaner.js';
import {Transcoder} from './encoding.js';
import {graphLine} from './graph.js';
import {PageText} from './html.js';
import type {Strip} from './layers.js';
import {stripOf, type Wrapping} from './unwrap.js';

/** The head of an input without what is around its lines, line for line, for sniffing. */
export function unwrapped(head: Uint8Array, wrapping: Wrapping): Uint8Array {
  const pieces: Uint8Array[] = [];
  const collect = new Collect(pieces);
  const plain = head.subarray(wrapping.mark);
  const bytes = wrapping.encoding === 'utf-8' ? plain : new Transcoder(wrapping.encoding).push(plain);
  const unwrapper = new Unwrapper(wrapping, collect, new Places(collect, false), 0);
  unwrapper.push(bytes, bytes.length);
  // a last line without an end may be whole
  if (!pieces.length) unwrapper.end();
  return Buffer.concat(pieces);
}

export class UnwrapReader implements TraceReader {
  readonly counters: ReaderCounters;
  private readonly lines: Unwrapper;
  private readonly transcoder: Transcoder | undefined;
  /** bytes of the byte order mark that are still to come */
  private mark: number;

  constructor(
    wrapping: Wrapping,
    open: (sink: EventSink, options: OpenOptions) => TraceReader,
    sink: EventSink,
    options: OpenOptions,
  ) {
    const places = new Places(sink, wrapping.graph?.tasks === false);
    const inner = open(places, options);
    this.counters = inner.counters;
    this.mark = wrapping.mark;
    this.transcoder = wrapping.encoding === 'utf-8' ? undefined : new Transcoder(wrapping.encoding);
    this.lines = new Unwrapper(wrapping, inner, places, wrapping.encoding === 'utf-8' ? wrapping.mark : 0);
    if (wrapping.graph?.timed === false) {
      sink.fact(options.input, 'clock', 'line order');
      sink.fact(options.input, 'order', 'none');
    }
    if (wrapping.excerpt !== undefined) sink.fact(options.input, 'excerpt', wrapping.excerpt);
  }

  push(chunk: Uint8Array, length: number): void {
    const skip = Math.min(this.mark, length);
    this.mark -= skip;
    const rest = chunk.subarray(skip, length);
    const bytes = this.transcoder ? this.transcoder.push(rest) : rest;
    if (bytes.length > 0) this.lines.push(bytes, bytes.length);
  }

  end(): void {
    const rest = this.transcoder?.end();
    if (rest && rest.length > 0) this.lines.push(rest, rest.length);
    this.lines.end();
  }
}

/** Puts the place of the line in the input into each event. */
class Places implements EventSink {
  /** the bytes that hold the stripped lines, then the lines as they are */
  work: Uint8Array = new Uint8Array(0);
  /** number of the first line in `work` */
  firstLine = 0;
  /** by line: where it begins and ends in `work`, and its offset in the input */
  starts: number[] = [];
  ends: number[] = [];
  offsets: number[] = [];

  constructor(
    private readonly sink: EventSink,
    /** the lines name no task */
    private readonly nobody: boolean,
  ) {}

  event(ev: TraceEvent): void {
    if (this.nobody) {
      ev.pid = -1;
      ev.commEnd = ev.commStart;
    }
    const at = ev.line - this.firstLine;
    if (at < 0 || at >= this.starts.length) {
      // a mail's line that waited for its rest: it is shown as it was put together
      this.sink.event(ev);
      return;
    }
    const {buf} = ev;
    const [start, end] = [this.starts[at]!, this.ends[at]!];
    ev.offset = this.offsets[at]!;
    if (buf.buffer === this.work.buffer) {
      ev.lineStart = start;
      ev.lineEnd = end;
      this.sink.event(ev);
      return;
    }
    // The reader made a text of its own of the line: the line as it is goes behind that.
    const both = new Uint8Array(buf.length + end - start);
    both.set(buf);
    both.set(this.work.subarray(start, end), buf.length);
    ev.buf = both;
    ev.lineStart = buf.length;
    ev.lineEnd = both.length;
    this.sink.event(ev);
    ev.buf = buf;
  }

  stackBegin(cpu: number, pid: number): boolean {
    return this.sink.stackBegin(cpu, pid);
  }

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    this.sink.stackFrame(buf, start, end);
  }

  stackEnd(): void {
    this.sink.stackEnd();
  }

  loss(loss: Loss): void {
    this.sink.loss(loss);
  }

  fact(input: number, name: string, value: string): void {
    this.sink.fact(input, name, value);
  }
}

/** Keeps what it is given. */
class Collect implements TraceReader, EventSink {
  readonly counters = new ReaderCounters(new EventTable());

  constructor(private readonly pieces: Uint8Array[]) {}

  push(chunk: Uint8Array, length: number): void {
    this.pieces.push(chunk.subarray(0, length));
    for (let i = 0; i < length; i++) if (chunk[i] === LF) this.counters.lines++;
  }

  end(): void {}
  event(): void {}
  stackBegin(): boolean {
    return false;
  }
  stackFrame(): void {}
  stackEnd(): void {}
  loss(): void {}
  fact(): void {}
}

/** A short line of a graph grows by the columns of tracefs. */
const GRAPH_GROWS = 3;

class Unwrapper extends LineReader {
  readonly counters: ReaderCounters;
  private readonly strip: Strip;
  private readonly cleaner: Cleaner;
  private readonly cleaning: boolean;
  private readonly page: PageText | undefined;
  private readonly graph: boolean;
  private line = new Uint8Array(4096);

  /** What the lines say is the inner reader's to understand. */
  protected override readonly wholeOnly = false;
  protected unread(): void {}

  constructor(
    wrapping: Wrapping,
    private readonly inner: TraceReader,
    private readonly places: Places,
    /** bytes of the input before the first that is pushed */
    private readonly before: number,
  ) {
    super();
    this.counters = inner.counters;
    this.strip = stripOf(wrapping.layers);
    this.cleaner = new Cleaner(wrapping.cleaning);
    this.cleaning = cleans(wrapping.cleaning);
    this.graph = wrapping.graph !== undefined;
    this.page = wrapping.page ? new PageText() : undefined;
  }

  protected region(buf: Uint8Array, start: number, stop: number, offset: number): void {
    const {places, counters, inner} = this;
    // A stripped line is no longer than the line, an event of a graph little; then the lines as they are.
    const half = this.graph ? GRAPH_GROWS * (stop - start) : stop - start;
    const work = new Uint8Array(half + stop - start);
    work.set(buf.subarray(start, stop), half);
    places.work = work;
    places.firstLine = counters.lines + 1;
    places.starts.length = places.ends.length = places.offsets.length = 0;
    let to = 0;
    for (let pos = start; pos < stop;) {
      const newline = buf.indexOf(LF, pos);
      const end = newline > pos && buf[newline - 1] === CR ? newline - 1 : newline;
      places.starts.push(half + pos - start);
      places.ends.push(half + end - start);
      places.offsets.push(this.before + offset + pos);
      if (!this.page || this.page.has(buf, pos, end)) to = this.body(buf, pos, end, work, to);
      work[to++] = LF;
      pos = newline + 1;
    }
    const shown = counters.firstUnrecognised.length;
    inner.push(work, to);
    for (const item of counters.firstUnrecognised.slice(shown)) {
      const at = item.line - places.firstLine;
      if (at < 0 || at >= places.starts.length) continue;
      item.text = text(work, places.starts[at]!, Math.min(places.ends[at]!, places.starts[at]! + UNRECOGNISED_BYTES));
    }
  }

  /** Writes the line proper of `buf[start..end)` to `work` from `to` on; answers where it ends. */
  private body(buf: Uint8Array, start: number, end: number, work: Uint8Array, to: number): number {
    if (this.graph) return this.graphBody(buf, start, end, work, to);
    if (!this.cleaning) {
      const body = this.strip(buf, start, end);
      work.set(buf.subarray(body, end), to);
      return to + end - body;
    }
    if (this.line.length < end - start) this.line = new Uint8Array(2 * (end - start));
    const {line} = this;
    const length = this.cleaner.clean(buf, start, end, line, 0);
    const body = this.strip(line, 0, length);
    work.set(line.subarray(body, length), to);
    return to + length - body;
  }

  /** The same of a function graph. */
  private graphBody(buf: Uint8Array, start: number, end: number, work: Uint8Array, to: number): number {
    const length = end - start;
    if (this.line.length < length) this.line = new Uint8Array(2 * length);
    const stop = this.cleaner.clean(buf, start, end, this.line, 0);
    const body = this.strip(this.line, 0, stop);
    const line = ascii(graphLine(this.line, body, stop, ++this.ordinal));
    // what does not fit was no line of a graph
    if (line.length > GRAPH_GROWS * (length + 1) - 1) return to;
    work.set(line, to);
    return to + line.length;
  }

  private ordinal = 0;

  override end(): void {
    super.end();
    this.inner.end();
  }
}
