/**
 * The events of a trace.dat in order of time: the CPUs of all buffers, merged. Equal times come in the order of the file, as
 * trace-cmd report prints them.
 *
 * Two buffers may hold the events of one happening (`-B two -e kmem` beside `-e kmem`). Each kind of event is then taken, of
 * each CPU, from the buffer that has most of it, and only counted in the others: otherwise every reference would be taken twice.
 */
import {TimeBase} from '../../src/base/time.js';
import type {EventSink} from '../../src/events/event.js';
import type {OpenOptions, ReaderCounters, RecordReader} from '../form.js';
import {MAX_CPU} from '../form.js';
import {Damaged, latin1} from '../records/cursor.js';
import {RecordEvents, type Recorded} from '../records/events.js';
import {render} from '../records/render.js';
import {Chunks} from './chunks.js';
import {tellFacts} from './facts.js';
import type {CpuPart, TraceBuffer, TraceDatFile} from './file.js';
import {CpuStream} from './stream.js';
import {LOST_SOME, SubBuffer} from './sub-buffer.js';
import {Ticks} from './ticks.js';

/** Clocks that count (kernel/trace/trace.c, trace_clocks, in_ns 0); all others are nanoseconds. */
const COUNTING = new Set(['counter', 'uptime', 'x86-tsc', 'ppc-tb', 'tsc2nsec']);
/** Records between two looks at which buffer has what. */
const SURVEY_MAX = 50_000_000;
/** Most tasks that are told apart in it, by event. */
const TASKS_MAX = 200_000;
/** More than there are event numbers, and more than there are pids. */
const IDS = 2 ** 16;
const PIDS = 2 ** 32;

/** What one CPU of a buffer has. */
interface Survey {
  stream: CpuStream;
  /** by event number */
  counts: Map<number, number>;
  /** by event number and task (taskKey): when it came last */
  tasks: Map<number, number>;
  first: number;
  last: number;
}

function taskKey(id: number, pid: number): number {
  return id * PIDS + (pid >>> 0);
}

export class TraceDatReader implements RecordReader {
  private readonly events: RecordEvents;
  private readonly chunks: Chunks;
  private readonly streams: CpuStream[] = [];
  private readonly live: CpuStream[] = [];
  private current: CpuStream | undefined;
  /** how long the current stream stays the earliest */
  private limit = 0;
  private strict = false;
  private started = false;
  private readonly unit: 'ns' | 'ticks';
  private readonly ticks: Ticks | undefined;
  /** two buffers are not of the same tasks */
  private differ = false;
  /** by CPU: the stream whose event was handed over last, and whose stack may follow */
  private readonly given: (CpuStream | undefined)[] = [];
  private readonly tgids = new Map<number, number>();
  /** buffers on another clock than the first, which are not read */
  readonly otherClock: string[] = [];

  constructor(
    private readonly file: TraceDatFile,
    private readonly sink: EventSink,
    private readonly options: OpenOptions,
  ) {
    const {meta} = file;
    this.events = new RecordEvents(sink, options, meta, file.release);
    this.chunks = new Chunks(file.source, file.packing, meta.little);
    const held = file.buffers.filter((buffer) => buffer.cpus.some((cpu) => cpu.size > 0));
    const first = held[0] ?? file.buffers[0];
    const clock = first?.clock ?? 'local';
    this.ticks = clock === 'tsc2nsec' && file.tsc2nsec ? new Ticks(file.tsc2nsec) : undefined;
    this.unit = COUNTING.has(clock) && !this.ticks ? 'ticks' : 'ns';
    const parts: [TraceBuffer, CpuPart][] = [];
    for (const buffer of held) {
      if ((buffer.clock ?? 'local') !== clock) this.otherClock.push(buffer.name);
      else for (const cpu of buffer.cpus) if (cpu.size > 0 && cpu.cpu <= MAX_CPU) parts.push([buffer, cpu]);
    }
    for (const [index, [buffer, cpu]] of parts.entries())
      this.streams.push(this.stream(buffer, index, cpu, parts.length));
    this.events.facts();
    tellFacts(file, sink, options.input, {clock: first?.clock, otherClock: this.otherClock});
  }

