/**
 * Scanners over the bytes of a trace: numbers, byte search, names. Nothing here allocates or makes a string.
 *
 * Every scanner takes `(buf, pos, end)` and reads bytes in `[pos, end)`. Where a caller needs to know how far a number
 * went, `skipDigits`/`skipHex` say so; most values end at a blank that the caller has found already.
 */

export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SPACE = 32;
export const QUOTE = 34;
export const HASH = 35;
export const LPAREN = 40;
export const RPAREN = 41;
export const PLUS = 43;
export const COMMA = 44;
export const MINUS = 45;
export const DOT = 46;
export const SLASH = 47;
export const DIGIT_0 = 48;
export const DIGIT_9 = 57;
export const COLON = 58;
export const LESS = 60;
export const EQUALS = 61;
export const GREATER = 62;
export const LBRACKET = 91;
export const RBRACKET = 93;
export const UNDERSCORE = 95;
export const LBRACE = 123;
export const PIPE = 124;
export const RBRACE = 125;
export const LETTER_x = 120;

/** Value of a hexadecimal digit by byte, -1 for any other byte. */
export const HEX = new Int8Array(256).fill(-1);
for (let i = 0; i < 10; i++) HEX[DIGIT_0 + i] = i;
for (let i = 0; i < 6; i++) HEX[97 + i] = HEX[65 + i] = 10 + i;

const TWO_32 = 4294967296;

export function isDigit(c: number): boolean {
  return c >= DIGIT_0 && c <= DIGIT_9;
}

/** First position in `[pos, end)` that holds `byte`, or `end`. For short distances; long ones belong to `indexOf`. */
export function findByte(buf: Uint8Array, pos: number, end: number, byte: number): number {
  while (pos < end && buf[pos] !== byte) pos++;
  return pos;
}

export function skipSpaces(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && buf[pos] === SPACE) pos++;
  return pos;
}

/** Over blanks and tabs. */
export function skipBlanks(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && (buf[pos] === SPACE || buf[pos] === TAB)) pos++;
  return pos;
}

export function skipDigits(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && buf[pos]! >= DIGIT_0 && buf[pos]! <= DIGIT_9) pos++;
  return pos;
}

export function skipHex(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && HEX[buf[pos]!]! >= 0) pos++;
  return pos;
}

/** Decimal digits from `pos`, stopping at the first other byte; 0 when there is none. Exact below 2^53. */
export function decimal(buf: Uint8Array, pos: number, end: number): number {
  let value = 0;
  // nine digits fit 32 bits
  const short = pos + 9 < end ? pos + 9 : end;
  for (; pos < short; pos++) {
    const digit = buf[pos]! - DIGIT_0;
    if (digit < 0 || digit > 9) return value;
    value = (value * 10 + digit) | 0;
  }
  let long: number = value;
  for (; pos < end; pos++) {
    const digit = buf[pos]! - DIGIT_0;
    if (digit < 0 || digit > 9) break;
    long = long * 10 + digit;
  }
  return long;
}

/** Hexadecimal digits (without `0x`) from `pos`, stopping at the first other byte. Exact below 2^53. */
export function hex(buf: Uint8Array, pos: number, end: number): number {
  let value = 0;
  const short = pos + 7 < end ? pos + 7 : end;
  for (; pos < short; pos++) {
    const digit = HEX[buf[pos]!]!;
    if (digit < 0) return value;
    value = (value << 4) | digit;
  }
  for (; pos < end; pos++) {
    const digit = HEX[buf[pos]!]!;
    if (digit < 0) break;
    value = value * 16 + digit;
  }
  return value;
}

export function hasHexPrefix(buf: Uint8Array, pos: number, end: number): boolean {
  return pos + 2 < end && buf[pos] === DIGIT_0 && (buf[pos + 1]! | 32) === LETTER_x && HEX[buf[pos + 2]!]! >= 0;
}

/**
 * A number as kernels and tools print it: `0x1f`, `31`, `-31`. Bare digits are decimal, or hexadecimal where the
 * format string of the event has `%llx` without `0x` and the caller says so with `bareHex`.
 */
