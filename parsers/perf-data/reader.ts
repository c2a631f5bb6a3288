/** The samples of a perf.data in order of time, with the names of tasks as they were then, and what was lost. */
import type {EventSink} from '../../src/events/event.js';
import {Blocks} from '../../src/io/blocks.js';
import type {RandomAccess} from '../../src/io/random-access.js';
import {Spool} from '../../src/io/spool.js';
import {UserError} from '../../src/io/user-error.js';
import {MAX_CPU, type OpenOptions, type ReaderCounters, type RecordReader} from '../form.js';
import {Cursor, Damaged, latin1} from '../records/cursor.js';
import {RecordEvents} from '../records/events.js';
import {part} from '../records/metadata.js';
import {type Bytes, bytesOf, type Piece} from '../records/piece.js';
import {render} from '../records/render.js';
import {Attr, ATTR_MIN} from './attr.js';
import {tellFacts} from './facts.js';
import {FOREIGN_RECORD, type PerfDataFile, simpleperf} from './file.js';
import {TaskNames} from './names.js';
import {Rounds} from './queue.js';
import {SampleParts} from './sample.js';
import {tellScope} from './scope.js';
import {type PlacedPiece, type Segment, Type, Walk} from './walk.js';

/** Places from here on are in the unpacked stream, which was put aside. */
const UNPACKED = 2 ** 41;
const NAME_MAX = 64;
const KERNEL_MAP = '[kernel.kallsyms]';
const RECORD_HEAD = 8;
/** misc of LOST_SAMPLES: dropped by a filter, and wanted so */
const DROPPED_BY_FILTER = 0x8000;

export class PerfDataReader implements RecordReader {
  private readonly events: RecordEvents;
  private readonly rounds: Rounds;
  private readonly parts = new SampleParts();
  private walk: Walk | undefined;
  private next = 0;
  private finished = false;
  /** the unpacked stream, to show records of it again */
  private spool: Spool | undefined;
  private spoolFailed = false;
  private readonly names = new TaskNames();
  // the event of the record before, by its id
  private lastId = -1;
  private lastAttr: Attr | undefined;
  /** records that name an event that the file does not know */
  private unknownIds = 0;
  private readonly cpuOfId = new Map<number, number>();
  /** by CPU: what LOST records count, and what the kernel's totals do */
  private readonly lost = new Map<number, number>();
  private readonly totals = new Map<number, number>();
  private delivered = 0;
  /** of the THREAD_MAP record */
  private threads: readonly number[] | undefined;
  private scopeTold = false;
  /** CPUs whose buffer was overwritten, of which an event came */
  private readonly begun = new Set<number>();

  constructor(
    private readonly file: PerfDataFile,
    private readonly segments: readonly Segment[],
    private readonly sink: EventSink,
    private readonly options: OpenOptions,
  ) {
    this.events = new RecordEvents(sink, options, file.meta, file.release);
    this.rounds = new Rounds(this);
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
    if (!this.spoolFailed && !this.spool) {
      try {
        this.spool = new Spool();
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        this.spoolFailed = true;
      }
    }
    const place = UNPACKED + (this.spool?.bytes ?? 0);
    if (this.spool && !this.spool.write(bytes)) this.spoolFailed = true;
    return place;
  }

  record(piece: Piece, at: number, size: number, type: number): void {
    const attr = this.attrOf(piece, at, size, type);
    let timeAt = -1;
    if (attr) {
      if (type === Type.sample) timeAt = attr.timeAt < 0 ? -1 : at + attr.timeAt;
      else if (attr.sampleIdAll && attr.backTime > 0 && size >= 8 + attr.trailer) timeAt = at + size - attr.backTime;
    }
    let t = this.rounds.latest;
    if (timeAt >= 0 && timeAt + 8 <= at + size) {
      const {view, little} = piece;
      const low = view.getUint32(little ? timeAt : timeAt + 4, little);
      const high = view.getUint32(little ? timeAt + 4 : timeAt, little);
      // what perf makes up at the start has time 0
      t = high === 0 && low === 0 ? (type === Type.lostSamples ? Infinity : -Infinity) : this.time(high, low);
    }
    if (t === Infinity) this.total(piece, at, size, attr);
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

