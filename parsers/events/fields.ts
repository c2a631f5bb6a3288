/**
 * Stepping through the `key=value` pairs of a payload, in whatever order and with whatever unknown keys between them.
 *
 * Shapes met in real traces, all read here:
 *
 *     pfn=0x2f28 flags=none count=1 mapping=0000000000000000 val=-1       tracefs
 *     mapping=          (null) mt=1                                       %p of a null pointer, kernels before 5.2
 *     (unpin_user_pages+0x4/0xc0) npages=2 pages={0xffffea00000bdf00,0x0} a kprobe with an array
 *     dev="0000:00:03.0" nents=2                                          a kprobe string, quotes unescaped
 *     count=0x1 (1) mark_dirty=(0) addrs=00,40,f0,0f,00,00,00,00          the `fields` option (6.4 and later)
 *     device=pinbug.0 addrs=ARRAY[00, a0, d9, 02, 00, 00, 00, 00] dir=0   trace-cmd report -R, [FAILED TO PARSE]
 */

import {
  COMMA,
  decimalHigh32,
  decimalLow32,
  EQUALS,
  findByte,
  HEX,
  hasHexPrefix,
  hashStep,
  hexHigh32,
  hexLow32,
  LBRACE,
  LBRACKET,
  LPAREN,
  number,
  QUOTE,
  RBRACE,
  RBRACKET,
  RPAREN,
  signed,
  SPACE,
} from '../bytes.js';
import {Key, keyOf, numberAtEnd, numberedKeyOf} from './keys.js';

const LETTER_A = 65;

export class Fields {
  buf: Uint8Array = new Uint8Array(0);
  private pos = 0;
  private end = 0;
  /** One of Key, after `next()`. */
  key = 0;
  /** The number in a numbered name (`page1`). */
  index = 0;
  /** The value's bytes. Empty for `key=` with nothing. Quotes, braces and `(`…`)` of a decimal-only value are outside. */
  start = 0;
  stop = 0;
  /** `{`: an array in braces; `A`: `ARRAY[..]` of bytes; `"`: a string; 0: a plain token. */
  shape = 0;

  /** Begins at `pos`; looks at nothing from `end` on. */
  open(buf: Uint8Array, pos: number, end: number): void {
    this.buf = buf;
    this.pos = pos;
    this.end = end;
  }

  /** Where the next word is looked for. */
  get at(): number {
    return this.pos;
  }

  /** Goes to the next `key=value` with a known key, or with `any` key (Key.unknown). False at the end. */
  next(any = false): boolean {
    const buf = this.buf;
    const end = this.end;
    let pos = this.pos;
    while (pos < end) {
      // a word up to `=` or a blank
      const nameStart = pos;
      let hash = 0;
      let c = 0;
      while (pos < end && (c = buf[pos]!) !== EQUALS && c !== SPACE) {
        hash = hashStep(hash, c);
        pos++;
      }
      if (pos >= end || c !== EQUALS || pos === nameStart) {
        pos++;
        continue;
      }
      const nameEnd = pos;
      pos = this.value(pos + 1);
      let key = keyOf(buf, nameStart, nameEnd, hash);
      if (key === Key.unknown) {
        key = numberedKeyOf(buf, nameStart, nameEnd);
        if (key === Key.unknown && !any) continue;
        this.index = numberAtEnd(buf, nameStart, nameEnd);
      }
      this.key = key;
      this.pos = pos;
      return true;
    }
    this.pos = end;
    return false;
  }

  /** Reads the value that begins at `pos`, sets start, stop and shape, and answers where the next word begins. */
  private value(pos: number): number {
    const buf = this.buf;
    const end = this.end;
    const first = pos < end ? buf[pos]! : SPACE;
    if (first === LBRACE) {
      this.shape = LBRACE;
      this.start = pos + 1;
      this.stop = findByte(buf, pos + 1, end, RBRACE);
      return this.stop + 1;
    }
    if (first === QUOTE) {
      // Inner quotes are not escaped: the string ends at the quote that a blank or the line's end follows.
      let stop = pos + 1;
      while (stop < end && !(buf[stop] === QUOTE && (stop + 1 === end || buf[stop + 1] === SPACE))) stop++;
      this.shape = QUOTE;
      this.start = pos + 1;
      this.stop = stop;
      return stop + 1;
    }
    if (first === LETTER_A && pos + 5 < end && buf[pos + 5] === LBRACKET && buf[pos + 4] === 89) {
      this.shape = LETTER_A;
      this.start = pos + 6;
      this.stop = findByte(buf, pos + 6, end, RBRACKET);
      return this.stop + 1;
    }
    this.shape = 0;
    if (first === LPAREN) {
      // `mark_dirty=(0)`: the fields option prints small integers only in decimal; `(nil)`, `(____ptrval____)` too.
      this.start = pos + 1;
      const stop = findByte(buf, pos + 1, end, SPACE);
      this.stop = stop > pos + 1 && buf[stop - 1] === RPAREN ? stop - 1 : stop;
      return stop + 1;
    }
    this.start = pos;
    this.stop = findByte(buf, pos, end, SPACE);
    return this.stop + 1;
  }

