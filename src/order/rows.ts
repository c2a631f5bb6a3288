/**
 * Rows kept for a while, each with the bytes of its line and its lists beside it. What comes out is one view, moved from
 * row to row.
 */
import {TraceEvent} from '../events/event.js';
import {FAMILY_OF, ROW_BYTES} from '../events/kinds.js';

const WORDS = ROW_BYTES / 4;
/** rows of a block, as a power of two: memory grows by blocks */
const BLOCK_BITS = 10;
const BLOCK_ROWS = 1 << BLOCK_BITS;
/** Longest text beside its line (a decoded comm, device or bdi name) that a copy takes along. */
const BESIDE_BYTES = 1024;

/** Bytes of some hundred lines: an array for each would cost more than all else. */
const BLOCK_BYTES = 1 << 16;
/** Empty blocks kept for later. */
const SPARE_MAX = 64;

/** Words of a row's text: where its line begins in its block, the line's length, then begin and end of four ranges. */
const TEXT = 10;

interface Block {
  f64: Float64Array;
  i32: Int32Array;
  i8: Int8Array;
  text: Int32Array;
}

interface ByteBlock {
  bytes: Uint8Array;
  used: number;
  /** rows whose bytes are in it */
  rows: number;
}

export class Rows {
  private readonly blocks: Block[] = [];
  private used = 0;
  private readonly free: number[] = [];
  /** by row: the block that holds its bytes */
  private readonly bytes: ByteBlock[] = [];
  /** by row: the used parts of its lists, one after the other */
  private readonly lists: (Float64Array | undefined)[] = [];
  private readonly view = new TraceEvent();
  /** of the event that is being put: text that stands beside its line, and where the next such text will be */
  private readonly beside: Uint8Array[] = [];
  private end = 0;

  /** A row for something else that has its place among the events; give it back with `release`. */
  claim(): number {
    return this.free.pop() ?? this.used++;
  }

  release(row: number): void {
    this.free.push(row);
  }

  /** Keeps a copy of an event's row and bytes; answers the row to take it from. */
  put(ev: TraceEvent): number {
    const row = this.claim();
    this.lists[row] =
      FAMILY_OF[ev.kind]!.lists !== undefined && ev.listLength + ev.dmaLength > 0 ? listsOf(ev) : undefined;
    const block = (this.blocks[row >> BLOCK_BITS] ??= newBlock());
    const at = row & (BLOCK_ROWS - 1);
    const from = ev.i32;
    const to = block.i32;
    const base = ev.at32;
    for (let word = 0; word < WORDS; word++) to[at * WORDS + word] = from[base + word]!;
    this.putText(row, ev, block.text, at * TEXT);
    return row;
  }

  private putText(row: number, ev: TraceEvent, text: Int32Array, at: number): void {
    const length = ev.lineEnd - ev.lineStart;
    this.end = length;
    this.beside.length = 0;
    this.range(ev, ev.commStart, ev.commEnd, text, at + 2);
    this.range(ev, ev.nameStart, ev.nameEnd, text, at + 4);
    this.range(ev, ev.deviceStart, ev.deviceEnd, text, at + 6);
    this.range(ev, ev.textStart, ev.textEnd, text, at + 8);
    const block = this.room(this.end);
    const from = block.used;
    block.bytes.set(ev.buf.subarray(ev.lineStart, ev.lineEnd), from);
    let to = from + length;
    for (const bytes of this.beside) {
      block.bytes.set(bytes, to);
      to += bytes.length;
    }
    block.used = to;
    block.rows++;
    this.bytes[row] = block;
    text[at] = from;
    text[at + 1] = length;
  }

  /**
   * Where a range of the event will be in the copy. Decoded text stands beside the line and is put behind it; a range that
   * was left over from an earlier event may be anywhere.
   */
  private range(ev: TraceEvent, from: number, to: number, text: Int32Array, at: number): void {
    let start = 0;
    let length = to - from;
    if (length <= 0) length = 0;
    else if (from >= ev.lineStart && to <= ev.lineEnd) start = from - ev.lineStart;
    else {
      const bytes = ev.buf.subarray(from, Math.min(to, from + BESIDE_BYTES));
      length = bytes.length;
      this.beside.push(bytes);
      start = this.end;
      this.end += length;
    }
    text[at] = start;
    text[at + 1] = start + length;
  }

