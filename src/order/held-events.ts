/**
 * Events kept for a while, in columns of numbers: an object each would cost four times the reading of its line, and the
 * model runs at full speed only on events of one hidden class. What comes out is one event, written again each time.
 */
import {EventKind as K, TraceEvent, type EventKind} from '../events/event.js';

/** numbers of one event: all fields of TraceEvent that are numbers, in the order of put(), and where its bytes are */
const FIELDS = 64;
/** rows of a block of columns, as a power of two: memory grows by blocks */
const BLOCK_BITS = 10;
const BLOCK_ROWS = 1 << BLOCK_BITS;
/** Longest text beside its line (a decoded comm, device or bdi name) that a copy takes along. */
const BESIDE_BYTES = 1024;

/** Bytes of some hundred events: an array for each event would cost more than all else. */
const BLOCK_BYTES = 1 << 16;
/** Empty blocks kept for later. */
const SPARE_MAX = 64;

interface ByteBlock {
  bytes: Uint8Array;
  used: number;
  /** events whose bytes are in it */
  events: number;
}

export class HeldEvents {
  private readonly blocks: Float64Array[] = [];
  private used = 0;
  private readonly free: number[] = [];
  /** by row: the block that holds its bytes */
  private readonly bytes: ByteBlock[] = [];
  /** by row: the used parts of its lists, one after the other */
  private readonly lists: (Float64Array | undefined)[] = [];
  private readonly out = new TraceEvent();
  /** of the event that is being put: text that stands beside its line, and where the next such text will be */
  private readonly beside: Uint8Array[] = [];
  private end = 0;
  private placed = 0;

  /** A row for something else that has its place among the events; give it back with `release`. */
  claim(): number {
    return this.free.pop() ?? this.used++;
  }

  release(row: number): void {
    this.free.push(row);
  }

  /** Keeps a copy of an event and of its bytes; answers the row to take it from. */
  put(ev: TraceEvent): number {
    const row = this.claim();
    const length = ev.lineEnd - ev.lineStart;
    this.end = length;
    this.beside.length = 0;
    const listed = hasLists(ev.kind);
    this.lists[row] = listed && ev.listLength + ev.dmaLength > 0 ? listsOf(ev) : undefined;
    const d = (this.blocks[row >> BLOCK_BITS] ??= new Float64Array(BLOCK_ROWS * FIELDS));
    const at = (row & (BLOCK_ROWS - 1)) * FIELDS;
    d[at] = ev.kind;
    d[at + 1] = ev.input;
    d[at + 2] = ev.line;
    d[at + 3] = ev.offset;
    d[at + 4] = ev.t;
    d[at + 5] = ev.cpu;
    d[at + 6] = ev.pid;
    d[at + 7] = ev.tgid;
    d[at + 8] = ev.context;
    d[at + 9] = 0;
    d[at + 10] = length;
    d[at + 11] = this.place(ev, ev.commStart, ev.commEnd);
    d[at + 12] = d[at + 11]! + this.placed;
    d[at + 13] = this.place(ev, ev.nameStart, ev.nameEnd);
    d[at + 14] = d[at + 13]! + this.placed;
    d[at + 15] = this.place(ev, ev.deviceStart, ev.deviceEnd);
    d[at + 16] = d[at + 15]! + this.placed;
    d[at + 17] = this.place(ev, ev.textStart, ev.textEnd);
    d[at + 18] = d[at + 17]! + this.placed;
    d[at + 19] = ev.pageName;
    d[at + 20] = ev.pfn;
    d[at + 21] = ev.ptrHi;
    d[at + 22] = ev.ptrLo;
    d[at + 23] = ev.mayBeTail;
    d[at + 24] = ev.vmemmapHi;
    d[at + 25] = ev.vmemmapLo;
    d[at + 26] = ev.pageFlags;
    d[at + 27] = ev.count;
    d[at + 28] = ev.hasCount;
    d[at + 29] = ev.mapcount;
    d[at + 30] = ev.hasMapcount;
    d[at + 31] = ev.mappingHi;
    d[at + 32] = ev.mappingLo;
    d[at + 33] = ev.hasMapping;
    d[at + 34] = ev.mt;
    d[at + 35] = ev.val;
    d[at + 36] = ev.ret;
    d[at + 37] = ev.hasRet;
    d[at + 38] = ev.refs;
    d[at + 39] = ev.gupFlags;
    d[at + 40] = ev.hasFlags;
    d[at + 41] = ev.nr;
    d[at + 42] = ev.start;
    d[at + 43] = ev.makeDirty;
    d[at + 44] = ev.ok;
    d[at + 45] = ev.order;
    d[at + 46] = ev.devId;
    d[at + 47] = ev.ino;
    d[at + 48] = ev.ofs;
    d[at + 49] = ev.index;
    d[at + 50] = ev.dir;
    d[at + 51] = ev.dmaAddr;
    d[at + 52] = ev.size;
    d[at + 53] = ev.phys;
    d[at + 54] = ev.pageOffset;
    d[at + 55] = ev.failed;
    d[at + 56] = ev.truncated;
    d[at + 57] = ev.itemIndex;
    d[at + 58] = ev.sector;
    d[at + 59] = ev.write;
    d[at + 60] = listed ? ev.listLength : 0;
    d[at + 61] = ev.listName;
    d[at + 62] = listed ? ev.dmaLength : 0;
    const block = this.room(this.end);
    const from = block.used;
    block.bytes.set(ev.buf.subarray(ev.lineStart, ev.lineEnd), from);
    let to = from + length;
    for (const bytes of this.beside) {
      block.bytes.set(bytes, to);
      to += bytes.length;
    }
    block.used = to;
    block.events++;
    this.bytes[row] = block;
    d[at + 63] = from;
    return row;
  }