export function number(buf: Uint8Array, pos: number, end: number, bareHex = false): number {
  if (pos >= end) return 0;
  if (buf[pos] === MINUS) return -number(buf, pos + 1, end, bareHex);
  if (hasHexPrefix(buf, pos, end)) return hex(buf, pos + 2, end);
  return bareHex ? hex(buf, pos, end) : decimal(buf, pos, end);
}

/**
 * A signed 32-bit field, whatever printed it: `-1`, `0xffffffff` (the `fields` option of tracefs), `0xffffffffffffffff`
 * or `18446744073709551615` (a default-typed probe argument), `4294967295`.
 */
export function signed(buf: Uint8Array, pos: number, end: number): number {
  const value = number(buf, pos, end);
  if (value < 2147483648) return value;
  if (value < TWO_32) return value - TWO_32;
  if (value < 9223372036854775808) return value;
  // A double has lost the low bits of a number near 2^64: read those from the text.
  return hasHexPrefix(buf, pos, end) ? hexLow32(buf, pos + 2, end) | 0 : decimalLow32(buf, pos, end) | 0;
}

/** High 32 bits of the hexadecimal digits in `[pos, end)` (digits only, without `0x`). */
export function hexHigh32(buf: Uint8Array, pos: number, end: number): number {
  const stop = skipHex(buf, pos, end);
  return stop - pos <= 8 ? 0 : hexDigits(buf, stop - 16 > pos ? stop - 16 : pos, stop - 8);
}

/** Low 32 bits of the hexadecimal digits in `[pos, end)` (digits only, without `0x`). */
export function hexLow32(buf: Uint8Array, pos: number, end: number): number {
  const stop = skipHex(buf, pos, end);
  return hexDigits(buf, stop - 8 > pos ? stop - 8 : pos, stop);
}

/** At most 8 hexadecimal digits, known to be such, as an unsigned 32-bit number. */
export function hexDigits(buf: Uint8Array, pos: number, end: number): number {
  let value = 0;
  for (; pos < end; pos++) value = (value << 4) | HEX[buf[pos]!]!;
  return value >>> 0;
}

/** High 32 bits of a decimal number below 2^64. */
export function decimalHigh32(buf: Uint8Array, pos: number, end: number): number {
  let high = 0;
  let low = 0;
  for (; pos < end && isDigit(buf[pos]!); pos++) {
    low = low * 10 + (buf[pos]! - DIGIT_0);
    const carry = Math.floor(low / TWO_32);
    low -= carry * TWO_32;
    high = (high * 10 + carry) % TWO_32;
  }
  return high;
}

/** Low 32 bits of a decimal number. */
export function decimalLow32(buf: Uint8Array, pos: number, end: number): number {
  let low = 0;
  for (; pos < end && isDigit(buf[pos]!); pos++) low = (low * 10 + (buf[pos]! - DIGIT_0)) % TWO_32;
  return low;
}

/** Whether the bytes from `pos` are `text` (ASCII), all before `end`. */
export function startsWith(buf: Uint8Array, pos: number, end: number, text: Uint8Array): boolean {
  const length = text.length;
  if (pos + length > end) return false;
  for (let i = 0; i < length; i++) if (buf[pos + i] !== text[i]) return false;
  return true;
}

export function sameBytes(buf: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  return end - start === text.length && startsWith(buf, start, end, text);
}

/** Position of `text` in `[pos, end)`, or -1. */
export function find(buf: Uint8Array, pos: number, end: number, text: Uint8Array): number {
  const first = text[0];
  const last = end - text.length;
  for (; pos <= last; pos++) if (buf[pos] === first && startsWith(buf, pos, end, text)) return pos;
  return -1;
}

/** Hash of a name: one step a byte, so that a scanner can fold it while it looks for the end of the name. */
export function hashStep(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

export function hashBytes(buf: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = hashStep(hash, buf[i]!);
  return hash;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', {ignoreBOM: true});

export function ascii(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The bytes as a string; broken UTF-8 becomes U+FFFD. Only for what is kept. */
export function text(buf: Uint8Array, start: number, end: number): string {
  return decoder.decode(buf.subarray(start, end));
}

/** A copy that stays when the chunk is written again (`slice` of a Buffer would be a view). */
export function copyBytes(buf: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(buf.subarray(start, end));
}
