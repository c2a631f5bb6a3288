/**
 * perf_event_attr (include/uapi/linux/perf_event.h): what an event is, and where the parts of its samples lie. All that is
 * wanted of it stands in its first 96 bytes, which every version has alike.
 */
import {Cursor, Damaged} from '../records/cursor.js';

/** Bits of sample_type. */
export const Sample = {
  ip: 1,
  tid: 2,
  time: 4,
  addr: 8,
  read: 16,
  callchain: 32,
  id: 64,
  cpu: 128,
  period: 256,
  streamId: 512,
  raw: 1024,
  identifier: 65536,
} as const;

/** PERF_TYPE_TRACEPOINT */
const TRACEPOINT = 2;
const EXCLUDE_KERNEL = 5n;
const FREQUENCY = 10n;
const ENABLE_ON_EXEC = 12n;
const SAMPLE_ID_ALL = 18n;
const USE_CLOCKID = 25n;
const WRITE_BACKWARD = 27n;
/** PERF_FORMAT_LOST of read_format */
const FORMAT_LOST = 16;
export const ATTR_MIN = 64;
export const ATTR_MAX = 4096;

/** Clocks by number (include/uapi/linux/time.h), as ftrace calls them. */
const CLOCKS: Record<number, string> = {0: 'realtime', 1: 'mono', 4: 'mono_raw', 7: 'boot', 11: 'tai'};

export class Attr {
  readonly type: number;
  /** of a tracepoint: its number, common_type of its records */
  readonly config: number;
  readonly sampleType: number;
  readonly readFormat: number;
  /** every record has a trailer that tells of whom and when it is */
  readonly sampleIdAll: boolean;
  /**
   * not each event is a sample, but so many a second, or one of so many. Where a sample tells its period, a fixed one leaves
   * none out (kernel/events/core.c, perf_swevent_event())
   */
  readonly isSampled: boolean;
  /** only counted, as the members of a group whose leader is sampled (`{...}:S`): it has no samples of its own */
  readonly isCounted: boolean;
  /** what the kernel does is left out: nearly all of a tracepoint's events */
  readonly excludesKernel: boolean;
  /** new events overwrite the oldest (`--overwrite`), and nothing counts those */
  readonly overwrites: boolean;
  /** recorded from the exec of the command that perf started: nothing but what it and its children do */
  readonly fromExecOn: boolean;
  /** name of the clock; undefined: perf's own */
  readonly clock: string | undefined;
  readonly ids: number[] = [];
  name = '';
  /** another attr is of the same tracepoint (`-e kmem:* -e kmem:mm_page_free`): each event is a sample of both, and taken from that one */
  isRepeated = false;
  // where parts of a sample lie, from its beginning; -1: it has none
  readonly identifierAt: number;
  readonly tidAt: number;
  readonly timeAt: number;
  readonly idAt: number;
  readonly cpuAt: number;
  /** behind them: what has no fixed size */
  readonly restAt: number;
  // where parts of a trailer lie, from the end of the record; 0: it has none
  readonly backIdentifier: number;
  readonly backCpu: number;
  readonly backId: number;
  readonly backTime: number;
  readonly trailer: number;

  constructor(bytes: Uint8Array, little: boolean) {
    if (bytes.length < ATTR_MIN) throw new Damaged(`an attr of ${bytes.length} bytes`);
    const c = Cursor.of(bytes, little);
    this.type = c.u32();
    c.u32();
    this.config = Number(c.big());
    const period = c.big();
    this.sampleType = Number(c.big() & 0xffffffffn);
    this.readFormat = Number(c.big() & 0xffffffffn);
    // a C bit field: in big-endian files the bits of each byte run the other way
    const flags = little ? c.big() : mirrored(bytes.subarray(40, 48));
    const has = (bit: bigint): boolean => ((flags >> bit) & 1n) === 1n;
    this.sampleIdAll = has(SAMPLE_ID_ALL);
    this.isSampled = has(FREQUENCY) || (period > 1n && (this.sampleType & Sample.period) === 0);
    this.isCounted = period === 0n;
    this.excludesKernel = has(EXCLUDE_KERNEL);
    this.overwrites = has(WRITE_BACKWARD);
    this.fromExecOn = has(ENABLE_ON_EXEC);
    let clock = -1;
    if (bytes.length >= 96) {
      c.pos = 92;
      clock = c.u32() | 0;
    }
    this.clock = has(USE_CLOCKID) ? (CLOCKS[clock] ?? `clock ${clock}`) : undefined;

    let at = 8;
    const next = (bit: number): number => {
      if ((this.sampleType & bit) === 0) return -1;
      at += 8;
      return at - 8;
    };
    this.identifierAt = next(Sample.identifier);
    next(Sample.ip);
    this.tidAt = next(Sample.tid);
    this.timeAt = next(Sample.time);
    next(Sample.addr);
    this.idAt = next(Sample.id);
    next(Sample.streamId);
    this.cpuAt = next(Sample.cpu);
    next(Sample.period);
    this.restAt = at;

    let back = 0;
    const before = (bit: number): number => (this.sampleType & bit ? (back += 8) : 0);
    this.backIdentifier = before(Sample.identifier);
    this.backCpu = before(Sample.cpu);
    before(Sample.streamId);
    this.backId = before(Sample.id);
    this.backTime = before(Sample.time);
    before(Sample.tid);
    this.trailer = back;
  }

  /** the kernel counts the samples that it could not write */
  get countsLost(): boolean {
    return (this.readFormat & FORMAT_LOST) !== 0;
  }

  /** each event of the tracepoint is a sample */
  get isWhole(): boolean {
    return !this.isSampled && !this.isCounted && !this.excludesKernel && !this.overwrites;
  }

  get isTracepoint(): boolean {
    return this.type === TRACEPOINT;
  }
}

/** Eight bytes as a bit field of a big-endian machine has them. */
function mirrored(bytes: Uint8Array): bigint {
  let out = 0n;
  for (let i = 0; i < 8; i++) {
    let byte = 0;
    for (let bit = 0; bit < 8; bit++) if (bytes[i]! & (1 << bit)) byte |= 128 >> bit;
    out |= BigInt(byte) << BigInt(8 * i);
  }
  return out;
}