  /**
   * Where a range of the event will be in the copy; `placed` is how many bytes of it. Decoded text stands beside the line and
   * is put behind it; a range that was left over from an earlier event may be anywhere.
   */
  private place(ev: TraceEvent, from: number, to: number): number {
    this.placed = Math.max(0, to - from);
    if (this.placed === 0) return 0;
    if (from >= ev.lineStart && to <= ev.lineEnd) return from - ev.lineStart;
    const bytes = ev.buf.subarray(from, Math.min(to, from + BESIDE_BYTES));
    this.placed = bytes.length;
    this.beside.push(bytes);
    this.end += bytes.length;
    return this.end - bytes.length;
  }

  /** Gives an event back and forgets it. Valid until the next call. */
  take(row: number): TraceEvent {
    const {out} = this;
    const d = this.blocks[row >> BLOCK_BITS]!;
    const at = (row & (BLOCK_ROWS - 1)) * FIELDS;
    const block = this.bytes[row]!;
    const start = d[at + 63]!;
    if (--block.events === 0 && block !== this.block) this.retire(block);
    out.buf = block.bytes;
    out.kind = d[at]! as EventKind;
    out.input = d[at + 1]!;
    out.line = d[at + 2]!;
    out.offset = d[at + 3]!;
    out.t = d[at + 4]!;
    out.cpu = d[at + 5]!;
    out.pid = d[at + 6]!;
    out.tgid = d[at + 7]!;
    out.context = d[at + 8]!;
    out.lineStart = d[at + 9]! + start;
    out.lineEnd = d[at + 10]! + start;
    out.commStart = d[at + 11]! + start;
    out.commEnd = d[at + 12]! + start;
    out.nameStart = d[at + 13]! + start;
    out.nameEnd = d[at + 14]! + start;
    out.deviceStart = d[at + 15]! + start;
    out.deviceEnd = d[at + 16]! + start;
    out.textStart = d[at + 17]! + start;
    out.textEnd = d[at + 18]! + start;
    out.pageName = d[at + 19]!;
    out.pfn = d[at + 20]!;
    out.ptrHi = d[at + 21]!;
    out.ptrLo = d[at + 22]!;
    out.mayBeTail = d[at + 23]!;
    out.vmemmapHi = d[at + 24]!;
    out.vmemmapLo = d[at + 25]!;
    out.pageFlags = d[at + 26]!;
    out.count = d[at + 27]!;
    out.hasCount = d[at + 28]!;
    out.mapcount = d[at + 29]!;
    out.hasMapcount = d[at + 30]!;
    out.mappingHi = d[at + 31]!;
    out.mappingLo = d[at + 32]!;
    out.hasMapping = d[at + 33]!;
    out.mt = d[at + 34]!;
    out.val = d[at + 35]!;
    out.ret = d[at + 36]!;
    out.hasRet = d[at + 37]!;
    out.refs = d[at + 38]!;
    out.gupFlags = d[at + 39]!;
    out.hasFlags = d[at + 40]!;
    out.nr = d[at + 41]!;
    out.start = d[at + 42]!;
    out.makeDirty = d[at + 43]!;
    out.ok = d[at + 44]!;
    out.order = d[at + 45]!;
    out.devId = d[at + 46]!;
    out.ino = d[at + 47]!;
    out.ofs = d[at + 48]!;
    out.index = d[at + 49]!;
    out.dir = d[at + 50]!;
    out.dmaAddr = d[at + 51]!;
    out.size = d[at + 52]!;
    out.phys = d[at + 53]!;
    out.pageOffset = d[at + 54]!;
    out.failed = d[at + 55]!;
    out.truncated = d[at + 56]!;
    out.itemIndex = d[at + 57]!;
    out.sector = d[at + 58]!;
    out.write = d[at + 59]!;
    out.listLength = d[at + 60]!;
    out.listName = d[at + 61]!;
    out.dmaLength = d[at + 62]!;
    const lists = this.lists[row];
    if (lists !== undefined) {
      fillLists(out, lists);
      this.lists[row] = undefined;
    }
    this.free.push(row);
    return out;
  }

