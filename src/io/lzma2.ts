/**
 * LZMA2, the compression inside .xz files, as far as decoding goes.
 *
 * Written out here because no package on npm serves: the streaming ones (WebAssembly around xz-embedded) read one file
 * at a time only, stop after the first of several streams, and cannot say that a file was cut. The coder follows the
 * LZMA specification (lzma-specification.txt of the LZMA SDK) and the format notes in Linux' lib/xz/xz_dec_lzma2.c.
 */

/** Data that no encoder makes. */
export class DamagedLzma extends Error {}

const STATES = 12;
const MATCH_MIN = 2;

// where each group of probabilities begins in the one array
const IS_MATCH = 0;
const IS_REP = IS_MATCH + (STATES << 4);
const IS_REP0 = IS_REP + STATES;
const IS_REP1 = IS_REP0 + STATES;
const IS_REP2 = IS_REP1 + STATES;
const IS_REP0_LONG = IS_REP2 + STATES;
const DIST_SLOT = IS_REP0_LONG + (STATES << 4);
const DIST_SPECIAL = DIST_SLOT + (4 << 6);
const DIST_ALIGN = DIST_SPECIAL + 128;
const LENGTH = DIST_ALIGN + 16;
const LENGTH_SIZE = 2 + (16 << 3) * 2 + 256;
const REP_LENGTH = LENGTH + LENGTH_SIZE;
const LITERAL = REP_LENGTH + LENGTH_SIZE;
/** lc + lp is at most 4 in LZMA2 */
const PROBABILITIES = LITERAL + (0x300 << 4);

/** Most that one chunk unpacks to: 21 bits. */
export const CHUNK_LIMIT_BYTES = 1 << 21;

export class Lzma2Decoder {
  private readonly probs = new Uint16Array(PROBABILITIES);
  /** the dictionary, and behind it room for what comes next */
  private readonly out: Uint8Array;
  private pos = 0;
  /** where the dictionary begins: distances may not reach before it */
  private dictStart = 0;
  /** what the low bits of a position are counted from: the last reset, though it may have left the buffer */
  private origin = 0;
  private lc = 0;
  private literalPosMask = 0;
  private posMask = 0;
  private state = 0;
  private rep0 = 0;
  private rep1 = 0;
  private rep2 = 0;
  private rep3 = 0;
  /** what the next compressed chunk has to reset at least: 3 dictionary, 2 properties, 1 state, 0 nothing */
  private owed = 3;
  // the range coder
  private input: Uint8Array = new Uint8Array(0);
  private at = 0;
  private range = 0;
  private code = 0;

  constructor(private readonly dictBytes: number) {
    this.out = new Uint8Array(dictBytes + Math.max(CHUNK_LIMIT_BYTES, dictBytes >> 2));
  }

  /** An uncompressed chunk (control 1 or 2). The result is valid until the next call. */
  copy(control: number, data: Uint8Array): Uint8Array {
    if (control === 1) this.resetDictionary();
    else if (this.owed === 3) throw new DamagedLzma('the first chunk does not reset the dictionary');
    this.makeRoom(data.length);
    this.out.set(data, this.pos);
    this.pos += data.length;
    return this.out.subarray(this.pos - data.length, this.pos);
  }

  /** A compressed chunk (control 0x80 and up); `props` where the control has them. The result is valid until the next call. */
  decode(control: number, props: number | null, packed: Uint8Array, size: number): Uint8Array {
    const reset = (control >> 5) & 3;
    if (reset < this.owed) throw new DamagedLzma('a chunk lacks its reset');
    if (reset === 3) this.resetDictionary();
    if (props !== null) this.setProperties(props);
    if (reset > 0) this.resetState();
    this.owed = 0;
    this.makeRoom(size);
    const start = this.pos;
    this.input = packed;
    this.at = 5;
    this.range = -1;
    this.code = new DataView(packed.buffer, packed.byteOffset).getInt32(1);
    this.run(start + size);
    if (this.at !== packed.length || this.code !== 0) throw new DamagedLzma('a chunk does not end where it should');
    return this.out.subarray(start, this.pos);
  }

  private resetDictionary(): void {
    this.dictStart = this.origin = this.pos;
    this.owed = 2;
  }

  private setProperties(props: number): void {
    if (props >= 225) throw new DamagedLzma('unknown properties');
    this.lc = props % 9;
    const lp = Math.floor(props / 9) % 5;
    if (this.lc + lp > 4) throw new DamagedLzma('unknown properties');
    this.literalPosMask = (1 << lp) - 1;
    this.posMask = (1 << Math.floor(props / 45)) - 1;
  }

  private resetState(): void {
    this.probs.fill(1024);
    this.state = 0;
    this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
  }

  /** Keeps the last `dictBytes` and makes room for `size` more behind them. */
  private makeRoom(size: number): void {
    if (this.pos + size <= this.out.length) return;
    const from = Math.max(0, this.pos - this.dictBytes);
    this.out.copyWithin(0, from, this.pos);
    this.pos -= from;
    this.dictStart = Math.max(0, this.dictStart - from);
    this.origin -= from;
  }

