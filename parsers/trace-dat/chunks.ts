/**
 * Sub-buffers of all CPUs of a file, some at a time, and each of them again by its place. A place is the number of the
 * byte, counted over all bytes in the order in which they were unpacked: an exact number for files of any size.
 */
import type {RandomAccess} from '../../src/io/random-access.js';
import {Cursor, Damaged} from '../records/cursor.js';
import {type Bytes, bytesOf} from '../records/piece.js';
import {type Packing, unpack} from '../records/unpack.js';

/** Bytes of a chunk of trace-cmd: ten sub-buffers, which are at most 64 KiB where a user says so. */
const CHUNK_MAX = 1 << 22;
/** Unpacked chunks of all CPUs at a time. */
const CHUNKS_MAX = 1 << 29;
/** What was read again is kept for the next records, which lie near: so many sub-buffers or unpacked chunks. */
const HELD_MAX = 16;

interface Chunk {
  /** place of its first byte */
  place: number;
  /** where its bytes are in the file */
  offset: number;
  /** bytes there, packed or not */
  packed: number;
  plain: number;
  isPacked: boolean;
  /** whose it is */
  owner: number;
}

export class Chunks {
  private readonly all: Chunk[] = [];
  private places = 0;
  /** bytes that all owners have room for */
  private rooms = 0;
  /** by place of the first byte, the oldest first */
  private readonly held = new Map<number, Bytes>();

  constructor(
    readonly source: RandomAccess,
    private readonly packing: Packing,
    private readonly little: boolean,
  ) {}

  /** Reads a chunk of raw sub-buffers into `into`; answers how many bytes there are, and their place. */
  raw(owner: number, offset: number, length: number, into: Uint8Array): {place: number; length: number} {
    const got = this.source.read(offset, length, into, 0);
    return {place: this.add({owner, offset, packed: got, plain: got, isPacked: false}), length: got};
  }

  /**
   * Unpacks the chunk at `offset` (u32 packed, u32 plain, bytes), of which at most `left` bytes are there. Its owner has
   * `room` for it so far, and makes as much as is needed.
   */
  packed(owner: number, offset: number, left: number, room: number): {place: number; bytes: Uint8Array; used: number} {
    const c = new Cursor(this.source, this.little, offset, Math.min(this.source.size, offset + left));
    const packed = c.u32();
    const plain = c.u32();
    this.rooms += Math.max(0, plain - room);
    if (this.rooms > CHUNKS_MAX) throw new Damaged(`chunks of ${this.rooms} bytes at a time`);
    const bytes = unpack(this.packing, c.bytes(packed, CHUNK_MAX), plain, CHUNK_MAX);
    return {place: this.add({owner, offset: offset + 8, packed, plain, isPacked: true}), bytes, used: 8 + packed};
  }

  private add(chunk: Omit<Chunk, 'place'>): number {
    const place = this.places;
    this.all.push({...chunk, place});
    this.places += chunk.plain;
    return place;
  }

  /**
   * The sub-buffer that holds a place, read again: bytes that hold it, whose they are, where it lies in them, and the
   * place's own byte. `pageOf` tells the size of an owner's sub-buffers. Throws Damaged where it cannot be read any more.
   */
  again(place: number, pageOf: (owner: number) => number): {owner: number; from: number; at: number; bytes: Bytes} {
    const chunk = this.chunkAt(place);
    const page = pageOf(chunk.owner);
    const from = Math.floor((place - chunk.place) / page) * page;
    const at = place - chunk.place - from;
    // of a packed chunk all has to be unpacked; of a raw one its sub-buffer is enough
    if (chunk.isPacked)
      return {owner: chunk.owner, from, at: from + at, bytes: this.hold(chunk.place, () => this.unpackedAgain(chunk))};
    const length = Math.min(page, chunk.plain - from);
    const bytes = this.hold(chunk.place + from, () => this.bytesAt(chunk.offset + from, length));
    return {owner: chunk.owner, from: 0, at, bytes};
  }

  private chunkAt(place: number): Chunk {
    let low = 0;
    let high = this.all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.all[middle]!.place <= place) low = middle + 1;
      else high = middle;
    }
    const chunk = this.all[low - 1];
    if (!chunk || place >= chunk.place + chunk.plain) throw new Damaged('there is no such place');
    return chunk;
  }

  private hold(place: number, read: () => Uint8Array): Bytes {
    const {held} = this;
    let bytes = held.get(place);
    if (bytes) held.delete(place);
    else {
      bytes = bytesOf(read(), this.little);
      if (held.size >= HELD_MAX) held.delete(held.keys().next().value!);
    }
    held.set(place, bytes);
    return bytes;
  }

  private bytesAt(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (this.source.read(offset, length, bytes, 0) < length) throw new Damaged('bytes are missing');
    return bytes;
  }

  private unpackedAgain({offset, packed, plain}: Chunk): Uint8Array {
    return unpack(this.packing, this.bytesAt(offset, packed), plain, CHUNK_MAX);
  }
}