  private stream(buffer: TraceBuffer, index: number, cpu: CpuPart, of: number): CpuStream {
    const ticks = this.ticks && this.file.tsc2nsec ? new Ticks(this.file.tsc2nsec) : undefined;
    return new CpuStream(this.file, this.chunks, buffer, index, cpu, this.options.time, ticks, this.unit, of);
  }

  get counters(): ReaderCounters {
    return this.events.counters;
  }

  step(records: number): boolean {
    if (!this.started) this.start();
    let left = records;
    while (left > 0) {
      const stream = this.current ?? this.choose();
      if (stream === undefined) return false;
      for (;;) {
        this.visit(stream);
        left--;
        if (!stream.next()) {
          this.live.splice(this.live.indexOf(stream), 1);
          this.current = undefined;
          break;
        }
        if (this.strict ? stream.t >= this.limit : stream.t > this.limit) {
          this.current = undefined;
          break;
        }
        if (left <= 0) break;
      }
    }
    return this.live.length > 0;
  }

  private start(): void {
    this.started = true;
    const buffers = new Set(this.streams.map((stream) => stream.buffer));
    if (buffers.size > 1) this.survey();
    for (const stream of this.streams) if (stream.next()) this.live.push(stream);
    this.unwritten();
  }

  /** Events that never came into a buffer: the kernel counts them, and marks no place. */
  private unwritten(): void {
    const {file, sink, options} = this;
    for (const {cpu, dropped, commitOverrun} of file.stats) {
      const count = (dropped || 0) + (commitOverrun || 0);
      if (count > 0) sink.loss({input: options.input, line: 0, cpu, count, what: 'somewhere', record: true});
    }
  }

  /** The earliest stream, and until when it stays so. */
  private choose(): CpuStream | undefined {
    const {live} = this;
    if (live.length === 0) return undefined;
    let best = live[0]!;
    for (const stream of live) if (stream.t < best.t) best = stream;
    let next: CpuStream | undefined;
    for (const stream of live) if (stream !== best && (next === undefined || stream.t < next.t)) next = stream;
    this.limit = next?.t ?? Infinity;
    // where times are equal the earlier in the file comes first
    this.strict = next !== undefined && next.index < best.index;
    return (this.current = best);
  }

  /**
   * Which buffer has most of each event on each CPU, over all of the file: buffers may be of some CPUs only (trace-cmd record
   * -M), and of some tasks.
   */
  private survey(): void {
    const time = new TimeBase();
    let left = SURVEY_MAX;
    const surveys = this.streams.map((stream): Survey => {
      const part = stream.buffer.cpus.find((cpu) => cpu.cpu === stream.cpu)!;
      const {file, unit} = this;
      const chunks = new Chunks(file.source, file.packing, file.meta.little);
      const again = new CpuStream(
        file,
        chunks,
        stream.buffer,
        stream.index,
        part,
        time,
        undefined,
        unit,
        this.streams.length,
      );
      const survey: Survey = {stream, counts: new Map(), tasks: new Map(), first: Infinity, last: -Infinity};
      while (left-- > 0 && again.next()) this.surveyed(survey, again);
      return survey;
    });
    const owners = new Map<number, Survey>();
    for (const survey of surveys) {
      for (const [id, count] of survey.counts) {
        const key = survey.stream.cpu * IDS + id;
        const owner = owners.get(key);
        if (owner === undefined || count > owner.counts.get(id)!) owners.set(key, survey);
      }
    }
    for (const survey of surveys)
      for (const id of survey.counts.keys()) {
        const owner = owners.get(survey.stream.cpu * IDS + id)!;
        if (owner === survey) continue;
        survey.stream.elsewhere[id] = true;
        this.compare(survey, owner, id);
      }
  }

  private surveyed(survey: Survey, stream: CpuStream): void {
    const {piece, at, end, t} = stream;
    survey.first = Math.min(survey.first, t);
    survey.last = Math.max(survey.last, t);
    if (end - at < 8) return;
    const id = idOf(stream);
    survey.counts.set(id, (survey.counts.get(id) ?? 0) + 1);
    const recorded = this.events.of(id);
    if (recorded === undefined || end - at < recorded.least || survey.tasks.size >= TASKS_MAX) return;
    survey.tasks.set(taskKey(id, this.events.pidOf(recorded, piece, at)), t);
  }

