/** The samples of a perf.data in order of time, with the names of tasks as they were then. */
import type {EventSink} from '../../src/events/event.js';
import {MAX_CPU, type OpenOptions, type ReaderCounters, type RecordReader} from '../form.js';
import {Damaged, latin1} from '../records/cursor.js';
import {RecordEvents} from '../records/events.js';
import type {Piece} from '../records/piece.js';
import type {Attr} from './attr.js';
import {tellFacts} from './facts.js';
import {FOREIGN_RECORD, type PerfDataFile} from './file.js';
import {Losses} from './losses.js';
import {TaskNames} from './names.js';
import {readHead} from './pipe-head.js';
import {Rounds} from './queue.js';
import {RecordAttrs} from './record-attrs.js';
import {RecordText} from './record-text.js';
import {SampleParts} from './sample.js';
import {tellScope} from './scope.js';
import {bigU64, nameIn, u64} from './values.js';
import {type PlacedPiece, type Segment, Type, Walk} from './walk.js';

const KERNEL_MAP = '[kernel.kallsyms]';

export class PerfDataReader implements RecordReader {
  private readonly events: RecordEvents;
  private readonly rounds: Rounds;
  private readonly parts = new SampleParts();
  private walk: Walk | undefined;
  private next = 0;
  private finished = false;
  private readonly names = new TaskNames();
  private readonly attrs: RecordAttrs;
  private readonly losses: Losses;
  private readonly texts: RecordText;
  private delivered = 0;
  /** of the THREAD_MAP record */
  private threads: readonly number[] | undefined;
  private scopeTold = false;

  constructor(
    private readonly file: PerfDataFile,
    private readonly segments: readonly Segment[],
    private readonly sink: EventSink,
    private readonly options: OpenOptions,
  ) {
    this.events = new RecordEvents(sink, options, file.meta, file.release);
    this.rounds = new Rounds(this);
    this.attrs = new RecordAttrs(file);
    this.losses = new Losses(file, sink, options.input, this.events.counters);
    this.texts = new RecordText(file, segments, options, this.events, this.attrs, this.names);
    this.events.facts();
    tellFacts(file, sink, options.input);
  }

  get counters(): ReaderCounters {
    return this.events.counters;
  }

  step(records: number): boolean {
    const until = this.delivered + records;
    while (this.delivered < until) {
      if (this.rounds.delivering) {
        this.rounds.deliver(until - this.delivered);
        continue;
      }
      if (this.finished) return false;
      if (!this.walk) {
        const segment = this.segments[this.next++];
        if (!segment) {
          this.rounds.release(Infinity);
          this.finished = true;
          continue;
        }
        this.walk = new Walk(segment, this.file.little, this);
      }
      if (this.walk.step()) continue;
      if (this.walk.cut !== undefined) this.cutAt(this.walk.cut);
      if (this.walk.note !== undefined) this.sink.fact(this.options.input, 'note', this.walk.note);
      this.walk = undefined;
    }
    return true;
  }

  private cutShort: string | undefined;

  private cutAt(why: string): void {
    this.cutShort ??= why;
    this.events.counters.lastLineCut = true;
  }

  // --- records as they come

  unpacked(bytes: Uint8Array): number {
    return this.texts.unpacked(bytes);
  }

  record(piece: Piece, at: number, size: number, type: number): void {
    const attr = this.attrs.of(piece, at, size, type);
    let timeAt = -1;
    if (attr) {
      if (type === Type.sample) timeAt = attr.timeAt < 0 ? -1 : at + attr.timeAt;
      else if (attr.sampleIdAll && attr.backTime > 0 && size >= 8 + attr.trailer) timeAt = at + size - attr.backTime;
    }
    // what tells no time stands where it was written
    let t = this.rounds.latest;
    if (t === -Infinity && type === Type.sample && timeAt < 0) t = this.time(0, 0);
    if (timeAt >= 0 && timeAt + 8 <= at + size) {
      const {view, little} = piece;
      const low = view.getUint32(little ? timeAt : timeAt + 4, little);
      const high = view.getUint32(little ? timeAt + 4 : timeAt, little);
      // what perf makes up at the start has time 0
      t = high === 0 && low === 0 ? (type === Type.lostSamples ? Infinity : -Infinity) : this.time(high, low);
    }
    if (t === Infinity) this.losses.total(piece, at, size, attr);
    else this.rounds.add(piece, at, size, t, attr);
  }

  private baseHigh = -1;
  private baseLow = 0;
  private baseTime = 0.5;

  private time(high: number, low: number): number {
    if (this.baseHigh < 0) {
      this.baseHigh = high;
      this.baseLow = low;
      this.baseTime = this.options.time.fromInteger((BigInt(high) << 32n) | BigInt(low), 'ns');
    }
    return this.baseTime + ((high - this.baseHigh) * 4294967296 + (low - this.baseLow));
  }

  own(piece: PlacedPiece, at: number, size: number, type: number, follows: number, place: number): void {
    const {file} = this;
    if (type >= FOREIGN_RECORD) throw new Damaged('records of another program');
    if (type === Type.finishedRound) {
      if (this.segments.length === 1) this.rounds.round();
      return;
    }
    if (type === Type.idIndex) this.losses.idIndex(piece, at, size);
    else if (type === Type.threadMap) this.threadMap(piece, at, size);
    else readHead(file, piece, at, size, type, follows, place);
  }

