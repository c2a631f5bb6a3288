/**
 * The metadata of a trace.dat, versions 6 and 7 (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)): where the buffers of each CPU
 * lie, what recorded them, and by which clock.
 *
 * Version 6 is one part after the other. Version 7 is made of sections that a chain of options names: a header (u16 id,
 * u16 flags, u32 name, u64 size), and, where flags say so, packed contents (u32 packed, u32 plain, bytes).
 */
import {RandomBytes, type RandomAccess} from '../../src/io/random-access.js';
import {Cursor, Damaged} from '../records/cursor.js';
import {Metadata, part, PART_MAX} from '../records/metadata.js';
import {trailerOf} from '../records/trailer.js';
import {type Packing, unpack} from '../records/unpack.js';
import {
  clockIn,
  type CpuStats,
  cpuStats,
  Option,
  type RawOption,
  readOption,
  textOf,
  type Tsc2Nsec,
  tsc2nsecOf,
} from './options.js';

/** Most CPUs that are believed: NR_CPUS is at most 8192. */
const CPUS_MAX = 8192;
const OPTIONS_MAX = 100_000;
/** Most bytes of all options: packed sections may claim a thousand times their own. */
const OPTIONS_BYTES = 1 << 28;
const BUFFERS_MAX = 1000;
/** Bytes of a sub-buffer that are believed: the kernel counts those it has written in 20 bits (ring_buffer.c, RB_WRITE_MASK). */
const PAGE_MIN = 64;
const PAGE_MAX = 1 << 20;

/** The pages of one CPU's ring buffer, in the file. */
export interface CpuPart {
  cpu: number;
  offset: number;
  size: number;
  /** bytes that it claims beyond its size, where another part begins */
  claimed?: number;
}

export interface TraceBuffer {
  /** of an instance; empty for the top one */
  name: string;
  clock: string | undefined;
  /** bytes of a sub-buffer */
  page: number;
  cpus: CpuPart[];
  packed: boolean;
  /** it is text of a latency tracer, from this byte on */
  text?: number;
}

export class TraceDatFile {
  readonly meta = new Metadata();
  readonly buffers: TraceBuffer[] = [];
  packing: Packing = 'none';
  readonly version: number;
  clock: string | undefined;
  uname: string | undefined;
  /** trace-cmd's version */
  tool: string | undefined;
  cpuCount = 0;
  /** added to every time, as the user of trace-cmd wanted (--ts-offset) */
  shift_ns = 0n;
  /** added to a time it gives that of the wall clock (--date) */
  date_ns: bigint | undefined;
  tsc2nsec: Tsc2Nsec | undefined;
  readonly stats: CpuStats[] = [];
  private readonly options: RawOption[] = [];
  private optionBytes = 0;
  /** options by number that mean nothing here */
  readonly unknown = new Set<number>();
  /** the buffer that the CPUSTAT options that come belong to */
  private statBuffer = '';
  private clockOption = false;

  /** `6.12.117` of `Linux host 6.12.117 x86_64`; undefined where it is not told */
  get release(): string | undefined {
    return this.uname === undefined ? undefined : /^\S+ \S+ (\d+\.\d+\S*)/.exec(this.uname)?.[1];
  }

  /** Throws Damaged where what is needed to read any event is missing. */
  constructor(readonly source: RandomAccess) {
    const {meta} = this;
    meta.recorder = trailerOf(source).facts;
    const c = new Cursor(source, true);
    meta.initial(c);
    this.version = Number(meta.version);
    if (this.version === 7) this.readV7(c);
    else if (this.version === 6) this.readV6(c);
    else throw new Damaged(`is of version «${meta.version.slice(0, 20)}», where 6 and 7 are known`);
    apart(this.buffers.flatMap(({cpus}) => cpus));
  }

  private readV6(c: Cursor): void {
    const {meta} = this;
    meta.headers(c);
    meta.ftraceFormats(c);
    meta.eventFormats(c);
    meta.symbols(c);
    meta.printkFormats(c);
    meta.cmdlines(c);
    this.cpuCount = c.u32();
    let what = c.text(10, 10);
    if (what.startsWith('options')) {
      for (let id = c.u16(), n = 0; id !== Option.done; id = c.u16()) {
        if (n++ > OPTIONS_MAX) throw new Damaged('more options than there can be');
        this.option(readOption(c, id));
      }
      what = c.text(10, 10);
    }
    if (what.startsWith('latency')) {
      this.buffers.unshift({name: '', clock: this.clock, page: 0, cpus: [], packed: false, text: c.pos});
      return;
    }
    if (!what.startsWith('flyrecord')) throw new Damaged(`neither events nor a latency trace at byte ${c.pos - 10}`);
    const cpus = this.cpuTable(c);
    if (this.clockOption)
      part(meta.notes, 'trace clock', () => {
        this.clock ??= clockIn(c.text(c.u64(), 4096));
      });
    // the options of instances say where their tables are
    for (const buffer of this.buffers) {
      buffer.clock = this.clock;
      part(meta.notes, `instance ${buffer.name}`, () => {
        const at = new Cursor(this.source, meta.little, buffer.text);
        delete buffer.text;
        if (!at.text(10, 10).startsWith('flyrecord')) throw new Damaged('has no table of CPUs');
        buffer.cpus = this.cpuTable(at);
      });
    }
    this.buffers.unshift({name: '', clock: this.clock, page: this.page(), cpus, packed: false});
  }

