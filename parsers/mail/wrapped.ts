/**
 * What mail programs do to lines: quote marks before them, no-break spaces, a break at column 72 to 80. A trace line is longer than
 * that, so most of those in mails are in pieces:
 *
 *     > > bash-101     [001] d..1.    17.012627: page_ref_mod_and_test: pfn=0x602c
 *     > > flags=none count=0 mapcount=-1 mapping=0000000000000000 mt=0 val=-1 ret=1
 */

import {
  ascii,
  COLON,
  COMMA,
  EQUALS,
  find,
  GREATER,
  hasHexPrefix,
  HEX,
  isDigit,
  LBRACKET,
  LETTER_x,
  LPAREN,
  MINUS,
  PIPE,
  RBRACE,
  RBRACKET,
  RPAREN,
  sameBytes,
  skipBlanks,
  SPACE,
  TAB,
  UNDERSCORE,
} from '../bytes.js';

/** Columns after which programs break lines; a line broken within a word is at least this long. */
const NARROWEST = 60;

/** Where the text of a line begins after its quote marks, and how many there are. */
export class Quote {
  depth = 0;
  body = 0;

  /** `> > text`, `>> text`, `>text` */
  parse(buf: Uint8Array, start: number, end: number): void {
    this.depth = 0;
    let pos = start;
    if (buf[pos] === SPACE && buf[pos + 1] === GREATER) pos++;
    while (pos < end && buf[pos] === GREATER) {
      this.depth++;
      pos++;
      if (pos + 1 < end && buf[pos] === SPACE && buf[pos + 1] === GREATER) pos++;
    }
    if (this.depth === 0) pos = start;
    else if (pos < end && buf[pos] === SPACE) pos++;
    this.body = pos;
  }
}

const NO_BREAK_SPACE = Uint8Array.of(0xc2, 0xa0);

/** A copy with no-break spaces, which mail programs put for blanks, as blanks; undefined where there are none. */
export function withBlanks(buf: Uint8Array, start: number, end: number): Uint8Array | undefined {
  if (find(buf, start, end, NO_BREAK_SPACE) < 0) return undefined;
  const bytes = new Uint8Array(end - start);
  let n = 0;
  for (let i = start; i < end; i++) {
    if (buf[i] === 0xc2 && buf[i + 1] === 0xa0 && i + 1 < end) {
      bytes[n++] = SPACE;
      i++;
    } else bytes[n++] = buf[i]!;
  }
  return bytes.slice(0, n);
}

/** How a line goes on with the one above it. */
export const Joint = {none: 0, blank: 1, nothing: 2} as const;

/**
 * Whether `buf[start..end)`, which is no event of its own, clearly completes the event line `above[0..length)`: it is made
 * of `key=value` pairs, maybe after the rest of a word that the break cut. `width` is the length of the last piece above,
 * quote marks included.
 */
export function joint(
  above: Uint8Array,
  length: number,
  width: number,
  buf: Uint8Array,
  start: number,
  end: number,
): number {
  const pos = skipBlanks(buf, start, end);
  if (pos >= end) return Joint.none;
  const last = lastWord(above, length);
  // `dma_map_page:` `pinbug.0 dir=BIDIRECTIONAL ...`: a name, and nothing of its payload yet
  if (above[length - 1] === COLON && (buf[pos] === LPAREN || hasPair(buf, pos, end))) return Joint.blank;
  if (inList(above, length)) {
    const stop = listEnd(buf, pos, end);
    if (skipBlanks(buf, stop, end) === end || (stop > pos && pairs(buf, stop, end) > 0)) return Joint.blank;
  }
  const closed = inBracket(above, length) ? after(buf, pos, end, RPAREN) : -1;
  // `(dopin+0x2e/0x70 [pinbug] <-` `pin_user_pages_fast) ret=2`
  if (closed >= 0 && (skipBlanks(buf, closed, end) === end || pairs(buf, closed, end) > 0)) return Joint.blank;
  let first = wordEnd(buf, pos, end);
  if (isPair(buf, pos, first)) return pairs(buf, pos, end) > 0 ? Joint.blank : Joint.none;
  const tail = isTail(buf, pos, first);
  let rest = skipBlanks(buf, first, end);
  if (rest >= end) {
    // `val=-10` `24`: a number cut in two, where a break is to be expected
    return width >= NARROWEST && isPair(above, last, length) && tail ? Joint.nothing : Joint.none;
  }
  // `mapping=00000000` `80e8c0cc mt=1 val=1`
  if (tail && isPair(above, last, length) && pairs(buf, rest, end) > 0) return Joint.nothing;
  // `dev 0:27` `ino 35a1ad pfn=0x2fc1`, `bdi` `259:0: ino=12`
  let at = pos;
  for (let words = 0; words < PLAIN_WORDS; words++) {
    if (!isPlainValue(buf, at, first)) return Joint.none;
    if (pairs(buf, rest, end) > 0) return Joint.blank;
    at = rest;
    first = wordEnd(buf, at, end);
    rest = skipBlanks(buf, first, end);
  }
  return Joint.none;
}