  /** The event that a record is of; undefined when its id is not known. */
  private attrOf(piece: Bytes, at: number, size: number, type: number): Attr | undefined {
    const {attrs, byId} = this.file;
    const [first] = attrs;
    if (attrs.length < 2 || !first) return first;
    let idAt = -1;
    if (type === Type.sample) {
      if (first.identifierAt >= 0) idAt = at + first.identifierAt;
      else if (first.idAt >= 0) idAt = at + first.idAt;
    } else if (first.sampleIdAll) {
      const back = first.backIdentifier || first.backId;
      if (back > 0) idAt = at + size - back;
    }
    if (idAt < at + 8 || idAt + 8 > at + size) return first;
    const id = idOf(piece, idAt);
    if (id === this.lastId) return this.lastAttr;
    this.lastId = id;
    // 0: perf made it up
    return (this.lastAttr = id === 0 ? first : byId.get(id));
  }

  own(piece: PlacedPiece, at: number, size: number, type: number, follows: number, place: number): void {
    const {file} = this;
    if (type >= FOREIGN_RECORD) throw new Damaged('records of another program');
    if (type === Type.finishedRound) {
      if (this.segments.length === 1) this.rounds.round();
      return;
    }
    if (type === Type.idIndex) this.idIndex(piece, at, size);
    else if (type === Type.threadMap) this.threadMap(piece, at, size);
    else readHead(file, piece, at, size, type, follows, place);
  }

  /** ID_INDEX: u64 n, then each id, index, cpu, tid */
  private idIndex(piece: Piece, at: number, size: number): void {
    const n = Math.min(idOf(piece, at + 8), Math.floor((size - 16) / 32));
    for (let i = 0, entry = at + 16; i < n; i++, entry += 32) {
      const cpu = piece.view.getInt32(piece.little ? entry + 16 : entry + 20, piece.little);
      if (cpu >= 0) this.cpuOfId.set(idOf(piece, entry), cpu);
    }
  }

  /** THREAD_MAP: u64 n, then each u64 pid, 16 bytes of name. One of -1 is the whole system. */
  private threadMap(piece: Piece, at: number, size: number): void {
    const n = Math.min(idOf(piece, at + 8), Math.floor((size - 16) / 24));
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
        if (size >= 24) this.lostHere(idOf(piece, at + 16), this.cpuOf(piece, at, size, attr));
        break;
      case Type.lostSamples:
        if (size >= 16 && (view.getUint16(at + 4, little) & DROPPED_BY_FILTER) === 0)
          this.lostHere(idOf(piece, at + 8), this.cpuOf(piece, at, size, attr));
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
    if (name.startsWith(KERNEL_MAP)) this.events.symbolAt(name.slice(KERNEL_MAP.length), bigOf(piece, at + 32));
  }

  /** What was before the first event of a CPU may have been overwritten. */
  private begins(cpu: number): void {
    this.begun.add(cpu);
    const {input} = this.options;
    this.sink.loss({input, line: this.counters.lines, cpu, count: -1, what: 'start', record: true});
  }

  /** CPU of a record's trailer; -1 where it has none. */
  private cpuOf(piece: Piece, at: number, size: number, attr: Attr | undefined): number {
    if (!attr?.sampleIdAll || attr.backCpu === 0 || size < 8 + attr.trailer) return -1;
    return piece.view.getInt32(at + size - attr.backCpu, piece.little);
  }

  private lostHere(count: number, cpu: number): void {
    this.lost.set(cpu, (this.lost.get(cpu) ?? 0) + count);
    this.sink.loss({input: this.options.input, line: this.counters.lines + 1, cpu, count, what: 'lost', record: true});
  }

