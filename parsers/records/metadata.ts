/**
 * What the head of a trace.dat tells of the kernel and its events, and perf.data's tracing data too, which are the same
 * bytes: byte order, the layout of the ring buffer, the formats of events, symbols, names of tasks. Written by
 * trace-cmd (trace-output.c) and perf (util/trace-event-info.c); trace-cmd.dat.v6(5) and v7(5) describe it.
 */
import {KallsymsError, parseKallsyms, type Kallsyms} from '../../src/base/kallsyms.js';
import type {RecorderFact} from '../recorder-fact.js';
import {type Cursor, Damaged} from './cursor.js';
import {EventFormat} from './format.js';
import {linesOf, printkFormats} from './printk.js';

/** Most bytes of one part: /proc/kallsyms of a large kernel has 20 million. */
export const PART_MAX = 1 << 28;
const FORMAT_MAX = 1 << 20;
const SYSTEM_MAX = 1 << 16;
/** Most names of tasks that are believed: pid_max is at most 2^22. */
const TASKS_MAX = 1 << 22;

const MAGIC = Buffer.from('\x17\x08\x44tracing', 'latin1');

export class Metadata {
  /** `6`, `7`; perf's copy has `0.5`, `0.6` */
  version = '';
  little = true;
  /** bytes of a `long` of the kernel, as header_page tells it: a 32-bit trace-cmd may run on a 64-bit kernel */
  kernelLong = 8;
  /** bytes of a page of the machine */
  pageSize = 4096;
  /** bytes of a sub-buffer of the ring buffer, by header_page; 0: not told */
  subBuffer = 0;
  /** bytes before the data of a sub-buffer */
  dataOffset = 16;
  /** by id; of two with one id the last holds */
  readonly formats = new Map<number, EventFormat>();
  badFormats = 0;
  /** by pid: the name as bytes */
  readonly comms = new Map<number, Uint8Array>();
  /** the text of /proc/kallsyms when the recording ended; undefined where there is none */
  kallsyms: (() => Uint8Array | undefined) | undefined;
  printk: ReadonlyMap<bigint, string> = new Map();
  private parsed: Kallsyms | 'hidden' | null | undefined;
  /** what the recorder put behind the recording */
  recorder: readonly RecorderFact[] = [];
  /** remarks on what could not be read */
  readonly notes: string[] = [];

  /** The first bytes, up to the page size. */
  initial(c: Cursor): void {
    if (!MAGIC.equals(c.bytes(MAGIC.length, MAGIC.length))) throw new Damaged('does not begin as a trace.dat does');
    this.version = c.string();
    const order = c.u8();
    if (order > 1) throw new Damaged(`a byte order called ${order}`);
    this.little = order === 0;
    c.little = this.little;
    c.u8();
    this.pageSize = c.u32();
  }

  headers(c: Cursor): void {
    if (c.text(12, 12) !== 'header_page') throw new Damaged(`no header_page at byte ${c.pos - 12}`);
    const page = c.text(c.u64(), FORMAT_MAX);
    const commit = /field:[^;]*\bcommit;\s*offset:\d+;\s*size:(\d+);/.exec(page);
    if (commit) this.kernelLong = Number(commit[1]);
    if (this.kernelLong !== 4 && this.kernelLong !== 8) throw new Damaged(`a long of ${this.kernelLong} bytes`);
    this.dataOffset = 8 + this.kernelLong;
    const data = /field:[^;]*\bdata;\s*offset:(\d+);\s*size:(\d+);/.exec(page);
    if (data) {
      this.dataOffset = Number(data[1]);
      if (this.dataOffset < 8 + this.kernelLong || this.dataOffset > 64)
        throw new Damaged(`sub-buffers whose data begin at byte ${this.dataOffset}`);
      this.subBuffer = this.dataOffset + Number(data[2]);
    }
    if (c.text(13, 13) !== 'header_event') throw new Damaged(`no header_event at byte ${c.pos - 13}`);
    const event = c.text(c.u64(), FORMAT_MAX);
    const padding = /padding\s*:\s*type == (\d+)/.exec(event);
    // before 2.6.31 the ring buffer had another layout
    if (padding && padding[1] !== '29')
      throw new Damaged(`a ring buffer of a layout that is not known (padding is type ${padding[1]})`);
  }

  ftraceFormats(c: Cursor): void {
    for (let n = c.u32(); n > 0; n--) this.format('ftrace', c.text(c.u64(), FORMAT_MAX));
  }

  eventFormats(c: Cursor): void {
    const systems = c.u32();
    if (systems > SYSTEM_MAX) throw new Damaged(`${systems} event systems`);
    for (let s = 0; s < systems; s++) {
      const system = c.string();
      for (let n = c.u32(); n > 0; n--) this.format(system, c.text(c.u64(), FORMAT_MAX));
    }
  }

  private format(system: string, text: string): void {
    const format = new EventFormat(system, text, this.kernelLong);
    if (format.id < 0 || format.name === '') this.badFormats++;
    else this.formats.set(format.id, format);
  }

  /** The text of /proc/kallsyms: 2 to 9 MB that only a symbol needs. */
  symbols(c: Cursor): void {
    const size = c.u32();
    if (size === 0) return;
    const bytes = c.bytes(size, PART_MAX);
    this.kallsyms = () => bytes;
  }

  /** Symbols of the recording; null where it has none, `hidden` where all their addresses are zero (kptr_restrict). */
  names(): Kallsyms | 'hidden' | null {
    if (this.parsed !== undefined) return this.parsed;
    const text = this.kallsyms?.();
    try {
      return (this.parsed = text ? parseKallsyms(text) : null);
    } catch (error) {
      if (!(error instanceof KallsymsError)) throw error;
      return (this.parsed = 'hidden');
    }
  }

  /** The formats of trace_printk(), by their addresses. */
  printkFormats(c: Cursor): void {
    const size = c.u32();
    if (size > c.left) throw new Damaged(`${size} bytes of printk formats, where ${c.left} are left`);
    if (size > 0) this.printk = printkFormats(c.text(size, PART_MAX));
  }

  /** `PID comm` a line, as the kernel knew them when the recording ended. */
  cmdlines(c: Cursor): void {
    for (const line of linesOf(c.text(c.u64(), PART_MAX))) {
      const blank = line.indexOf(' ');
      const pid = Number(line.slice(0, blank));
      if (blank > 0 && Number.isSafeInteger(pid) && this.comms.size < TASKS_MAX)
        this.comms.set(pid, Buffer.from(line.slice(blank + 1, blank + 65), 'latin1'));
    }
  }
}

/** Runs a part whose damage costs only itself; what is wrong with it is noted. */
export function part(notes: string[], name: string, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    if (notes.length < 100) notes.push(`${name}: ${error.message}`);
  }
}