/** Whether the brackets of a probe's place are still open at the end of a line. */
function inBracket(buf: Uint8Array, length: number): boolean {
  for (let i = length - 1; i >= 0; i--) {
    if (buf[i] === RPAREN) return false;
    if (buf[i] === LPAREN) return buf[i - 1] === SPACE && buf[i - 2] === COLON;
  }
  return false;
}

/** Whether a list is open at the end of a line: `addrs=ARRAY[00, 90, c7,` as perf and trace-cmd print what they cannot. */
function inList(buf: Uint8Array, length: number, start = 0): boolean {
  if (buf[length - 1] !== COMMA) return false;
  for (let i = length - 1; i >= start; i--) {
    if (buf[i] === RBRACKET || buf[i] === EQUALS) return false;
    if (buf[i] === LBRACKET) return true;
  }
  return false;
}

/** Where a list's rest ends: after its bracket, at the end of the line; `pos` where anything else stands. */
function listEnd(buf: Uint8Array, pos: number, end: number): number {
  for (let i = pos; i < end; i++) {
    const c = buf[i]!;
    if (c === RBRACKET) return i + 1;
    if (HEX[c]! < 0 && c !== COMMA && c !== SPACE) return pos;
  }
  return end;
}

/** The place after the next `byte`, or -1. */
function after(buf: Uint8Array, pos: number, end: number, byte: number): number {
  while (pos < end && buf[pos] !== byte) pos++;
  return pos < end ? pos + 1 : -1;
}

/** Most words without `=` before the pairs of an event: `dev 0:27 ino 35a1ad pfn=` */
const PLAIN_WORDS = 4;
const INO = ascii('ino');

/** `0:27`, `35a1ad`, `ino`, the dash in a range of addresses */
function isPlainValue(buf: Uint8Array, start: number, end: number): boolean {
  if (sameBytes(buf, start, end, INO)) return true;
  if (end - start === 1 && buf[start] === MINUS) return true;
  const digits = hasHexPrefix(buf, start, end) ? start + 2 : start;
  for (let i = digits; i < end; i++) if (HEX[buf[i]!]! < 0 && buf[i] !== COLON) return false;
  return end > start;
}

/** How many pairs the line is made of; 0 if it is made of anything else, too. */
export function pairs(buf: Uint8Array, start: number, end: number): number {
  let n = 0;
  for (let pos = skipBlanks(buf, start, end); pos < end;) {
    let stop = wordEnd(buf, pos, end);
    // `[TRUNCATED]` of dma_map_sg; `(null)` of old kernels' mapping
    if (isPair(buf, pos, stop)) {
      n++;
      if (inList(buf, stop, pos)) stop = listEnd(buf, stop, end);
    } else if (n === 0 || (buf[pos] !== LPAREN && buf[pos] !== LBRACKET)) return 0;
    pos = skipBlanks(buf, stop, end);
  }
  return n;
}

/** Whether any word of the line is a pair. */
function hasPair(buf: Uint8Array, start: number, end: number): boolean {
  for (let pos = start; pos < end;) {
    const stop = wordEnd(buf, pos, end);
    if (isPair(buf, pos, stop)) return true;
    pos = skipBlanks(buf, stop, end);
  }
  return false;
}

/** Whether the first word of a line is one with a colon, as the name of an event that stands on a line of its own. */
export function beginsWithName(buf: Uint8Array, start: number, end: number): boolean {
  const pos = skipBlanks(buf, start, end);
  const stop = wordEnd(buf, pos, end);
  if (stop - pos < 4 || buf[stop - 1] !== COLON) return false;
  for (let i = pos; i < stop - 1; i++) if (!isKeyByte(buf[i]!) && buf[i] !== COLON) return false;
  return true;
}

/** `key=value`, `key=` */
function isPair(buf: Uint8Array, start: number, end: number): boolean {
  let pos = start;
  while (pos < end && isKeyByte(buf[pos]!)) pos++;
  return pos > start && pos < end && buf[pos] === EQUALS && !isDigit(buf[start]!);
}

function isKeyByte(c: number): boolean {
  return (c >= 97 && c <= 122) || isDigit(c) || c === UNDERSCORE;
}

/** The rest of a value: digits, or flags and such between bars */
function isTail(buf: Uint8Array, start: number, end: number): boolean {
  let hex = true;
  let bars = false;
  for (let i = start; i < end; i++) {
    const c = buf[i]!;
    if (HEX[c]! < 0 && c !== LETTER_x) hex = false;
    if (c === PIPE || c === UNDERSCORE || c === RBRACE || c === COMMA) bars = true;
    else if (!isKeyByte(c) && (c < 65 || c > 90)) return false;
  }
  return end > start && (hex || bars);
}

function lastWord(buf: Uint8Array, end: number): number {
  let pos = end;
  while (pos > 0 && buf[pos - 1] !== SPACE && buf[pos - 1] !== TAB) pos--;
  return pos;
}

function wordEnd(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && buf[pos] !== SPACE && buf[pos] !== TAB) pos++;
  return pos;
}
