/**
 * Sub-buffers of all CPUs of a file, some at a time, and each of them again by its place. A place is the number of the
 * byte, counted over all bytes in the order in which they were unpacked: an exact number for files of any size.
 */
import type {RandomAccess} from '../../src/io/random-access.js';
import {Cursor, Damaged} from '../records/cursor.js';
import {type Packing, unpack} from '../records/unpack.js';

/** Bytes of a chunk of trace-cmd: ten sub-buffers, which are at most 64 KiB where a user says so. */
const CHUNK_MAX = 1 << 22;

interface Chunk {
  /** place of its first byte */
  place: number;
  /** where its bytes are in the file */
  offset: number;
  /** bytes there, packed or not */
  packed: number;
  plain: number;
  /** whose it is */
  owner: number;
}

export class Chunks {
  private readonly all: Chunk[] = [];
  private places = 0;
  private held: {chunk: Chunk; bytes: Uint8Array} | undefined;

  constructor(
    readonly source: RandomAccess,
    private readonly packing: Packing,
    private readonly little: boolean,
  ) {}

  /** Reads a chunk of raw sub-buffers into `into`; answers how many bytes there are, and their place. */
  raw(owner: number, offset: number, length: number, into: Uint8Array): {place: number; length: number} {
    const got = this.source.read(offset, length, into, 0);
    return {place: this.add({owner, offset, packed: got, plain: got}), length: got};
  }

  /** Unpacks the chunk at `offset` (u32 packed, u32 plain, bytes), of which at most `left` bytes are there. */
  packed(owner: number, offset: number, left: number): {place: number; bytes: Uint8Array; used: number} {
    const c = new Cursor(this.source, this.little, offset, Math.min(this.source.size, offset + left));
    const packed = c.u32();
    const plain = c.u32();
    const bytes = unpack(this.packing, c.bytes(packed, CHUNK_MAX), plain, CHUNK_MAX);
    return {place: this.add({owner, offset: offset + 8, packed, plain}), bytes, used: 8 + packed};
  }

  private add(chunk: Omit<Chunk, 'place'>): number {
    const place = this.places;
    this.all.push({...chunk, place});
    this.places += chunk.plain;
    return place;
  }

  /** The chunk that holds a place, read again. Throws Damaged where it cannot be read any more. */
  again(place: number): {owner: number; place: number; bytes: Uint8Array} {
    let low = 0;
    let high = this.all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.all[middle]!.place <= place) low = middle + 1;
      else high = middle;
    }
    const chunk = this.all[low - 1];
    if (!chunk || place >= chunk.place + chunk.plain) throw new Damaged('there is no such place');
    if (this.held?.chunk !== chunk) {
      const bytes = new Uint8Array(chunk.packed);
      if (this.source.read(chunk.offset, chunk.packed, bytes, 0) < chunk.packed) throw new Damaged('bytes are missing');
      const plain = chunk.packed === chunk.plain ? bytes : unpack(this.packing, bytes, chunk.plain, CHUNK_MAX);
      this.held = {chunk, bytes: plain};
    }
    return {owner: chunk.owner, place: chunk.place, bytes: this.held.bytes};
  }
}
