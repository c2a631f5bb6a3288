/**
 * Records of a perf.data one after the other: u32 type, u16 misc, u16 size of the whole, and what the type says. Packed ones
 * hold pieces of one zstd stream whose bytes are records again; a record may go on in the next piece.
 */
import type {RandomAccess} from '../../src/io/random-access.js';
import {Damaged} from '../records/cursor.js';
import {Piece} from '../records/piece.js';
import {unpackStream} from '../records/unpack.js';

export const Type = {
  mmap: 1,
  lost: 2,
  comm: 3,
  fork: 7,
  sample: 9,
  mmap2: 10,
  lostSamples: 13,
  /** from here on perf's own */
  user: 64,
  attr: 64,
  tracingData: 66,
  finishedRound: 68,
  idIndex: 69,
  auxtrace: 71,
  threadMap: 73,
  eventUpdate: 78,
  feature: 80,
  compressed: 81,
  compressed2: 83,
} as const;

const PIECE_BYTES = 1 << 20;
/** Largest record with what follows it that is held whole: tracing data of a kernel with thousands of events. */
const LARGEST_BYTES = 1 << 27;
/** What a record of 64 KiB holds of a packed piece, at most (COMPRESSED2 of perf 6.16 to 7.x, below). */
const PAYLOAD_MAX = 65519;

/** One of the files that hold records. */
export interface Segment {
  source: RandomAccess;
  from: number;
  to: number;
  /** added to a place in it: files of a directory lie one after the other */
  base: number;
}

export interface Walking {
  /** A record of the kernel: `at` in the piece, whose first byte is at `place`. */
  record(piece: Piece, at: number, size: number, type: number): void;
  /** A record of perf itself; `follows` bytes behind it belong to it. */
  own(piece: Piece, at: number, size: number, type: number, follows: number, place: number): void;
  /** Bytes that came out of packed records: they have no place in the file. */
  unpacked(bytes: Uint8Array): number;
}

/** A piece that knows where its bytes are. */
export class PlacedPiece extends Piece {
  place = 0;
}

export class Walk {
  /** why it ended before the end */
  cut: string | undefined;
  private readonly outer: Generator<Uint8Array, void>;
  private stream: Generator<Uint8Array, void> | undefined;
  /** what was read last, and what is unpacked now */
  private read: PlacedPiece | undefined;
  private plain: PlacedPiece | undefined;
  private plainAt = 0;
  private nested = false;
  /** pieces of PIECE_BYTES that were made so far: as many as hold what waits for its round, and a few */
  private readonly made: PlacedPiece[] = [];

  constructor(
    private readonly segment: Segment,
    private readonly little: boolean,
    private readonly to: Walking,
  ) {
    this.outer = this.pieces();
  }

  /** Reads some. False at the end. */
  step(): boolean {
    try {
      if (this.stream) {
        const step = this.stream.next();
        if (step.done === true) return this.ended();
        this.plainBytes(step.value);
        return true;
      }
      const step = this.outer.next();
      if (step.done === true) return false;
      if (step.value.length > 0) this.stream = unpackStream(this.chained(step.value));
      return true;
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      this.cut ??= error.message;
      return false;
    }
  }

  private ended(): false {
    if (this.plain && this.plain.length > this.plainAt)
      this.cut ??= `${this.plain.length - this.plainAt} bytes of a record that breaks off`;
    return false;
  }

  /** Packed pieces, the first of which was read already. */
  private *chained(first: Uint8Array): Generator<Uint8Array, void> {
    yield first;
    yield* this.outer;
  }

  /** Bytes of the unpacked stream. */
  private plainBytes(bytes: Uint8Array): void {
    let {plain} = this;
    const left = plain ? plain.length - this.plainAt : 0;
    if (!plain || plain.length + bytes.length > PIECE_BYTES) {
      const fresh = this.empty(Math.max(PIECE_BYTES, left + bytes.length));
      if (plain) {
        fresh.bytes.set(plain.bytes.subarray(this.plainAt, plain.length));
        fresh.place = plain.place + this.plainAt;
      }
      this.plain = plain = fresh;
      this.plainAt = 0;
      plain.filled(left);
    }
    const place = this.to.unpacked(bytes);
    if (plain.length === 0) plain.place = place;
    plain.bytes.set(bytes, plain.length);
    plain.length += bytes.length;
    this.nested = true;
    // nothing packed is in what was packed
    for (const _ of this.walk(plain, this.plainAt, plain.place)) throw new Damaged('packed records in packed ones');
    this.nested = false;
    this.plainAt = this.walked;
  }

  /** where walk() stopped */
  private walked = 0;

  /** A piece for so many bytes: one that is not in use and of which nothing waits, where there is one. */
  private empty(capacity: number): PlacedPiece {
    if (capacity !== PIECE_BYTES) return new PlacedPiece(this.little, capacity);
    let piece = this.made.find((one) => one.waiting === 0 && one !== this.read && one !== this.plain);
    if (piece === undefined) this.made.push((piece = new PlacedPiece(this.little, capacity)));
    return piece;
  }