  /**
   * LOST_SAMPLES at the end are the kernel's totals, one for each event and CPU that lost any: the same losses as those of
   * LOST records, and those after the last of them.
   */
  private total(piece: Piece, at: number, size: number, attr: Attr | undefined): void {
    if (size < 16 || (piece.view.getUint16(at + 4, piece.little) & DROPPED_BY_FILTER) !== 0) return;
    const count = idOf(piece, at + 8);
    const back = attr?.backIdentifier || attr?.backId || 0;
    const id = back > 0 && size >= 16 + back ? idOf(piece, at + size - back) : -1;
    const cpu = this.cpuOfId.get(id) ?? -1;
    this.totals.set(cpu, (this.totals.get(cpu) ?? 0) + count);
    const name = attr && (this.file.meta.formats.get(attr.config)?.title ?? attr.name);
    if (name !== undefined && name !== '') this.sink.fact(this.options.input, 'lost_event', `${name} ${count}`);
  }

  private sample(piece: PlacedPiece, at: number, size: number, t: number, attr: Attr | undefined): void {
    const {events, parts, sink} = this;
    const {counters, ev} = events;
    counters.lines++;
    if (!this.scopeTold) this.tellScope();
    if (!attr) {
      this.unknownIds++;
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
    if (attr.overwrites && cpu <= MAX_CPU && !this.begun.has(cpu)) this.begins(cpu);
    const id = attr.isTracepoint && rawEnd - rawAt >= 8 ? piece.view.getUint16(rawAt, piece.little) : -1;
    const recorded = id >= 0 ? events.of(id) : undefined;
    if (!recorded) {
      if (id >= 0) events.unknownId(id);
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
    const {counters, sink} = this;
    if (!this.scopeTold) this.tellScope();
    const loss = (cpu: number, count: number, what: 'lost' | 'somewhere'): void =>
      sink.loss({input: this.options.input, line: 0, cpu, count, what, record: true});
    if (this.finished) {
      for (const [cpu, total] of this.totals) {
        const rest = total - (this.lost.get(cpu) ?? 0);
        if (rest > 0) loss(cpu, rest, cpu >= 0 ? 'lost' : 'somewhere');
      }
      const cut = this.cutShort ?? this.file.cut;
      if (cut !== undefined) {
        counters.lastLineCut = true;
        sink.fact(this.options.input, 'note', cut);
        loss(-1, -1, 'lost');
      }
    }
    counters.outOfOrder = this.rounds.late;
    if (this.rounds.overflowed) loss(-1, -1, 'somewhere');
  }

  text(place: number): string {
    try {
      return this.rendered(place);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      return this.spoolFailed && place >= UNPACKED
        ? '(the record was not kept: no room for a temporary file)'
        : '(the recording has changed since it was read)';
    }
  }

  private rendered(place: number): string {
    const {events, parts} = this;
    const piece = this.again(place);
    const size = piece.bytes.length;
    const attr = this.attrOf(piece, 0, size, Type.sample);
    if (!attr || !parts.find(attr, piece, 0, size)) throw new Damaged('it is no sample');
    const {cpu, tid, rawAt, rawEnd} = parts;
    const recorded = rawEnd - rawAt >= 8 ? events.of(piece.view.getUint16(rawAt, piece.little)) : undefined;
    if (!recorded) throw new Damaged('its format is not known');
    const time = idOf(piece, attr.timeAt);
    const t = attr.timeAt < 0 ? 0n : bigOf(piece, attr.timeAt);
    return render({
      format: recorded.format,
      piece,
      base: rawAt,
      end: rawEnd,
      comm: latin1(this.names.at(tid, Number.isFinite(time) ? this.options.time.relative(t) : 0)),
      pid: tid,
      cpu,
      time: t,
      unit: 'ns',
      flags: piece.bytes[rawAt + recorded.flagsAt]!,
      preempt: piece.bytes[rawAt + recorded.flagsAt + 1]!,
      symbols: events.kallsyms(),
      layout: events.flagsOf(recorded.format),
      printk: this.file.meta.printk,
    });
  }

  /** by source: what was read again of it */
  private readonly blocks = new Map<RandomAccess, Blocks>();

  /** The bytes of a record, read again. */
  private again(place: number): Bytes {
    const segment = place >= UNPACKED ? undefined : this.segments.findLast(({base}) => base <= place);
    const source = place >= UNPACKED ? this.spool?.read() : segment?.source;
    if (!source) throw new Damaged('there is no such record');
    let blocks = this.blocks.get(source);
    if (!blocks) this.blocks.set(source, (blocks = new Blocks(source)));
    const offset = place - (segment?.base ?? UNPACKED);
    const {little} = this.file;
    const head = bytesOf(blocks.bytes(offset, RECORD_HEAD), little);
    if (head.bytes.length < RECORD_HEAD || head.view.getUint32(0, little) !== Type.sample)
      throw new Damaged('there is no such record');
    const size = head.view.getUint16(6, little);
    const bytes = blocks.bytes(offset, size);
    if (size < RECORD_HEAD || bytes.length < size) throw new Damaged('there is no such record');
    return bytesOf(bytes, little);
  }
}

/** Reads what in pipe mode stands for the head: attrs, names, features, formats. */
export function readHead(
  file: PerfDataFile,
  piece: Piece,
  at: number,
  size: number,
  type: number,
  follows: number,
  place: number,
): void {
  if (file.headSeen.has(place)) return;
  const {view, bytes, little} = piece;
  const c = (from: number, to: number): Cursor => Cursor.of(bytes.slice(from, to), little);
  part(file.meta.notes, `record of type ${type}`, () => {
    if (type === Type.attr && size >= 8 + ATTR_MIN) {
      // before 2012 the attr did not tell its size
      const said = view.getUint32(at + 12, little);
      const n = said >= ATTR_MIN && said <= size - 8 ? said : ATTR_MIN;
      const attr = new Attr(bytes.slice(at + 8, at + 8 + n), little);
      for (let id = at + 8 + n; id + 8 <= at + size; id += 8) attr.ids.push(idOf(piece, id));
      file.addAttr(attr);
    } else if (type === Type.eventUpdate && size > 24) {
      // 2: the name
      const attr = idOf(piece, at + 8) === 2 ? file.byId.get(idOf(piece, at + 16)) : undefined;
      if (attr) attr.name = latin1(nameIn(bytes, at + 24, at + size, size));
    } else if (type === Type.feature && size >= 16) {
      if (idOf(piece, at + 8) >= 128) throw simpleperf();
      file.feature(idOf(piece, at + 8), c(at + 16, at + size));
    } else if (type === Type.tracingData) file.tracingData(c(at + size, at + size + follows));
    else return;
    if (file.headSeen.size < 100_000) file.headSeen.add(place);
  });
}

/**
 * Reads the head of a recording made for a pipe, up to its first sample. Throws Refused for what another program made.
 */
export function readPipeHead(file: PerfDataFile, segment: Segment): void {
  let done = false;
  const walk = new Walk(segment, file.little, {
    record(_piece, _at, _size, type) {
      if (type === Type.sample) done = true;
    },
    own(piece, at, size, type, follows, place) {
      if (type >= FOREIGN_RECORD) throw simpleperf();
      if (!done) readHead(file, piece, at, size, type, follows, place);
    },
    unpacked() {
      done = true;
      return 0;
    },
  });
  while (!done && walk.step());
}

/** 64 bits as a number: exact below 2^53. */
function idOf({view, little}: Bytes, at: number): number {
  return view.getUint32(little ? at + 4 : at, little) * 4294967296 + view.getUint32(little ? at : at + 4, little);
}

function bigOf({view, little}: Bytes, at: number): bigint {
  return view.getBigUint64(at, little);
}

/** A name up to its NUL, copied. */
function nameIn(bytes: Uint8Array, start: number, end: number, most = NAME_MAX): Uint8Array {
  let stop = start;
  while (stop < end && stop - start < most && bytes[stop] !== 0) stop++;
  return bytes.subarray(start, stop);
}