  /** Gives an event back and forgets it. Valid until the next call. */
  take(row: number): TraceEvent {
    const {view} = this;
    const block = this.blocks[row >> BLOCK_BITS]!;
    const at = row & (BLOCK_ROWS - 1);
    const bytes = this.bytes[row]!;
    if (--bytes.rows === 0 && bytes !== this.block) this.retire(bytes);
    view.f64 = block.f64;
    view.i32 = block.i32;
    view.i8 = block.i8;
    view.at64 = (at * ROW_BYTES) / 8;
    view.at32 = (at * ROW_BYTES) / 4;
    view.at8 = at * ROW_BYTES;
    this.takeText(bytes.bytes, block.text, at * TEXT);
    const lists = this.lists[row];
    if (lists !== undefined) {
      fillLists(view, lists);
      this.lists[row] = undefined;
    }
    this.free.push(row);
    return view;
  }

  private takeText(bytes: Uint8Array, text: Int32Array, at: number): void {
    const {view} = this;
    const start = text[at]!;
    view.buf = bytes;
    view.lineStart = start;
    view.lineEnd = start + text[at + 1]!;
    view.commStart = start + text[at + 2]!;
    view.commEnd = start + text[at + 3]!;
    view.nameStart = start + text[at + 4]!;
    view.nameEnd = start + text[at + 5]!;
    view.deviceStart = start + text[at + 6]!;
    view.deviceEnd = start + text[at + 7]!;
    view.textStart = start + text[at + 8]!;
    view.textEnd = start + text[at + 9]!;
  }

  private block: ByteBlock | undefined;
  private readonly spare: ByteBlock[] = [];
  /** bytes of the blocks that hold lines: a late event keeps its whole block */
  allocated = 0;

  /** A block with room for so many bytes more. */
  private room(bytes: number): ByteBlock {
    let {block} = this;
    if (block && block.rows === 0) block.used = 0;
    if (block && block.used + bytes <= block.bytes.length) return block;
    if (block?.rows === 0) this.retire(block);
    block = (bytes <= BLOCK_BYTES ? this.spare.pop() : undefined) ?? {
      bytes: new Uint8Array(Math.max(bytes, BLOCK_BYTES)),
      used: 0,
      rows: 0,
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

function newBlock(): Block {
  const f64 = new Float64Array((BLOCK_ROWS * ROW_BYTES) / 8);
  return {
    f64,
    i32: new Int32Array(f64.buffer),
    i8: new Int8Array(f64.buffer),
    text: new Int32Array(BLOCK_ROWS * TEXT),
  };
}

function listsOf(ev: TraceEvent): Float64Array {
  const {listLength} = ev;
  const dmaLength = dmaLengthOf(ev);
  const lists = new Float64Array(6 * listLength + 2 * dmaLength);
  let at = 0;
  for (const list of [ev.listPfn, ev.listPtrHi, ev.listPtrLo, ev.listPhys, ev.listOffset, ev.listLen]) {
    for (let i = 0; i < listLength; i++) lists[at++] = list[i]!;
  }
  for (const list of [ev.dmaAddrs, ev.dmaLens]) for (let i = 0; i < dmaLength; i++) lists[at++] = list[i]!;
  return lists;
}

function fillLists(ev: TraceEvent, lists: Float64Array): void {
  const {listLength} = ev;
  const dmaLength = dmaLengthOf(ev);
  let at = 0;
  for (const list of [ev.listPfn, ev.listPtrHi, ev.listPtrLo, ev.listPhys, ev.listOffset, ev.listLen]) {
    for (let i = 0; i < listLength; i++) list[i] = lists[at++]!;
  }
  for (const list of [ev.dmaAddrs, ev.dmaLens]) for (let i = 0; i < dmaLength; i++) list[i] = lists[at++]!;
}

/** Only tracepoints have a DMA side. */
function dmaLengthOf(ev: TraceEvent): number {
  return FAMILY_OF[ev.kind]!.lists === 'addresses' ? ev.dmaLength : 0;
}