  /** Walks the segment; gives the bytes of packed records, and nothing (an empty piece) now and then. */
  private *pieces(): Generator<Uint8Array, void> {
    const {source, from, to, base} = this.segment;
    let at = from;
    let carry = 0;
    let last: PlacedPiece | undefined;
    let capacity = PIECE_BYTES;
    while (at < to) {
      const piece = this.empty(capacity);
      this.read = piece;
      if (last && carry > 0) piece.bytes.set(last.bytes.subarray(last.length - carry, last.length));
      const got = source.read(at, Math.min(capacity - carry, to - at), piece.bytes, carry);
      if (got === 0) {
        this.cut ??= source.failure ?? 'bytes are missing';
        return;
      }
      piece.place = base + at - carry;
      piece.filled(carry + got);
      at += got;
      yield* this.walk(piece, 0, piece.place);
      carry = piece.length - this.walked;
      // a record that needs more than a piece
      if (this.needs > 0) {
        if (this.needs > LARGEST_BYTES) throw new Damaged(`a record of ${this.needs} bytes`);
        capacity = Math.max(PIECE_BYTES, this.needs);
      } else capacity = PIECE_BYTES;
      if (this.skip > 0) {
        at += this.skip;
        this.skip = 0;
        carry = 0;
      }
      if (carry >= capacity) throw new Damaged('a record that does not end');
      last = piece;
      yield NONE;
    }
    if (carry > 0) this.tail(last!, carry);
  }

  /** Bytes behind the last whole record: one that is cut, or what perf itself said, where both went into one file. */
  private tail({bytes, length}: PlacedPiece, carry: number): void {
    const rest = bytes.subarray(length - carry, length);
    if (rest.every((byte) => (byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13)))
      this.note = `${carry} bytes of text after the last record`;
    else this.cut ??= `${carry} bytes of a record that breaks off`;
  }

  /** what stands behind the records and is no damage */
  note: string | undefined;
  /** bytes that the record at `walked` needs with what follows it; 0: those of a record */
  private needs = 0;
  /** bytes to go over that are not in the piece */
  private skip = 0;

  /** Walks whole records of a piece from `at` on. */
  private *walk(piece: PlacedPiece, at: number, place: number): Generator<Uint8Array, void> {
    const {view, little, length} = piece;
    this.needs = 0;
    while (at + 8 <= length) {
      const type = view.getUint32(at, little);
      let size = view.getUint16(at + 6, little);
      let payload = size - 16;
      if (type === Type.compressed2 && at + 16 <= length) {
        const said = view.getUint32(little ? at + 8 : at + 12, little);
        const high = view.getUint32(little ? at + 12 : at + 8, little);
        if (high === 0 && said < LARGEST_BYTES) [size, payload] = packedSize(size, said);
      }
      if (size < 8) {
        this.walked = at;
        throw new Damaged(`a record of ${size} bytes at byte ${place + at}`);
      }
      if (at + size > length) {
        this.needs = size;
        break;
      }
      if (type < Type.user) this.to.record(piece, at, size, type);
      else if (type === Type.compressed || type === Type.compressed2) {
        const from = type === Type.compressed ? 8 : 16;
        const bytes = type === Type.compressed ? size - 8 : payload;
        if (bytes > 0) yield piece.bytes.slice(at + from, at + from + bytes);
      } else if (type === Type.auxtrace && size >= 16) {
        // u64: so many bytes follow, which are no records
        const low = view.getUint32(little ? at + 8 : at + 12, little);
        const follows = view.getUint32(little ? at + 12 : at + 8, little) * 4294967296 + low;
        if (at + size + follows > length) {
          this.skip = this.nested ? 0 : at + size + follows - length;
          at = length;
          break;
        }
        at += follows;
      } else if (type === Type.tracingData && size >= 12) {
        const follows = (view.getUint32(at + 8, little) + 7) & ~7;
        if (at + size + follows > length && !this.nested && follows >= 0) {
          this.needs = size + follows;
          break;
        }
        this.to.own(piece, at, size, type, Math.max(0, Math.min(follows, length - at - size)), place + at);
        at += Math.max(0, follows);
      } else {
        this.to.own(piece, at, size, type, 0, place + at);
        // what the round brought is told before more is read
        if (type === Type.finishedRound && !this.nested) yield NONE;
      }
      at += size;
    }
    this.walked = Math.min(at, length);
  }
}

/**
 * Size of a COMPRESSED2 record and of what it holds. perf 6.16 to 7.x let the 16 bits of the size overflow: then the record
 * has no padding, and may really be several, of which the first is as long as one can be.
 */
function packedSize(size: number, said: number): [number, number] {
  const overflows = ((16 + said + 7) & ~7) > size && size - 16 !== said && (size < 16 || said >= PAYLOAD_MAX - 6);
  if (overflows) {
    const payload = Math.min(said, PAYLOAD_MAX);
    return [16 + payload, payload];
  }
  return [size, said <= size - 16 && said > size - 24 ? said : size - 16];
}

const NONE = new Uint8Array(0);
