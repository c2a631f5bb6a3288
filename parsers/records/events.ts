/**
 * Records as events: what the readers of both containers share. They say which record comes, at which time, on which CPU;
 * here it is decoded, counted and handed over, with its stack.
 */
import {type Kallsyms, moved} from '../../src/base/kallsyms.js';
import {Context, EventKind, TraceEvent, type EventSink} from '../../src/events/event.js';
import {DecodeContext} from '../events/context.js';
import {probeOfEventName, probeOfSymbol, type ProbeSpec} from '../events/probe-table.js';
import {EventTable, type EventEntry} from '../events/table.js';
import {FIRST_UNRECOGNISED, ReaderCounters, type OpenOptions} from '../form.js';
import {Addresses} from './addresses.js';
import {probeDecoder, probedField, type RecordDecoder, tracepointDecoder} from './decoder.js';
import {type EventFormat, type Field, Lie} from './format.js';
import {RECORDED} from './kinds.js';
import type {Metadata} from './metadata.js';
import {type FlagLayout, flagLayout} from '../events/page-flag-layout.js';
import type {Bytes, Piece} from './piece.js';
import {printkText} from './render.js';
import {highAt, lowAt, numberAt} from './values.js';

/** common_flags (include/linux/trace_events.h, enum trace_flag_type) */
const HARDIRQ = 0x08;
const SOFTIRQ = 0x10;
const NMI = 0x40;

/** Most addresses of one event's probes that are known again. */
const ADDRESSES_MAX = 1024;

/** Most bytes of a frame's text. */
const FRAME_MAX = 600;
/** Texts of frames kept, each in the place that its address gives it: a power of two. */
const FRAMES_KEPT = 1 << 14;
const ALL_ONES = 0xffffffff;

/** What records of one format are. */
export interface Recorded {
  readonly format: EventFormat;
  readonly entry: EventEntry;
  /** undefined: nobody needs the event; it is counted */
  decoder: RecordDecoder | undefined;
  /** of probes whose records tell the function by its address; undefined: no probe, or its name is all there is */
  probe: Probed | undefined;
  /** of `kernel_stack` and `user_stack` of ftrace itself: where what is read of them lies */
  readonly stack: RecordedStack | undefined;
  /** of trace_printk(): its text has to be made */
  readonly isPrintk: boolean;
  readonly flagsAt: number;
  readonly pidAt: number;
  /** bytes that a record must have for these */
  readonly least: number;
}

/** One event may have probes on several functions (kernel/trace/trace_kprobe.c, append_trace_kprobe(), 5.5 on). */
interface Probed {
  readonly field: Field;
  readonly isReturn: boolean;
  /** the address of the record before, whose decoder is at hand */
  high: number;
  low: number;
  /** by address; null: a function that nobody needs */
  readonly decoders: Map<bigint, RecordDecoder | null>;
}

interface RecordedStack {
  readonly of: 'kernel' | 'user';
  /** where its frames begin, and bytes of one */
  readonly at: number;
  readonly width: number;
  /** their number, whatever `caller[8]` says */
  readonly count: Field | undefined;
  readonly tgid: Field | undefined;
}

export class RecordEvents {
  readonly counters: ReaderCounters;
  readonly ev = new TraceEvent();
  private readonly table = new EventTable();
  private readonly ctx = new DecodeContext();
  private readonly byId: (Recorded | null | undefined)[] = [];
  /** the frames of the stack at hand */
  readonly addresses = new Addresses();
  private readonly frames: (Uint8Array | undefined)[] = Array.from({length: FRAMES_KEPT}, () => undefined);
  /** the addresses that they are of, high word and low */
  private readonly framesOf64 = new Uint32Array(2 * FRAMES_KEPT);
  private symbols: Kallsyms | null | undefined;
  private layout: FlagLayout | undefined;
  private layoutKnown = false;
  /** records whose format is not in the file, and records that are not as their format says */
  unknown = 0;
  damaged = 0;

  constructor(
    readonly sink: EventSink,
    readonly options: OpenOptions,
    private readonly meta: Metadata,
    /** release of the kernel, where the file tells it */
    private readonly release: string | undefined,
  ) {
    this.counters = new ReaderCounters(this.table);
    this.ev.input = options.input;
    this.ctx.setKernel(release);
    this.ctx.setKernel(options.kernel);
  }

  /** What a record is; undefined when its format is not in the file. */
  of(id: number): Recorded | undefined {
    let recorded = this.byId[id];
    if (recorded === undefined) this.byId[id] = recorded = this.make(id);
    return recorded ?? undefined;
  }

