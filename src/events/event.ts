/**
 * One decoded trace event: what a parser hands to the ledger, and what both see of it.
 *
 * It is a VIEW of a row of numbers (kinds.ts) that the reader writes again for every line (a page_ref trace has millions of
 * lines a minute, and a kept object an event costs three times the scan). A consumer that needs an event later copies what
 * it needs. Text (comm, device, the line itself) is a range in `buf` and becomes a string only where it is kept.
 */
import {COMMON, EVENT_KINDS, EventKind, FAMILY_OF, HAS_BYTE, OWN, OWN_WORD, ROW_BYTES, type Field} from './kinds.js';

export {EVENT_KINDS, EventKind} from './kinds.js';

/** Page flags the ledger asks about, from `flags=` of page_ref events (names, or hex by the layout of 6.x when given so). */
export const PageFlag = {
  locked: 1 << 0,
  referenced: 1 << 1,
  uptodate: 1 << 2,
  dirty: 1 << 3,
  lru: 1 << 4,
  active: 1 << 5,
  reserved: 1 << 6,
  private: 1 << 7,
  writeback: 1 << 8,
  head: 1 << 9,
  swapcache: 1 << 10,
  swapbacked: 1 << 11,
  unevictable: 1 << 12,
  mlocked: 1 << 13,
  slab: 1 << 14,
  reclaim: 1 << 15,
  waiters: 1 << 16,
  workingset: 1 << 17,
  /** flags were printed as a number whose layout is not known: only absence of knowledge follows */
  unknownLayout: 1 << 30,
} as const;

/** DMA direction, numbered as enum dma_data_direction (include/linux/dma-direction.h). */
export const DmaDir = {bidirectional: 0, toDevice: 1, fromDevice: 2, none: 3, unknown: -1} as const;

/** How a page was named. */
export const PageName = {
  none: 0,
  /** `pfn` holds it */
  pfn: 1,
  /** raw kernel pointer to struct page or folio in ptrHi/ptrLo (bit 63 set) */
  pointer: 2,
  /** hashed %p: an identity within one boot, never a place */
  hashed: 3,
} as const;

/** Context characters of the flags column. */
export const Context = {unknown: -1, task: 0, softirq: 1, hardirq: 2, nmi: 3} as const;

/** Whether an event comes from an interrupt: comm and pid are then the interrupted task's. */
export function inInterrupt(context: number): boolean {
  return context === Context.hardirq || context === Context.softirq || context === Context.nmi;
}

/** Most entries of a list that are kept (dma tracepoints cut at 128 themselves). */
export const LIST_MAX = 512;

/** Properties of a row, each a number. */
type Numbers<T> = {-readonly [K in keyof T]: number};

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the properties are made from the table, below
export interface TraceEvent extends Numbers<Omit<typeof COMMON, 'kind'>>, Numbers<typeof OWN> {
  kind: EventKind;
}

/** A view of one row: its fields by name (events/kinds.ts), its text, and the lists beside it. */
export class TraceEvent {
  // the row: one memory as doubles, words and bytes
  f64: Float64Array = new Float64Array(ROW_BYTES / 8);
  i32: Int32Array = new Int32Array(this.f64.buffer);
  i8: Int8Array = new Int8Array(this.f64.buffer);
  /** where in them it begins, in words of each (a multiplication more, and V8 would not inline each property) */
  at64 = 0;
  at32 = 0;
  at8 = 0;

  // the bytes of the line, and ranges in them
  buf: Uint8Array = EMPTY;
  lineStart = 0;
  lineEnd = 0;
  commStart = 0;
  commEnd = 0;
  nameStart = 0;
  nameEnd = 0;
  deviceStart = 0;
  deviceEnd = 0;
  /** bdi name of writeback events, text of a marker */
  textStart = 0;
  textEnd = 0;

  // lists: as many entries as listLength and dmaLength say
  readonly listPfn = new Float64Array(LIST_MAX);
  readonly listPtrHi = new Float64Array(LIST_MAX);
  readonly listPtrLo = new Float64Array(LIST_MAX);
  /** physical addresses of scatterlist entries */
  readonly listPhys = new Float64Array(LIST_MAX);
  /** where in its page each entry named by a pointer begins (the probes that stand for dma_map_sg) */
  readonly listOffset = new Float64Array(LIST_MAX);
  /** bytes of each entry; -1 unknown */
  readonly listLen = new Float64Array(LIST_MAX);
  readonly dmaAddrs = new Float64Array(LIST_MAX);
  readonly dmaLens = new Float64Array(LIST_MAX);

  constructor() {
    this.context = this.cpu = this.pid = this.tgid = -1;
    this.begin(EventKind.Other);
  }