  /** One bit by the probability at `i`. Numbers are 32-bit signed throughout: V8 keeps those unboxed. */
  private bit(i: number): number {
    const prob = this.probs[i] as number;
    const bound = Math.imul(this.range >>> 11, prob);
    let bit: number;
    // unsigned comparison
    if ((this.code ^ 0x80000000) < (bound ^ 0x80000000)) {
      this.range = bound;
      this.probs[i] = prob + ((2048 - prob) >> 5);
      bit = 0;
    } else {
      this.range = (this.range - bound) | 0;
      this.code = (this.code - bound) | 0;
      this.probs[i] = prob - (prob >> 5);
      bit = 1;
    }
    if (this.range >>> 24 === 0) this.shift();
    return bit;
  }

  private shift(): void {
    this.range <<= 8;
    // reading past the end gives zeros, and is found at the end of the chunk
    this.code = (this.code << 8) | (this.input[this.at++] ?? 0);
  }

  /** `count` bits of a tree, highest first. */
  private tree(base: number, count: number): number {
    let node = 1;
    for (let i = 0; i < count; i++) node = (node << 1) | this.bit(base + node);
    return node - (1 << count);
  }

  /** `count` bits of a tree, lowest first. */
  private reverseTree(base: number, count: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < count; i++) {
      const bit = this.bit(base + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  /** `count` bits of even odds. */
  private direct(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      this.range >>>= 1;
      const high = (this.code ^ 0x80000000) >= (this.range ^ 0x80000000);
      if (high) this.code = (this.code - this.range) | 0;
      value = (value << 1) | (high ? 1 : 0);
      this.range |= 0;
      if (this.range >>> 24 === 0) this.shift();
    }
    return value;
  }

  private length(base: number, posState: number): number {
    if (this.bit(base) === 0) return this.tree(base + 2 + (posState << 3), 3);
    if (this.bit(base + 1) === 0) return 8 + this.tree(base + 2 + (16 << 3) + (posState << 3), 3);
    return 16 + this.tree(base + 2 + (16 << 4), 8);
  }

  private distance(length: number): number {
    const slot = this.tree(DIST_SLOT + (Math.min(length, 3) << 6), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const high = 2 | (slot & 1);
    if (slot < 14) {
      const base = high << bits;
      return base + this.reverseTree(DIST_SPECIAL + base - slot, bits);
    }
    const direct = this.direct(bits - 4);
    const value = high * 2 ** bits + direct * 16 + this.reverseTree(DIST_ALIGN, 4);
    return value;
  }

  private literal(): void {
    const {out} = this;
    const before = this.pos > this.dictStart ? (out[this.pos - 1] as number) : 0;
    const offset = this.pos - this.origin;
    const context = ((offset & this.literalPosMask) << this.lc) + (before >> (8 - this.lc));
    const base = LITERAL + 0x300 * context;
    let symbol = 1;
    if (this.state >= 7) {
      let match = out[this.pos - this.rep0 - 1] as number;
      while (symbol < 0x100) {
        const matchBit = (match >> 7) & 1;
        match <<= 1;
        const bit = this.bit(base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.bit(base + symbol);
    out[this.pos++] = symbol & 0xff;
    this.state = this.state < 4 ? 0 : this.state < 10 ? this.state - 3 : this.state - 6;
  }

  /** Decodes until `end` bytes are there. */
  private run(end: number): void {
    while (this.pos < end) {
      const posState = (this.pos - this.origin) & this.posMask;
      const {state} = this;
      if (this.bit(IS_MATCH + (state << 4) + posState) === 0) {
        this.literal();
        continue;
      }
      let length: number;
      if (this.bit(IS_REP + state) === 0) {
        this.rep3 = this.rep2;
        this.rep2 = this.rep1;
        this.rep1 = this.rep0;
        length = this.length(LENGTH, posState);
        this.rep0 = this.distance(length);
        this.state = state < 7 ? 7 : 10;
      } else if (this.bit(IS_REP0 + state) === 0) {
        if (this.bit(IS_REP0_LONG + (state << 4) + posState) === 0) {
          this.state = state < 7 ? 9 : 11;
          this.repeat(1, end);
          continue;
        }
        length = this.length(REP_LENGTH, posState);
        this.state = state < 7 ? 8 : 11;
      } else {
        this.takeEarlierDistance(state);
        length = this.length(REP_LENGTH, posState);
        this.state = state < 7 ? 8 : 11;
      }
      this.repeat(length + MATCH_MIN, end);
    }
  }

  /** One of the last distances but the very last becomes the last. */
  private takeEarlierDistance(state: number): void {
    let distance: number;
    if (this.bit(IS_REP1 + state) === 0) {
      distance = this.rep1;
    } else {
      if (this.bit(IS_REP2 + state) === 0) {
        distance = this.rep2;
      } else {
        distance = this.rep3;
        this.rep3 = this.rep2;
      }
      this.rep2 = this.rep1;
    }
    this.rep1 = this.rep0;
    this.rep0 = distance;
  }

  /** Copies `length` bytes from `rep0 + 1` bytes ago; what is copied may be what this copy wrote. */
  private repeat(length: number, end: number): void {
    const {out, rep0} = this;
    if (rep0 >= this.pos - this.dictStart || rep0 >= this.dictBytes || this.pos + length > end) {
      throw new DamagedLzma('a match reaches where there are no data');
    }
    let to = this.pos;
    let from = to - rep0 - 1;
    const stop = to + length;
    while (to < stop) out[to++] = out[from++] as number;
    this.pos = to;
  }
}