  private page(): number {
    return believed(this.meta.subBuffer || this.meta.pageSize);
  }

  private cpuTable(c: Cursor): CpuPart[] {
    if (this.cpuCount > CPUS_MAX) throw new Damaged(`${this.cpuCount} CPUs`);
    const cpus: CpuPart[] = [];
    for (let cpu = 0; cpu < this.cpuCount; cpu++) cpus.push({cpu, offset: c.u64(), size: c.u64()});
    return cpus;
  }

  private readV7(c: Cursor): void {
    const {meta} = this;
    const packing = c.string();
    c.string(); // its version
    if (packing !== 'none' && packing !== 'zlib' && packing !== 'zstd')
      throw new Damaged(`is packed with «${packing.slice(0, 20)}», which is not known`);
    this.packing = packing;
    let next = c.u64();
    const seen = new Set<number>();
    try {
      while (next > 0 && !seen.has(next)) {
        seen.add(next);
        next = this.optionsSection(next);
      }
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      meta.notes.push(`the chain of options breaks off: ${error.message}`);
    }
    this.settleClocks();
    const section = (id: number, name: string, read: (s: Cursor) => void): void => {
      for (const option of this.options) {
        if (option.id !== id || option.data.length < 8) continue;
        part(meta.notes, name, () => read(this.section(Cursor.of(option.data, meta.little).u64(), id)));
      }
    };
    section(Option.headerInfo, 'header info', (s) => meta.headers(s));
    section(Option.ftraceEvents, 'ftrace formats', (s) => meta.ftraceFormats(s));
    section(Option.eventFormats, 'event formats', (s) => meta.eventFormats(s));
    section(Option.cmdlines, 'names of tasks', (s) => meta.cmdlines(s));
    meta.kallsyms = () => {
      const symbols = new Metadata();
      section(Option.kallsyms, 'kallsyms', (s) => symbols.symbols(s));
      return symbols.kallsyms?.();
    };
  }

  /**
   * A buffer's option names the clock of the top-level buffer, whichever the buffer's own is, save for `tsc2nsec`
   * (lib/trace-cmd/trace-output.c, get_clock(), up to 3.4 at least). The text of `trace_clock` is of the first buffer that was
   * recorded (tracecmd/trace-record.c, get_trace_clock()), as the others are unless each was given its own.
   */
  private settleClocks(): void {
    const written = this.buffers[0]?.clock;
    if (this.clock === undefined || written === 'tsc2nsec') return;
    for (const buffer of this.buffers) if (buffer.clock === written) buffer.clock = this.clock;
  }

  /** The text of a buffer that is text: in version 6 the rest of the file, in 7 the contents of its section. */
  textOf({text = 0}: TraceBuffer): RandomAccess {
    const {source} = this;
    let from = text;
    let to = source.size;
    if (this.version === 7) {
      const {packed, size, cursor} = this.sectionAt(text);
      if (packed) return new RandomBytes(this.section(text, Option.bufferText).rest());
      from = cursor.pos;
      // other sections come behind it
      if (size > 0) to = Math.min(to, from + size);
    }
    const size = Math.max(0, to - from);
    return {
      size,
      failure: undefined,
      read: (offset, length, into, at) =>
        source.read(from + offset, Math.max(0, Math.min(length, size - offset)), into, at),
      close() {},
    };
  }

  private sectionAt(offset: number): {id: number; packed: boolean; size: number; cursor: Cursor} {
    const cursor = new Cursor(this.source, this.meta.little, offset);
    const id = cursor.u16();
    const packed = (cursor.u16() & 1) === 1;
    cursor.pos += 4; // its name
    // not to be trusted, nor needed for what tells its own end
    const size = Number(cursor.big());
    return {id, packed, size, cursor};
  }