  /** The row becomes one of that kind: each of its own fields is "not printed". */
  begin(kind: EventKind): void {
    const {i32} = this;
    const at = this.at32;
    this.i8[this.at8 + COMMON.kind.at] = kind;
    const from = kind * WORDS;
    for (let word = OWN_WORD; word < WORDS; word++) i32[at + word] = BLANKS[from + word]!;
  }
}

const WORDS = ROW_BYTES / 4;

/** By kind: the words of a row in which nothing was printed. */
const BLANKS = blanks();

function blanks(): Int32Array {
  const all = new Float64Array((EVENT_KINDS * ROW_BYTES) / 8);
  const bytes = new Int8Array(all.buffer);
  for (let kind = 0; kind < EVENT_KINDS; kind++) {
    for (const name of FAMILY_OF[kind]!.fields) {
      const {storage, at, none} = OWN[name];
      if (storage === 'f64') all[(kind * ROW_BYTES) / 8 + at] = none;
      else if (storage === 'i8') bytes[kind * ROW_BYTES + at] = none;
    }
  }
  return new Int32Array(all.buffer);
}

/** Properties as V8 likes them: a small function for each, whose only free variable never changes. */
function property({storage, at}: Field): PropertyDescriptor & ThisType<TraceEvent> {
  const place = at;
  switch (storage) {
    case 'f64':
      return {
        get() {
          return this.f64[this.at64 + place];
        },
        set(value: number) {
          this.f64[this.at64 + place] = value;
        },
      };
    case 'u32':
      return {
        get() {
          return this.i32[this.at32 + place]! >>> 0;
        },
        set(value: number) {
          this.i32[this.at32 + place] = value;
        },
      };
    case 'i32':
      return {
        get() {
          return this.i32[this.at32 + place];
        },
        set(value: number) {
          this.i32[this.at32 + place] = value;
        },
      };
    case 'i8':
      return {
        get() {
          return this.i8[this.at8 + place];
        },
        set(value: number) {
          this.i8[this.at8 + place] = value;
        },
      };
    case 'bit': {
      const shift = 31 - Math.clz32(place & 0xff);
      return {
        get() {
          return (this.i8[this.at8 + HAS_BYTE]! >> shift) & 1;
        },
        set(value: number) {
          const has = this.i8[this.at8 + HAS_BYTE]!;
          this.i8[this.at8 + HAS_BYTE] = value === 0 ? has & ~place : has | place;
        },
      };
    }
  }
}

for (const [name, field] of Object.entries<Field>({...COMMON, ...OWN})) {
  Object.defineProperty(TraceEvent.prototype, name, property(field));
}

const EMPTY = new Uint8Array(0);

/** Events that were lost, as the trace says. */
export interface Loss {
  input: number;
  line: number;
  /** -1: not said (bpftrace) */
  cpu: number;
  /** -1: not said */
  count: number;
  /**
   * `lost`: between the last event of that CPU and its next one.
   * `start`: everything of that CPU before its next event is gone (overwritten; "buffer started"); told at the end of a
   *          recording: before its first.
   * `somewhere`: counted, at a place that nothing tells.
   * `cut`: who shows the trace left lines out here.
   * `again`: another recording begins in the same input.
   * `unread`: a line was not understood, and may have been an event of any CPU.
   */
  what: 'lost' | 'start' | 'somewhere' | 'cut' | 'again' | 'unread';
  /** it is told by a recording: `line` is the number of the record behind it, 0 at the end */
  record?: true;
  /** where events of other buffers stand between those of the one that lost some: the time of its last one, -Infinity if not known */
  since?: number;
}

/** What a parser hands over. Calls come in the order of the lines. */
export interface EventSink {
  /** `ev` is written again after the call returns. */
  event(ev: TraceEvent): void;
  /**
   * A stack block follows the event last seen on this CPU and task. Answers whether anybody wants the frames:
   * if not, the parser skips them unread.
   */
  stackBegin(cpu: number, pid: number): boolean;
  /** One frame, innermost first: `symbol+0xoff [module]` or a bare address, without brackets of a dso. */
  stackFrame(buf: Uint8Array, start: number, end: number): void;
  /** `number`: from 1 on, by which this very stack may be told again (stackAgain); 0 and none: it will not. */
  stackEnd(number?: number): void;
  /** Of the stack that was begun, in place of its frames: it is the one that ended with `number`. Answers whether that is known. */
  stackAgain?(number: number): boolean;
  loss(loss: Loss): void;
  /** Facts in headers and comments: `kernel`, `clock`, `cpus`, `entries_in_buffer`, `entries_written`, `vmemmap_base`, `page_size`, ... */
  fact(input: number, name: string, value: string): void;
}
