/**
 * The little of JSON that bpftrace's records need, over bytes: the members of one object in one line. Numbers are never
 * converted: a record's numbers are 64 bits wide, and none but a count of losses is read here.
 */

import {COMMA, COLON, HEX, LBRACE, LBRACKET, QUOTE, RBRACE, RBRACKET, SPACE, TAB, CR} from '../bytes.js';

const BACKSLASH = 92;

/** Walks the members of the object in `buf[pos..end)`. */
export class Members {
  keyStart = 0;
  keyEnd = 0;
  /** the value with its quotes or brackets */
  valueStart = 0;
  valueEnd = 0;
  private buf: Uint8Array = new Uint8Array(0);
  private pos = 0;
  private end = 0;
  private first = true;
  /** the object was not closed, or something stands after it */
  damaged = false;

  /** False if there is no object at `pos`. */
  open(buf: Uint8Array, pos: number, end: number): boolean {
    this.buf = buf;
    this.end = end;
    this.first = true;
    this.damaged = false;
    this.pos = this.blank(pos);
    if (this.pos >= end || buf[this.pos] !== LBRACE) return false;
    this.pos++;
    return true;
  }

  /** Goes to the next member. False at the end of the object, or where it is damaged. */
  next(): boolean {
    const {buf, end} = this;
    let pos = this.blank(this.pos);
    if (pos < end && buf[pos] === RBRACE) {
      this.damaged = this.blank(pos + 1) !== end;
      return false;
    }
    if (!this.first) {
      if (pos >= end || buf[pos] !== COMMA) return this.fail();
      pos = this.blank(pos + 1);
    }
    this.first = false;
    const keyStop = stringEnd(buf, pos, end);
    if (keyStop < 0) return this.fail();
    this.keyStart = pos + 1;
    this.keyEnd = keyStop - 1;
    pos = this.blank(keyStop);
    if (pos >= end || buf[pos] !== COLON) return this.fail();
    pos = this.blank(pos + 1);
    this.valueStart = pos;
    pos = valueEnd(buf, pos, end);
    if (pos < 0) return this.fail();
    this.valueEnd = this.pos = pos;
    return true;
  }

  private fail(): false {
    this.damaged = true;
    return false;
  }

  private blank(pos: number): number {
    const {buf, end} = this;
    while (pos < end && (buf[pos] === SPACE || buf[pos] === TAB || buf[pos] === CR)) pos++;
    return pos;
  }
}

/** After the string's closing quote; -1 if there is no whole string at `pos`. */
function stringEnd(buf: Uint8Array, pos: number, end: number): number {
  if (pos >= end || buf[pos] !== QUOTE) return -1;
  for (pos++; pos < end; pos++) {
    const c = buf[pos]!;
    if (c === QUOTE) return pos + 1;
    if (c === BACKSLASH) pos++;
  }
  return -1;
}

/** After the value at `pos`; -1 if it is not whole. Brackets are counted, not matched: a map's content is not read. */
function valueEnd(buf: Uint8Array, pos: number, end: number): number {
  if (pos >= end) return -1;
  const first = buf[pos]!;
  if (first === QUOTE) return stringEnd(buf, pos, end);
  if (first !== LBRACE && first !== LBRACKET) {
    const start = pos;
    while (pos < end && buf[pos] !== COMMA && buf[pos] !== RBRACE && buf[pos]! > SPACE) pos++;
    return pos > start ? pos : -1;
  }
  let depth = 0;
  while (pos < end) {
    const c = buf[pos]!;
    if (c === QUOTE) {
      pos = stringEnd(buf, pos, end);
      if (pos < 0) return -1;
      continue;
    }
    if (c === LBRACE || c === LBRACKET) depth++;
    else if ((c === RBRACE || c === RBRACKET) && --depth === 0) return pos + 1;
    pos++;
  }
  return -1;
}

/** Whether the string `[start, end)` (without its quotes) has no escape before its last two bytes, and those are `\n`. */
export function isPlainLine(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 || buf[end - 2] !== BACKSLASH || buf[end - 1] !== LETTER_n) return false;
  const escape = buf.indexOf(BACKSLASH, start);
  return escape === end - 2;
}

const LETTER_n = 110;

/**
 * Writes the string `[start, end)` (without its quotes) to `out` at `at`, escapes resolved, and answers where it ends
 * there. `out` has room for `end - start` bytes: an escape is never shorter than what it stands for. An escape that JSON
 * does not know is kept as it stands.
 */
export function unescape(buf: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let pos = start;
  while (pos < end) {
    const c = buf[pos]!;
    if (c !== BACKSLASH || pos + 1 >= end) {
      out[at++] = c;
      pos++;
      continue;
    }
    const next = buf[pos + 1]!;
    if (next === LETTER_u) {
      let code = codeUnit(buf, pos, end);
      if (code >= 0) {
        pos += 6;
        if (code >= 0xd800 && code < 0xdc00) {
          const low = codeUnit(buf, pos, end);
          if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            pos += 6;
          } else code = 0xfffd;
        } else if (code >= 0xdc00 && code < 0xe000) code = 0xfffd;
        at = utf8(code, out, at);
        continue;
      }
    }
    const plain = next < 128 ? ESCAPES[next]! : 0;
    if (plain > 0) {
      out[at++] = plain;
      pos += 2;
    } else {
      out[at++] = c;
      pos++;
    }
  }
  return at;
}

const LETTER_u = 117;
const ESCAPES = new Uint8Array(128);
for (const [from, to] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  ESCAPES[from!.charCodeAt(0)] = to!.charCodeAt(0);
}

/** The code unit of `\u1f60` at `pos`, or -1. */
function codeUnit(buf: Uint8Array, pos: number, end: number): number {
  if (pos + 6 > end || buf[pos] !== BACKSLASH || buf[pos + 1] !== LETTER_u) return -1;
  let code = 0;
  for (let i = pos + 2; i < pos + 6; i++) {
    const digit = HEX[buf[i]!]!;
    if (digit < 0) return -1;
    code = (code << 4) | digit;
  }
  return code;
}

function utf8(code: number, out: Uint8Array, at: number): number {
  if (code < 0x80) out[at++] = code;
  else if (code < 0x800) {
    out[at++] = 0xc0 | (code >> 6);
    out[at++] = 0x80 | (code & 63);
  } else if (code < 0x10000) {
    out[at++] = 0xe0 | (code >> 12);
    out[at++] = 0x80 | ((code >> 6) & 63);
    out[at++] = 0x80 | (code & 63);
  } else {
    out[at++] = 0xf0 | (code >> 18);
    out[at++] = 0x80 | ((code >> 12) & 63);
    out[at++] = 0x80 | ((code >> 6) & 63);
    out[at++] = 0x80 | (code & 63);
  }
  return at;
}
