/**
 * The head of a perf.data (tools/perf/Documentation/perf.data-file-format.txt): attrs, which say how samples are laid out, and
 * features, which say by what, where and of which events it was recorded. In pipe mode the same comes as records.
 */
import type {RandomAccess} from '../../src/io/random-access.js';
import {Refused} from '../form.js';
import {Cursor, Damaged, latin1} from '../records/cursor.js';
import {Metadata, part} from '../records/metadata.js';
import {trailerOf} from '../records/trailer.js';
import {Attr, ATTR_MAX, ATTR_MIN} from './attr.js';

const Feature = {
  tracingData: 1,
  hostname: 3,
  osRelease: 4,
  version: 5,
  arch: 6,
  nrCpus: 7,
  cmdLine: 11,
  eventDesc: 12,
  compressed: 27,
  clockData: 29,
} as const;
const FEATURES = 256;
/** bits that perf itself has not given out: another program's */
const FOREIGN_FEATURE = 128;
/** types of records of simpleperf */
export const FOREIGN_RECORD = 32768;
const TEXT_MAX = 1 << 20;
const WORDS_MAX = 10_000;
const EVENTS_MAX = 65_536;
const IDS_MAX = 1 << 20;
/** of all attrs together: a thousand events on four thousand CPUs */
const ALL_IDS_MAX = 1 << 22;

export class PerfDataFile {
  readonly meta = new Metadata();
  readonly little: boolean;
  /** made for a pipe: records from the first bytes on, of which some are what a file has as features */
  readonly pipe: boolean;
  /** where the records are */
  readonly dataAt: number;
  readonly dataEnd: number;
  /** the recorder was killed, or the file was cut: what is after the records is missing */
  readonly cut: string | undefined;
  readonly attrs: Attr[] = [];
  readonly byId = new Map<number, Attr>();
  /** the attr that a tracepoint's events are taken from */
  private readonly byTracepoint = new Map<number, Attr>();
  hostname: string | undefined;
  release: string | undefined;
  perf: string | undefined;
  machine: string | undefined;
  /** the command line of perf record, word by word; empty where it is not known */
  words: readonly string[] = [];
  cpus: number | undefined;
  cpusOnline: number | undefined;
  /** ns of the wall clock and of the trace's clock, taken together */
  wall: {wall_ns: bigint; clock_ns: bigint} | undefined;
  hasFormats = false;
  /** records may be packed with zstd */
  packed = false;
  /** places of the records that were read as part of the head, which every reader comes by */
  readonly headSeen = new Set<number>();

  /** Throws Damaged, or Refused for what cannot be read on purpose. */
  constructor(readonly source: RandomAccess) {
    const {meta} = this;
    const start = new Cursor(source, true);
    const magic = latin1(start.bytes(8, 8));
    if (magic === 'PERFFILE')
      throw new Refused(
        'this perf.data is of version 1, of a perf before 2.6.39',
        'Print it with the perf of that time: perf script > trace.txt.',
      );
    if (magic !== 'PERFILE2' && magic !== '2ELIFREP') throw new Damaged('does not begin as a perf.data does');
    this.little = magic === 'PERFILE2';
    meta.little = this.little;
    const c = new Cursor(source, this.little, 8);
    const size = c.u64();
    const trailer = trailerOf(source);
    meta.recorder = trailer.facts;
    this.pipe = this.packed = size === 16;
    if (this.pipe) {
      this.dataAt = 16;
      this.dataEnd = trailer.at;
      return;
    }
    if (size < 72) throw new Damaged(`has a head of ${size} bytes`);
    const attrBytes = c.u64();
    const attrs = {offset: c.u64(), size: c.u64()};
    const data = {offset: c.u64(), size: c.u64()};
    c.pos += 16; // event types, of old
    const bits = size >= 104 ? c.bytes(FEATURES / 8, FEATURES / 8) : new Uint8Array(FEATURES / 8);
    const has = (bit: number): boolean => {
      // written as 64-bit words
      const byte = this.little ? bit >> 3 : (bit >> 3) ^ 7;
      return (bits[byte]! & (1 << (bit & 7))) !== 0;
    };
    for (let bit = FOREIGN_FEATURE; bit < FEATURES; bit++) if (has(bit)) throw simpleperf();
    this.packed = has(Feature.compressed) || data.size === 0;
    this.dataAt = data.offset;
    this.dataEnd = data.size === 0 ? trailer.at : Math.min(source.size, data.offset + data.size);
    if (data.size === 0) this.cut = 'perf record was killed: the head was never completed';
    else if (data.offset + data.size > source.size) this.cut = 'the file ends before its last record';
    if (attrBytes < ATTR_MIN + 16 || attrBytes > ATTR_MAX) throw new Damaged(`has attrs of ${attrBytes} bytes`);
    part(meta.notes, 'attrs', () => this.readAttrs(attrBytes, attrs.offset, attrs.size));
    if (data.size > 0) this.features(has, data.offset + data.size);
  }

