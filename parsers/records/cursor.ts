/** Reads forward through bytes of either order. Nothing that it reads is trusted: every size is checked against what there is. */
import {RandomBytes, type RandomAccess} from '../../src/io/random-access.js';

/** The bytes are not what they should be. The message says what, and where. */
export class Damaged extends Error {}

/** Bytes read ahead: metadata are read number by number. */
const WINDOW = 1 << 16;
/** Longest text that a NUL ends. */
const STRING_MAX = 1 << 16;

export class Cursor {
  private readonly window: Uint8Array;
  private readonly view: DataView;
  private windowAt = 0;
  private windowLength = 0;

  constructor(
    private readonly source: RandomAccess,
    public little: boolean,
    public pos = 0,
    /** where its bytes end: nothing behind is read */
    private readonly end = source.size,
  ) {
    this.window = new Uint8Array(Math.max(8, Math.min(WINDOW, this.end - pos)));
    this.view = new DataView(this.window.buffer);
  }

  static of(bytes: Uint8Array, little: boolean): Cursor {
    return new Cursor(new RandomBytes(bytes), little);
  }

  /** bytes that are left */
  get left(): number {
    return this.end - this.pos;
  }

  u8(): number {
    const at = this.need(1);
    return this.view.getUint8(at);
  }

  u16(): number {
    const at = this.need(2);
    return this.view.getUint16(at, this.little);
  }

  u32(): number {
    const at = this.need(4);
    return this.view.getUint32(at, this.little);
  }

  /** A size or an offset: beyond 2^53 it is neither. */
  u64(): number {
    const value = this.big();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Damaged(`a size beyond 2^53 at byte ${this.pos - 8}`);
    return Number(value);
  }

  big(): bigint {
    const at = this.need(8);
    return this.view.getBigUint64(at, this.little);
  }

  /** `length` bytes of their own. A length above `limit` is refused before anything is allocated. */
  bytes(length: number, limit: number): Uint8Array {
    if (length > limit) throw new Damaged(`${length} bytes at byte ${this.pos}, where at most ${limit} are believed`);
    if (length > this.left) throw new Damaged(`needs ${length} bytes at byte ${this.pos}, where ${this.left} are left`);
    const out = new Uint8Array(length);
    if (this.source.read(this.pos, length, out, 0) !== length)
      throw new Damaged(`bytes are missing at byte ${this.pos}`);
    this.pos += length;
    return out;
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.bytes(this.left, this.left);
  }

  /** `length` bytes as text, one byte a character; what follows a NUL is padding. */
  text(length: number, limit: number): string {
    return latin1(this.bytes(length, limit)).replace(/\0[\s\S]*$/, '');
  }

  /** Text up to its NUL. */
  string(): string {
    const start = this.pos;
    const out: number[] = [];
    for (;;) {
      const byte = this.u8();
      if (byte === 0) return Buffer.from(out).toString('latin1');
      out.push(byte);
      if (out.length > STRING_MAX) throw new Damaged(`a text without an end at byte ${start}`);
    }
  }

  /** Goes on by so many bytes; answers where in the window they are. */
  private need(length: number): number {
    const {pos} = this;
    if (pos < 0 || pos + length > this.end)
      throw new Damaged(`ends at byte ${this.end}, where ${length} more are needed`);
    if (pos < this.windowAt || pos + length > this.windowAt + this.windowLength) {
      this.windowAt = pos;
      this.windowLength = this.source.read(pos, Math.min(this.window.length, this.end - pos), this.window, 0);
      if (this.windowLength < length) throw new Damaged(`bytes are missing at byte ${pos}`);
    }
    this.pos += length;
    return pos - this.windowAt;
  }
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