  /** THREAD_MAP: u64 n, then each u64 pid, 16 bytes of name. One of -1 is the whole system. */
  private threadMap(piece: Piece, at: number, size: number): void {
    const n = Math.min(u64(piece, at + 8), Math.floor((size - 16) / 24));
    const pids: number[] = [];
    for (let i = 0, entry = at + 16; i < n; i++, entry += 24)
      pids.push(piece.view.getInt32(piece.little ? entry : entry + 4, piece.little));
    if (pids.length > 0) this.threads = pids;
  }

  // --- records in order of time

  deliver(piece: Piece, at: number, size: number, t: number, attr: Attr | undefined): void {
    this.delivered++;
    const {view, little} = piece;
    switch (view.getUint32(at, little)) {
      case Type.sample:
        this.sample(piece as PlacedPiece, at, size, t, attr);
        break;
      case Type.comm:
        if (size > 16) this.names.called(view.getInt32(at + 12, little), t, nameIn(piece.bytes, at + 16, at + size));
        break;
      case Type.fork:
        // pid, ppid, tid, ptid
        if (size >= 24) this.names.forked(view.getInt32(at + 16, little), view.getInt32(at + 20, little), t);
        break;
      case Type.mmap:
        this.kernelMap(piece, at, at + 40, at + size);
        break;
      case Type.mmap2:
        this.kernelMap(piece, at, at + 72, at + size);
        break;
      case Type.lost:
        this.losses.lost(piece, at, size, attr);
        break;
      case Type.lostSamples:
        this.losses.lostSamples(piece, at, size, attr);
        break;
    }
  }

  /** All that says what was recorded comes before the first sample. */
  private tellScope(): void {
    this.scopeTold = true;
    tellScope(this.file, this.sink, this.options.input, this.threads);
  }

  /**
   * MMAP and MMAP2: u32 pid, tid, u64 address, length, offset, ..., name. Of the kernel perf makes one up, of task -1, whose
   * offset is the address of the symbol that its name ends with: `[kernel.kallsyms]_text` (perf_event__synthesize_kernel_mmap()).
   */
  private kernelMap(piece: Piece, at: number, nameAt: number, end: number): void {
    if (this.options.kallsyms === undefined || nameAt >= end || piece.view.getInt32(at + 8, piece.little) !== -1)
      return;
    const name = latin1(nameIn(piece.bytes, nameAt, end));
    if (name.startsWith(KERNEL_MAP)) this.events.symbolAt(name.slice(KERNEL_MAP.length), bigU64(piece, at + 32));
  }

  private sample(piece: PlacedPiece, at: number, size: number, t: number, attr: Attr | undefined): void {
    const {events, parts, sink} = this;
    const {counters, ev} = events;
    counters.lines++;
    if (!this.scopeTold) this.tellScope();
    if (!attr) {
      events.bad('a sample of an event that the file does not name');
      return;
    }
    if (!parts.find(attr, piece, at, at + size)) {
      events.bad(`a sample of ${size} bytes that its parts do not fit into`);
      return;
    }
    const {cpu, tid, rawAt, rawEnd} = parts;
    ev.t = t;
    ev.cpu = cpu;
    counters.time(ev);
    if (attr.overwrites && cpu <= MAX_CPU) this.losses.overwritten(cpu);
    const id = attr.isTracepoint && rawEnd - rawAt >= 8 ? piece.view.getUint16(rawAt, piece.little) : -1;
    const recorded = id >= 0 && !attr.isRepeated ? events.of(id) : undefined;
    if (!recorded) {
      if (id >= 0 && !attr.isRepeated) events.unknownId(id);
      else events.other(attr.name || `type ${attr.type} config ${attr.config}`);
      return;
    }
    ev.line = counters.lines;
    ev.offset = piece.place + at;
    ev.pid = tid;
    ev.tgid = parts.pid;
    if (!events.decode(recorded, piece, rawAt, rawEnd)) return;
    piece.name(tid, this.names.of(tid));
    ev.commStart = piece.nameStart;
    ev.commEnd = piece.nameEnd;
    sink.event(ev);
    if (parts.chainCount > 0) this.stack(piece, cpu, tid);
  }

  /** The kernel's frames, innermost first. */
  private stack(piece: Piece, cpu: number, tid: number): void {
    const {parts, events, sink} = this;
    if (!sink.stackBegin(cpu, tid)) return;
    parts.kernelFrames(piece, events.addresses);
    events.handOver();
  }

  end(): void {
    const {counters, losses} = this;
    if (!this.scopeTold) this.tellScope();
    if (this.finished) {
      losses.rest();
      const cut = this.cutShort ?? this.file.cut;
      if (cut !== undefined) {
        counters.lastLineCut = true;
        this.sink.fact(this.options.input, 'note', cut);
        losses.unknown('lost');
      }
    }
    counters.outOfOrder = this.rounds.late;
    if (this.rounds.overflowed) losses.unknown('somewhere');
  }

  text(place: number): string {
    return this.texts.text(place);
  }
}