  /** The contents of a section of metadata. */
  private section(offset: number, id: number): Cursor {
    const {id: found, packed, cursor} = this.sectionAt(offset);
    if (found !== id) throw new Damaged(`the section at byte ${offset} is ${found}, not ${id}`);
    if (!packed) return cursor;
    const size = cursor.u32();
    const plain = cursor.u32();
    return Cursor.of(unpack(this.packing, cursor.bytes(size, PART_MAX), plain, PART_MAX), this.meta.little);
  }

  /** Reads the options of a section; answers where the next one is, 0 for nowhere. */
  private optionsSection(offset: number): number {
    const c = this.section(offset, Option.done);
    for (;;) {
      const option = readOption(c, c.u16());
      if (option.id === Option.done) return option.data.length < 8 ? 0 : Cursor.of(option.data, this.meta.little).u64();
      if (this.options.length > OPTIONS_MAX) throw new Damaged('more options than there can be');
      this.option(option);
    }
  }

  private option(option: RawOption): void {
    this.optionBytes += option.data.length;
    if (this.optionBytes > OPTIONS_BYTES) throw new Damaged(`options of ${this.optionBytes} bytes`);
    this.options.push(option);
    const {little} = this.meta;
    switch (option.id) {
      case Option.traceClock:
        this.clockOption = true;
        this.clock = clockIn(textOf(option)) ?? this.clock;
        break;
      case Option.uname:
        this.uname = textOf(option);
        break;
      case Option.version:
        this.tool = textOf(option);
        break;
      case Option.cpuCount:
        if (option.data.length >= 4) this.cpuCount = Cursor.of(option.data, little).u32();
        break;
      case Option.date:
        this.date_ns = integer(textOf(option), 16) * 1000n;
        break;
      case Option.offset:
        this.shift_ns += integer(textOf(option), 10);
        break;
      case Option.tsc2nsec:
        this.tsc2nsec = tsc2nsecOf(option, little);
        break;
      case Option.cpuStat: {
        const text = textOf(option);
        const buffer = /^Buffer: (.*)$/m.exec(text);
        if (buffer) this.statBuffer = buffer[1]!.trim();
        const stats = cpuStats(text, this.statBuffer);
        if (stats && this.stats.length < CPUS_MAX) this.stats.push(stats);
        break;
      }
      case Option.buffer:
      case Option.bufferText:
        part(this.meta.notes, 'a buffer', () => this.bufferOption(option));
        break;
      default:
        if (option.id > Option.lastBoot + 1) this.unknown.add(option.id);
    }
  }

  private bufferOption({id, data}: RawOption): void {
    if (this.buffers.length >= BUFFERS_MAX) throw new Damaged('more buffers than there can be');
    const c = Cursor.of(data, this.meta.little);
    const offset = c.u64();
    const name = c.string();
    if (this.version === 6) {
      this.buffers.push({name, clock: undefined, page: this.page(), cpus: [], packed: false, text: offset});
      return;
    }
    const clock = c.string() || this.clock;
    if (id === Option.bufferText) {
      this.buffers.push({name, clock, page: 0, cpus: [], packed: false, text: offset});
      return;
    }
    const page = believed(c.u32());
    const n = c.u32();
    if (n > CPUS_MAX) throw new Damaged(`${n} CPUs`);
    const cpus: CpuPart[] = [];
    for (let i = 0; i < n; i++) cpus.push({cpu: c.u32(), offset: c.u64(), size: c.u64()});
    this.buffers.push({name, clock, page, cpus, packed: this.sectionAt(offset).packed});
  }
}

function believed(page: number): number {
  if (page < PAGE_MIN || page > PAGE_MAX) throw new Damaged(`sub-buffers of ${page} bytes`);
  return page;
}

/**
 * Ends each part where the next one begins at the latest: what belongs to one CPU is of no other. Offsets that lie could
 * have a small file read a million times over.
 */
function apart(parts: readonly CpuPart[]): void {
  const inOrder = parts.filter(({size}) => size > 0).toSorted((a, b) => a.offset - b.offset);
  for (const [i, part] of inOrder.entries()) {
    const room = (inOrder[i + 1]?.offset ?? Infinity) - part.offset;
    if (part.size <= room) continue;
    part.claimed = part.size - room;
    part.size = room;
  }
}

/** A number of an option's text; 0 where it is none. */
function integer(text: string, base: 10 | 16): bigint {
  const m = base === 16 ? /^\s*(?:0x)?([0-9a-f]{1,16})\s*$/i.exec(text) : /^\s*(-?\d{1,19})\s*$/.exec(text);
  if (!m) return 0n;
  return base === 16 ? BigInt(`0x${m[1]}`) : BigInt(m[1]!);
}