  // -- the value as ...

  /** a number: `0x..` or decimal */
  number(): number {
    return number(this.buf, this.start, this.stop);
  }

  /** a number whose bare digits are hexadecimal (`%llx` without `0x`) */
  hexNumber(): number {
    return number(this.buf, this.start, this.stop, true);
  }

  /** a signed 32-bit number */
  signed(): number {
    return signed(this.buf, this.start, this.stop);
  }

  /** whether the value has 0x */
  isHexPrefixed(): boolean {
    return hasHexPrefix(this.buf, this.start, this.stop);
  }

  /** high 32 bits of a pointer: `0xffffea..`, `ffffea..` (16 digits), or decimal (an unsigned fprobe argument) */
  pointerHigh(): number {
    const {buf, start, stop} = this;
    if (hasHexPrefix(buf, start, stop)) return hexHigh32(buf, start + 2, stop);
    return this.isBarePointer() ? hexHigh32(buf, start, stop) : decimalHigh32(buf, start, stop);
  }

  pointerLow(): number {
    const {buf, start, stop} = this;
    if (hasHexPrefix(buf, start, stop)) return hexLow32(buf, start + 2, stop);
    return this.isBarePointer() ? hexLow32(buf, start, stop) : decimalLow32(buf, start, stop);
  }

  /** 16 hexadecimal digits, as the kernel's %p prints on 64 bits */
  isBarePointer(): boolean {
    const {buf, start, stop} = this;
    if (stop - start !== 16) return false;
    for (let i = start; i < stop; i++) if (HEX[buf[i]!]! < 0) return false;
    return true;
  }
}

/**
 * Steps through the elements of an array value: numbers between commas in braces, or the little-endian bytes of
 * `ARRAY[..]` and of the `fields` option, `width` bytes an element.
 */
export class Elements {
  // a fraction first, for V8: halves of pointers outgrow a small integer
  hi = 0.5;
  lo = 0.5;
  private buf: Uint8Array = new Uint8Array(0);
  private pos = 0;
  private stop = 0;
  private bytes = false;
  private width = 8;

  open(fields: Fields, width: number): void {
    this.buf = fields.buf;
    this.pos = fields.start;
    this.stop = fields.stop;
    this.width = width;
    this.bytes = fields.shape !== LBRACE;
  }

  /** The element as a double: exact below 2^53. */
  get value(): number {
    return this.hi * 4294967296 + this.lo;
  }

  next(): boolean {
    return this.bytes ? this.nextOfBytes() : this.nextOfNumbers();
  }

  private nextOfNumbers(): boolean {
    const {buf, stop} = this;
    let pos = this.pos;
    while (pos < stop && (buf[pos] === COMMA || buf[pos] === SPACE)) pos++;
    if (pos >= stop) return false;
    let end = pos;
    while (end < stop && buf[end] !== COMMA) end++;
    if (hasHexPrefix(buf, pos, end)) {
      this.hi = hexHigh32(buf, pos + 2, end);
      this.lo = hexLow32(buf, pos + 2, end);
    } else {
      this.hi = decimalHigh32(buf, pos, end);
      this.lo = decimalLow32(buf, pos, end);
    }
    this.pos = end;
    return true;
  }

  private nextOfBytes(): boolean {
    const {buf, stop, width} = this;
    let pos = this.pos;
    let lo = 0;
    let hi = 0;
    for (let i = 0; i < width; i++) {
      while (pos < stop && (buf[pos] === COMMA || buf[pos] === SPACE)) pos++;
      if (pos + 1 >= stop) return false;
      const high = HEX[buf[pos]!]!;
      const low = HEX[buf[pos + 1]!]!;
      if (high < 0 || low < 0) return false;
      if (pos + 2 < stop && buf[pos + 2] !== COMMA && buf[pos + 2] !== SPACE) return false;
      const byte = (high << 4) | low;
      if (i < 4) lo |= byte << (8 * i);
      else hi |= byte << (8 * (i - 4));
      pos += 2;
    }
    this.pos = pos;
    this.hi = hi >>> 0;
    this.lo = lo >>> 0;
    return true;
  }
}
