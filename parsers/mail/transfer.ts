/** Transfer encodings of mail bodies (RFC 2045), over bytes, a line at a time. */

import {EQUALS, HEX, SPACE, TAB, UNDERSCORE} from '../bytes.js';

const LETTER_D = 68;
const DIGIT_3 = 51;

/** RFC 2045: encoded lines have at most 76 characters, and encoders fill them but for an escape that does not fit. */
const SOFT_BREAK_WIDTHS = [72, 76] as const;

/**
 * Whether a line of a body that declares no encoding is quoted-printable all the same, as text pasted from a message's
 * source is: an encoded `=` (`=3D`) or a soft break where an encoder makes one, and no `=` that is neither.
 */
export function looksQuotedPrintable(buf: Uint8Array, start: number, end: number): boolean {
  let encoded = false;
  for (let i = start; i < end; i++) {
    if (buf[i] !== EQUALS) continue;
    if (i + 1 === end) {
      const width = end - start;
      // not a rule of equals signs, nor a pair whose value stands on the next line
      if (width >= SOFT_BREAK_WIDTHS[0] && width <= SOFT_BREAK_WIDTHS[1] && buf[i - 1] !== EQUALS && !endsInKey(buf, i))
        encoded = true;
      continue;
    }
    if (i + 2 >= end || !isUpperHex(buf[i + 1]!) || !isUpperHex(buf[i + 2]!)) return false;
    if (buf[i + 1] === DIGIT_3 && buf[i + 2] === LETTER_D) encoded = true;
  }
  return encoded;
}

/** ` pfn` before `i` */
function endsInKey(buf: Uint8Array, i: number): boolean {
  let pos = i;
  while (pos > 0 && ((buf[pos - 1]! >= 97 && buf[pos - 1]! <= 122) || buf[pos - 1] === UNDERSCORE)) pos--;
  return pos < i && i - pos <= MAX_KEY && pos > 0 && buf[pos - 1] === SPACE;
}

const MAX_KEY = 12;

function isUpperHex(c: number): boolean {
  return (c >= 48 && c <= 57) || (c >= 65 && c <= 70);
}

/** A text that grows to a bound and no further. */
export class Bounded {
  bytes = new Uint8Array(1024);
  length = 0;
  /** bytes did not fit */
  full = false;

  constructor(private readonly limit: number) {}

  clear(): void {
    this.length = 0;
    this.full = false;
  }

  add(byte: number): void {
    if (this.length >= this.limit) {
      this.full = true;
      return;
    }
    if (this.length === this.bytes.length) {
      const grown = new Uint8Array(Math.min(this.limit, 2 * this.length));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes[this.length++] = byte;
  }
}

/**
 * Adds the quoted-printable line `buf[start..end)` to `out`. Answers whether it ends in a soft break, so that the next
 * line goes on with it. What is no escape stays as it is.
 */
export function quotedPrintable(buf: Uint8Array, start: number, end: number, out: Bounded): boolean {
  // blanks at the end were added on the way
  while (end > start && (buf[end - 1] === SPACE || buf[end - 1] === TAB)) end--;
  for (let i = start; i < end; i++) {
    const c = buf[i]!;
    if (c !== EQUALS) {
      out.add(c);
      continue;
    }
    if (i + 1 === end) return true;
    const high = i + 2 < end ? HEX[buf[i + 1]!]! : -1;
    const low = i + 2 < end ? HEX[buf[i + 2]!]! : -1;
    if (high < 0 || low < 0) out.add(c);
    else {
      out.add((high << 4) | low);
      i += 2;
    }
  }
  return false;
}

const BASE64 = new Int8Array(256).fill(-1);
[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].forEach((c, i) => {
  BASE64[c.charCodeAt(0)] = i;
});

/** Base64 whose lines may end anywhere within a group. */
export class Base64 {
  private group = 0;
  private digits = 0;

  reset(): void {
    this.group = this.digits = 0;
  }

  /** Calls `byte` with each byte that `buf[start..end)` completes; other characters are skipped, as RFC 2045 asks. */
  decode(buf: Uint8Array, start: number, end: number, byte: (value: number) => void): void {
    for (let i = start; i < end; i++) {
      if (buf[i] === EQUALS) {
        this.pad(byte);
        continue;
      }
      const digit = BASE64[buf[i]!]!;
      if (digit < 0) continue;
      this.group = (this.group << 6) | digit;
      if (++this.digits < 4) continue;
      byte((this.group >> 16) & 255);
      byte((this.group >> 8) & 255);
      byte(this.group & 255);
      this.reset();
    }
  }

  private pad(byte: (value: number) => void): void {
    if (this.digits === 2) byte((this.group >> 4) & 255);
    else if (this.digits === 3) {
      byte((this.group >> 10) & 255);
      byte((this.group >> 2) & 255);
    }
    this.reset();
  }
}