  private make(id: number): Recorded | null {
    const format = this.meta.formats.get(id);
    if (!format) return null;
    const {title} = format;
    const common = (name: string, otherwise: number): number =>
      format.common.find((field) => field.name === name)?.offset ?? otherwise;
    const known = RECORDED.get(title);
    const [flagsAt, pidAt] = [common('common_flags', 2), common('common_pid', 4)];
    return {
      format,
      entry: this.table.named(title),
      decoder: known === undefined ? undefined : tracepointDecoder(known, format, this.flagLayout(format)),
      probe: known === undefined ? probeOf(format) : undefined,
      stack:
        title === 'ftrace:kernel_stack'
          ? stackOf('kernel', format)
          : title === 'ftrace:user_stack'
            ? stackOf('user', format)
            : undefined,
      isPrintk: title === 'ftrace:bprint' || title === 'ftrace:bputs',
      flagsAt,
      pidAt,
      // the preempt count is behind the flags
      least: Math.max(flagsAt + 2, pidAt + 4),
    };
  }

  /** All page_ref events print their flags alike. */
  private flagLayout(format: EventFormat): FlagLayout | undefined {
    if (format.system !== 'page_ref') return undefined;
    if (!this.layoutKnown) {
      this.layoutKnown = true;
      this.layout = flagLayout(format.print, this.ctx.kernel);
    }
    return this.layout;
  }

  /** The layout of page flags, for a rendering. */
  flagsOf(format: EventFormat): FlagLayout | undefined {
    return this.flagLayout(format);
  }

  /** pid of the task that a record names. */
  pidOf(recorded: Recorded, piece: Bytes, base: number): number {
    return piece.view.getInt32(base + recorded.pidAt, piece.little);
  }

  /**
   * Decodes the record in `[base, end)` into `ev`, whose time, CPU, task and place are set already. Answers whether
   * anybody could want it.
   */
  decode(recorded: Recorded, piece: Piece, base: number, end: number): boolean {
    const {ev} = this;
    this.counters.events++;
    recorded.entry.count++;
    if (recorded.probe !== undefined) this.probe(recorded, recorded.probe, piece, base, end);
    const {decoder} = recorded;
    if (decoder === undefined) return false;
    ev.buf = piece.bytes;
    ev.nameStart = ev.nameEnd = 0;
    const flags = piece.bytes[base + recorded.flagsAt]!;
    ev.context =
      flags & NMI ? Context.nmi : flags & HARDIRQ ? Context.hardirq : flags & SOFTIRQ ? Context.softirq : Context.task;
    ev.lineStart = base;
    ev.lineEnd = end;
    if (!decoder.decode(ev, piece, base, end)) {
      this.bad(`${recorded.format.title} of ${end - base} bytes is shorter than its format`);
      return false;
    }
    if (recorded.isPrintk) this.printk(recorded, piece, base, end);
    return ev.kind !== EventKind.Other;
  }

  /** The text of a trace_printk() stands nowhere in its record: it is put behind. */
  private printk({format}: Recorded, piece: Piece, base: number, end: number): void {
    const {ev, meta} = this;
    const text = printkText({format, piece, base, end, symbols: this.kallsyms(), printk: meta.printk});
    [ev.textStart, ev.textEnd] = piece.text(text);
  }

  /** Counts an event that is no tracepoint: a sample of a counter. */
  other(name: string): void {
    this.counters.events++;
    this.table.named(name).count++;
  }

  /** Counts a record that cannot be read. */
  bad(what: string): void {
    const {counters, sink, options} = this;
    this.damaged++;
    counters.unrecognised++;
    // it may have been an event of any kind
    sink.loss({input: options.input, line: counters.lines, cpu: -1, count: -1, what: 'unread', record: true});
    if (counters.firstUnrecognised.length < FIRST_UNRECOGNISED)
      counters.firstUnrecognised.push({line: counters.lines, text: `(${what})`});
  }

  /** Counts a record whose format is not in the file. */
  unknownId(id: number): void {
    this.unknown++;
    this.bad(`event number ${id}, whose format is not in the recording`);
    this.damaged--;
  }

  /** The decoder of the function that a probe's record is of. */
  private probe(recorded: Recorded, probe: Probed, piece: Piece, base: number, end: number): void {
    const {field} = probe;
    const at = base + field.offset;
    if (at + field.size > end) return;
    const high = highAt(piece.view, at, field.lie, piece.little);
    const low = lowAt(piece.view, at, field.lie, piece.little);
    if (high === probe.high && low === probe.low) return;
    [probe.high, probe.low] = [high, low];
    const {format} = recorded;
    const address = (BigInt(high) << 32n) | BigInt(low);
    let decoder = probe.decoders.get(address);
    if (decoder === undefined) {
      const spec = this.probed(format, address);
      decoder = spec ? probeDecoder(spec, probe.isReturn, format, this.ctx) : null;
      if (probe.decoders.size >= ADDRESSES_MAX) probe.decoders.clear();
      probe.decoders.set(address, decoder);
    }
    recorded.decoder = decoder ?? undefined;
    // without symbols all its functions are called alike
    if (this.kallsyms() === null) recorded.probe = undefined;
  }

  private probed(format: EventFormat, address: bigint): ProbeSpec | undefined {
    const functions = this.kallsyms()?.functionsAt(address) ?? [];
    for (const name of functions) {
      const spec = probeOfSymbol(name);
      if (spec) return spec;
    }
    // the symbols tell that it is another function than any of ours
    return functions.length > 0 ? undefined : probeOfEventName(format.name);
  }