  private block: ByteBlock | undefined;
  private readonly spare: ByteBlock[] = [];
  /** bytes of the blocks that hold events: a late event keeps its whole block */
  allocated = 0;

  /** A block with room for so many bytes more. */
  private room(bytes: number): ByteBlock {
    let {block} = this;
    if (block && block.events === 0) block.used = 0;
    if (block && block.used + bytes <= block.bytes.length) return block;
    if (block?.events === 0) this.retire(block);
    block = (bytes <= BLOCK_BYTES ? this.spare.pop() : undefined) ?? {
      bytes: new Uint8Array(Math.max(bytes, BLOCK_BYTES)),
      used: 0,
      events: 0,
    };
    this.allocated += block.bytes.length;
    return (this.block = block);
  }

  private retire(block: ByteBlock): void {
    this.allocated -= block.bytes.length;
    block.used = 0;
    if (block.bytes.length === BLOCK_BYTES && this.spare.length < SPARE_MAX) this.spare.push(block);
  }
}

/** Other kinds carry what an earlier event left in the lists. */
function hasLists(kind: EventKind): boolean {
  return kind === K.UnpinCall || (kind >= K.DmaMapSg && kind <= K.DmaUnmapSgEntry);
}

function listsOf(ev: TraceEvent): Float64Array {
  const {listLength, dmaLength} = ev;
  const lists = new Float64Array(6 * listLength + 2 * dmaLength);
  let at = 0;
  for (const list of [ev.listPfn, ev.listPtrHi, ev.listPtrLo, ev.listPhys, ev.listOffset, ev.listLen]) {
    for (let i = 0; i < listLength; i++) lists[at++] = list[i]!;
  }
  for (const list of [ev.dmaAddrs, ev.dmaLens]) for (let i = 0; i < dmaLength; i++) lists[at++] = list[i]!;
  return lists;
}

function fillLists(ev: TraceEvent, lists: Float64Array): void {
  const {listLength, dmaLength} = ev;
  let at = 0;
  for (const list of [ev.listPfn, ev.listPtrHi, ev.listPtrLo, ev.listPhys, ev.listOffset, ev.listLen]) {
    for (let i = 0; i < listLength; i++) list[i] = lists[at++]!;
  }
  for (const list of [ev.dmaAddrs, ev.dmaLens]) for (let i = 0; i < dmaLength; i++) list[i] = lists[at++]!;
}
