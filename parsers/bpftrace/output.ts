/**
 * What bpftrace prints besides a program's own lines (src/output.cpp, 0.11 to 0.24): maps at its end, histograms,
 * progress, diagnostics. None of it says anything about a page; all of it is recognised, so that what remains
 * unrecognised is worth a look.
 *
 *     Attaching 26 probes...                    Attached 26 probes
 *     @live: 5                                  @pins[wl, 398]: 5
 *     @stacks[                                  @us[wl]:
 *         __gup_longterm_locked+0                [8, 16)           12 |@@@@@@@@@@          |
 *         pin_user_pages+94                      [16, 32)          41 |@@@@@@@@@@@@@@@@@@@@|
 *     ]: 5                                       (..., 0)           1 |                    |
 *     WARNING: Addrspace is not set             stdin:3:1-10: WARNING: ...
 *     { .pid = 398, .comm = wl }                (398, wl)                 print() of a structure, of a tuple
 *     10:11:12                                                            time()
 */

import {
  ascii,
  COLON,
  COMMA,
  find,
  isDigit,
  LBRACE,
  LBRACKET,
  LPAREN,
  PIPE,
  RBRACE,
  RBRACKET,
  RPAREN,
  skipSpaces,
  startsWith,
  text,
} from '../bytes.js';

const AT_SIGN = 64;
const CLOSE = ascii(']: ');
/** Frames of a stack that is a map's key */
const MAX_KEY_LINES = 1024;
/** A diagnostic says what it is in its first words. */
const LOOKED_AT = 200;

const PROGRESS = /^Attach(?:ing|ed) \d+ probes?(?:\.\.\.)?$/;
const DIAGNOSTIC = /^(?:[\w./-]+:\d+(?::\d+)?(?:-\d+(?::\d+)?)?: )?(?:WARNING|ERROR|INFO|HINT|DEBUG): /;
const CLOCK = /^\d\d:\d\d:\d\d$/;

/** A map printed over several lines. */
export class MapOutput {
  private within = false;
  private lines = 0;

  /** Whether the line belongs to the map that a line before began. */
  continues(buf: Uint8Array, start: number, end: number): boolean {
    if (!this.within) return false;
    if (++this.lines > MAX_KEY_LINES) {
      this.within = false;
      return false;
    }
    // `]: 5`, or `, wl]: 5` where the stack is one of several keys
    if (find(buf, start, end, CLOSE) >= 0 || buf[end - 1] === COLON) {
      this.within = false;
      return true;
    }
    const indented = skipSpaces(buf, start, end) > start || buf[start] === COMMA || start === end;
    this.within = indented;
    return indented;
  }

  /** Whether the line is a map or begins one. */
  begins(buf: Uint8Array, start: number, end: number): boolean {
    if (buf[start] !== AT_SIGN) return false;
    if (buf[end - 1] === LBRACKET || buf[end - 1] === COMMA) {
      this.within = true;
      this.lines = 0;
      return true;
    }
    return find(buf, start, end, COLON_BYTES) >= 0;
  }
}

const COLON_BYTES = ascii(':');
const OPEN_END = ascii('(...');

/** Whether a line is bpftrace's own, or a structure printed by it. */
export function isOutput(buf: Uint8Array, start: number, end: number): boolean {
  const first = buf[start]!;
  // a histogram's row: `[8, 16)   12 |@@@ |`
  const row = skipSpaces(buf, start, end);
  if ((buf[row] === LBRACKET || startsWith(buf, row, end, OPEN_END)) && buf[end - 1] === PIPE) return true;
  if (first === LBRACE) return buf[end - 1] === RBRACE;
  if (first === LPAREN) return buf[end - 1] === RPAREN;
  if (first === LBRACKET) return buf[end - 1] === RBRACKET;
  const head = text(buf, start, Math.min(end, start + LOOKED_AT));
  return PROGRESS.test(head) || DIAGNOSTIC.test(head) || (isDigit(first) && CLOCK.test(head));
}