  /** Symbols: those of the recording, which are of its boot, else those that the user gives; null when there are none. */
  kallsyms(): Kallsyms | null {
    if (this.symbols !== undefined) return this.symbols;
    const names = this.meta.names();
    if (names === 'hidden')
      this.sink.fact(this.options.input, 'kallsyms', 'hidden: all addresses in the recording are zero (kptr_restrict)');
    return (this.symbols = (names === 'hidden' ? null : names) ?? this.options.kallsyms ?? null);
  }

  /** A symbol of the kernel's code is where the recording says: what the user gives may be of another boot (KASLR). */
  symbolAt(symbol: string, address: bigint): void {
    const {kallsyms, input} = this.options;
    const given = kallsyms?.address(symbol);
    if (kallsyms === undefined || given === undefined || given === address) return;
    const by = address - given;
    this.symbols = moved(kallsyms, by);
    const distance = `${by < 0n ? '-' : ''}0x${(by < 0n ? -by : by).toString(16)}`;
    this.sink.fact(input, 'symbols_moved', `of another boot: moved by ${distance}; functions of modules are not named`);
  }

  /** Hands over the frames at `[at, end)`, each of `width` bytes, innermost first, if anybody wants them. */
  private stack(piece: Piece, at: number, end: number, width: number, cpu: number, pid: number): void {
    if (!this.sink.stackBegin(cpu, pid)) return;
    const {addresses} = this;
    const {view, little} = piece;
    const lie = width === 4 ? Lie.u32 : Lie.u64;
    addresses.clear();
    for (; at + width <= end; at += width) {
      const high = highAt(view, at, lie, little);
      const low = lowAt(view, at, lie, little);
      // kernels before 5.x end a stack by all ones
      if (low === ALL_ONES && (width === 4 || high === ALL_ONES)) break;
      addresses.add(high, low);
    }
    this.handOver();
  }

  /** Hands over the frames that `addresses` hold, of the stack that was begun. */
  handOver(): void {
    const {addresses, sink} = this;
    const number = addresses.number();
    if (number > 0 && sink.stackAgain?.(number) === true) return;
    for (let n = 0; n < addresses.count; n++) {
      const text = this.frame(addresses.high(n), addresses.low(n));
      sink.stackFrame(text, 0, text.length);
    }
    sink.stackEnd(number);
  }

  /** One frame of a stack: `symbol+0x12 [module]`, or the bare address. */
  private frame(high: number, low: number): Uint8Array {
    const {frames, framesOf64} = this;
    const place = (low ^ (low >>> 14) ^ high) & (FRAMES_KEPT - 1);
    const known = frames[place];
    if (known !== undefined && framesOf64[2 * place] === high && framesOf64[2 * place + 1] === low) return known;
    const address = (BigInt(high) << 32n) | BigInt(low);
    const name = this.kallsyms()?.name(address) ?? `0x${address.toString(16)}`;
    const text = Buffer.from(name.slice(0, FRAME_MAX), 'latin1');
    frames[place] = text;
    framesOf64[2 * place] = high;
    framesOf64[2 * place + 1] = low;
    return text;
  }

  /** Hands over the frames of a kernel_stack record, if anybody wants them. */
  stackRecord({stack}: Recorded, piece: Piece, base: number, end: number, cpu: number, pid: number): void {
    const {at, width, count} = stack!;
    let stop = end;
    if (count !== undefined && base + count.offset + count.size <= end)
      stop = Math.min(
        end,
        base + at + Math.max(0, numberAt(piece.view, base + count.offset, count.lie, piece.little)) * width,
      );
    this.stack(piece, base + at, stop, width, cpu, pid);
  }

  /** Facts that both containers tell of the kernel's events. */
  facts(): void {
    const {input} = this.options;
    for (const {name, value} of this.meta.recorder) this.sink.fact(input, name, value);
    if (this.release !== undefined) this.sink.fact(input, 'kernel', this.release);
    this.sink.fact(input, 'byte_order', this.meta.little ? 'little' : 'big');
    // perf of old wrote no tracing data where nothing was traced
    if (this.meta.version !== '' && this.meta.pageSize > 0)
      this.sink.fact(input, 'page_size', String(this.meta.pageSize));
  }
}

function probeOf(format: EventFormat): Probed | undefined {
  const probed = probedField(format);
  return probed && {...probed, high: -1, low: -1, decoders: new Map()};
}

/** The format of a stack: `caller` are its frames, `size` is how many. Without `caller` there are none to be read. */
function stackOf(of: 'kernel' | 'user', format: EventFormat): RecordedStack {
  const caller = format.field('caller');
  return {
    of,
    at: caller?.offset ?? Infinity,
    width: caller?.element === 4 ? 4 : 8,
    count: format.field('size'),
    tgid: format.field('tgid'),
  };
}