  /** The buffer that is not taken has events of a task of which the other has none, though it was recorded meanwhile: one is filtered. */
  private compare(survey: Survey, owner: Survey, id: number): void {
    if (this.differ) return;
    for (const [key, t] of survey.tasks) {
      if (Math.floor(key / PIDS) !== id || owner.tasks.has(key) || t <= owner.first || t >= owner.last) continue;
      this.differ = true;
      const title = this.events.of(id)?.format.title ?? `event number ${id}`;
      this.sink.fact(
        this.options.input,
        'left_out',
        `the buffers of this trace.dat have ${title} of different tasks on CPU ${survey.stream.cpu}: one of them is read`,
      );
      return;
    }
  }

  /** The record that the stream is at. */
  private visit(stream: CpuStream): void {
    const {events, sink} = this;
    const {counters, ev} = events;
    const {piece, at, end, cpu} = stream;
    counters.lines++;
    if (stream.lost !== 0) {
      sink.loss({
        input: this.options.input,
        line: counters.lines,
        cpu,
        count: stream.lost,
        what: 'lost',
        record: true,
        ...(this.file.buffers.length > 1 ? {since: -Infinity} : {}),
      });
      stream.lost = 0;
    }
    if (end - at < 8) {
      events.bad(`a record of ${end - at} bytes`);
      return;
    }
    const id = idOf(stream);
    const recorded = events.of(id);
    if (recorded === undefined) {
      events.unknownId(id);
      counters.time(stream);
      return;
    }
    if (end - at < recorded.least) {
      events.bad(`${recorded.format.title} of ${end - at} bytes is shorter than its format`);
      return;
    }
    ev.t = stream.t;
    counters.time(stream);
    if (recorded.stack !== undefined) {
      this.stack(stream, recorded);
      return;
    }
    const pid = events.pidOf(recorded, piece, at);
    ev.line = counters.lines;
    ev.offset = stream.place;
    ev.cpu = cpu;
    ev.pid = pid;
    if (pid !== this.lastPid) this.look(pid);
    ev.tgid = this.lastTgid;
    if (!events.decode(recorded, piece, at, end) || stream.elsewhere[id] === true) {
      this.given[cpu] = undefined;
      return;
    }
    piece.name(pid, this.lastName);
    ev.commStart = piece.nameStart;
    ev.commEnd = piece.nameEnd;
    this.given[cpu] = stream;
    sink.event(ev);
  }

  // the task of the event before, which is most often that of the next
  private lastPid = -1;
  private lastTgid = -1;
  private lastName: Uint8Array | undefined;

  private look(pid: number): void {
    this.lastPid = pid;
    this.lastTgid = this.tgids.get(pid) ?? -1;
    this.lastName = this.file.meta.comms.get(pid);
  }

  /** A stack belongs to the event before it of the same CPU and buffer. */
  private stack(stream: CpuStream, recorded: Recorded): void {
    const {events} = this;
    const {piece, at, end, cpu} = stream;
    events.counters.events++;
    recorded.entry.count++;
    const pid = events.pidOf(recorded, piece, at);
    const {of, tgid} = recorded.stack!;
    if (of === 'user') {
      if (tgid && at + tgid.offset + 4 <= end && this.tgids.size < 100_000) {
        this.tgids.set(pid, piece.view.getUint32(at + tgid.offset, piece.little));
        this.lastPid = -1;
      }
      return;
    }
    if (this.given[cpu] !== stream) return;
    this.given[cpu] = undefined;
    events.stackRecord(recorded, piece, at, end, cpu, pid);
  }