  private readAttrs(attrBytes: number, offset: number, size: number): void {
    let all = 0;
    for (let at = offset; at + attrBytes <= offset + size && this.attrs.length < EVENTS_MAX; at += attrBytes) {
      const c = new Cursor(this.source, this.little, at);
      const attr = new Attr(c.bytes(attrBytes - 16, ATTR_MAX), this.little);
      const ids = new Cursor(this.source, this.little, c.u64());
      const n = Math.min(IDS_MAX, Math.floor(c.u64() / 8));
      // attrs may name the same bytes
      if ((all += n) > ALL_IDS_MAX) throw new Damaged(`${all} ids of events`);
      for (let i = 0; i < n; i++) attr.ids.push(Number(ids.big()));
      this.addAttr(attr);
    }
  }

  addAttr(attr: Attr): void {
    this.attrs.push(attr);
    if (attr.isTracepoint && !attr.isCounted) {
      const other = this.byTracepoint.get(attr.config);
      if (other !== undefined && (other.isWhole || !attr.isWhole)) attr.isRepeated = true;
      else {
        if (other !== undefined) other.isRepeated = true;
        this.byTracepoint.set(attr.config, attr);
      }
    }
    for (const id of attr.ids) this.byId.set(id, attr);
  }

  private features(has: (bit: number) => boolean, at: number): void {
    const table = new Cursor(this.source, this.little, at);
    for (let bit = 0; bit < FEATURES; bit++) {
      if (!has(bit)) continue;
      part(this.meta.notes, `feature ${bit}`, () => {
        const offset = table.u64();
        const size = table.u64();
        this.feature(bit, new Cursor(this.source, this.little, offset, Math.min(this.source.size, offset + size)));
      });
    }
  }

  /** Reads a feature by its number; those that are not needed are passed over. */
  feature(bit: number, c: Cursor): void {
    const text = (): string => c.text(c.u32(), TEXT_MAX);
    switch (bit) {
      case Feature.tracingData:
        this.tracingData(c);
        break;
      case Feature.hostname:
        this.hostname = text();
        break;
      case Feature.osRelease:
        this.release = text();
        break;
      case Feature.version:
        this.perf = text();
        break;
      case Feature.arch:
        this.machine = text();
        break;
      case Feature.nrCpus:
        // those that may come, and those that are there (util/header.c, write_nrcpus(); the file's documentation swaps them)
        this.cpus = c.u32();
        this.cpusOnline = c.u32();
        break;
      case Feature.cmdLine: {
        const words: string[] = [];
        for (let n = Math.min(WORDS_MAX, c.u32()); n > 0; n--) words.push(text());
        this.words = words;
        break;
      }
      case Feature.eventDesc:
        this.eventDesc(c);
        break;
      case Feature.clockData:
        c.pos += 8;
        this.wall = {wall_ns: c.big(), clock_ns: c.big()};
        break;
    }
  }

  /** Names of events, and their ids once more. */
  private eventDesc(c: Cursor): void {
    const n = Math.min(EVENTS_MAX, c.u32());
    const size = c.u32();
    const byEvent = new Map(this.attrs.map((attr) => [`${attr.type} ${attr.config}`, attr]));
    for (let i = 0; i < n; i++) {
      const attr = new Attr(c.bytes(size, ATTR_MAX), this.little);
      const ids = c.u32();
      attr.name = c.text(c.u32(), TEXT_MAX);
      for (let k = 0; k < Math.min(IDS_MAX, ids); k++) attr.ids.push(Number(c.big()));
      const known = attr.ids.length > 0 ? this.byId.get(attr.ids[0]!) : byEvent.get(`${attr.type} ${attr.config}`);
      if (known) known.name = attr.name;
    }
  }

  /** The head of a trace.dat, in its own byte order: formats of the tracepoints that were recorded. */
  tracingData(c: Cursor): void {
    const {meta} = this;
    meta.initial(c);
    meta.headers(c);
    meta.ftraceFormats(c);
    meta.eventFormats(c);
    this.hasFormats = true;
    meta.symbols(c);
    meta.printkFormats(c);
    if (Number(meta.version) >= 0.6) meta.cmdlines(c);
  }
}

export function simpleperf(): Refused {
  return new Refused(
    'this perf.data is of simpleperf, the recorder of Android, whose records are its own (perf refuses them too)',
    'Its tracepoints can be printed: simpleperf dump, or record with perf, trace-cmd or tracefs.',
  );
}