  end(): void {
    const {counters} = this;
    const several = this.file.buffers.length > 1;
    const loss = (cpu: number, count: number, what: 'lost' | 'somewhere' | 'start', since?: number): void =>
      this.sink.loss({
        input: this.options.input,
        line: 0,
        cpu,
        count,
        what,
        record: true,
        ...(several && since !== undefined ? {since} : {}),
      });
    const stopped = this.live.length > 0 || !this.started;
    for (const stream of this.streams) {
      if (stream.cut !== undefined) {
        counters.lastLineCut = true;
        this.file.meta.notes.push(stream.cut);
      }
      if (stopped) continue;
      const {missing, elsewhere} = this.uncounted(stream);
      const since = stream.events > 0 ? stream.t : -Infinity;
      if (stream.cut !== undefined || stream.lost !== 0)
        loss(stream.cpu, missing > 0 ? missing : LOST_SOME, 'lost', since);
      else if (missing > 0) {
        loss(stream.cpu, missing, 'lost', since);
        // trace-cmd record -m keeps what came last
        loss(stream.cpu, LOST_SOME, 'start');
      } else if (this.file.stats.length === 0) loss(stream.cpu, LOST_SOME, 'lost', since);
      if (elsewhere > 0) loss(stream.cpu, elsewhere, 'somewhere');
      counters.outOfOrder += stream.backwards;
    }
    if (!stopped) this.wholeCpusMissing(loss);
  }

  /** What the kernel's own counts say is not in the file: at its end, and at a place that nothing tells. */
  private uncounted(stream: CpuStream): {missing: number; elsewhere: number} {
    const {stats} = stream;
    if (!stats) return {missing: 0, elsewhere: 0};
    const written = stats.entries + stats.read;
    const held = stream.events + stream.discarded;
    let missing = Number.isNaN(written) ? 0 : Math.max(0, written - held);
    // The kernel prints what is left first, what was read last, and a recorder may read a page in between: it is in both
    // counts. So it is where what came after is in the file, and the counts fit its pages.
    const {boundaries} = stream;
    if (held > stats.read && boundaries.at(-1) === stats.read && boundaries.includes(stats.read - missing)) missing = 0;
    const unmarked = stream.lostUnnumbered > 0 ? 0 : Math.max(0, (stats.overrun || 0) - stream.lostNumbered);
    return {missing, elsewhere: unmarked};
  }

  /** CPUs that wrote events of which the file has none, or has them where those of another are. */
  private wholeCpusMissing(loss: (cpu: number, count: number, what: 'somewhere') => void): void {
    for (const {cpus} of this.file.buffers)
      for (const {cpu, size, claimed} of cpus)
        if (size === 0 && claimed !== undefined) loss(cpu, LOST_SOME, 'somewhere');
    for (const {buffer, cpu, entries, read} of this.file.stats) {
      if (entries + read > 0 && !this.streams.some((s) => s.cpu === cpu && s.buffer.name === buffer))
        loss(cpu, entries + read, 'somewhere');
    }
  }

  text(place: number): string {
    try {
      return this.rendered(place);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      return '(the recording has changed since it was read)';
    }
  }

  private rendered(place: number): string {
    const {meta, shift_ns} = this.file;
    const {owner, from, at, bytes: piece} = this.chunks.again(place, (index) => this.streams[index]!.buffer.page);
    const stream = this.streams[owner]!;
    const page = new SubBuffer();
    const stop = Math.min(piece.bytes.length, from + stream.buffer.page);
    page.open(piece.view, meta.little, meta.kernelLong, meta.dataOffset, from, stop);
    while (page.next()) {
      if (page.at < at) continue;
      if (page.at > at) break;
      const recorded = this.events.of(piece.view.getUint16(at, meta.little));
      if (!recorded) break;
      const stamp = (BigInt(page.stampHigh) << 32n) | BigInt(page.stampLow);
      const base = this.ticks ? this.ticks.base(stamp) : stamp;
      const distance = this.ticks ? this.ticks.distance(page.distance) : page.distance;
      const pid = this.events.pidOf(recorded, piece, at);
      const comm = meta.comms.get(pid);
      return render({
        format: recorded.format,
        piece,
        base: at,
        end: page.end,
        comm: comm ? latin1(comm) : pid === 0 ? '<idle>' : '<...>',
        pid,
        cpu: stream.cpu,
        time: base + BigInt(distance) + shift_ns,
        unit: this.unit,
        flags: piece.bytes[at + recorded.flagsAt]!,
        preempt: piece.bytes[at + recorded.flagsAt + 1]!,
        symbols: this.events.kallsyms(),
        layout: this.events.flagsOf(recorded.format),
        printk: meta.printk,
      });
    }
    throw new Damaged('there is no such record');
  }
}

/** common_type of the record that a stream is at. */
function idOf({piece, at}: CpuStream): number {
  return piece.view.getUint16(at, piece.little);
}
