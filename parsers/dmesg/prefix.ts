/**
 * What logs put before a line of the kernel's log buffer:
 *
 *     [   12.345678] text                                  dmesg, serial console (printk.time=1)
 *     [   12.345678][  T123] text                          CONFIG_PRINTK_CALLER: task or CPU (`C1`)
 *     <4>[   12.345678] text                               dmesg -r, pstore
 *     kern  :warn  : [   12.345678] text                   dmesg -x
 *     [Sat Nov 22 10:00:00 2025] text                      dmesg -T;  `[  +0.000005] ` -d,  `[Nov22 10:00] ` -H
 *     4,416,1758426,-;text                                 /dev/kmsg, netconsole
 *     Nov 22 10:00:00 host kernel: [   12.345678] text     syslog, journalctl -k (no brackets there)
 *     2025-11-22T10:00:00.123456+00:00 host kernel: text   the same with ISO times
 *     [   12.345678] host kernel: text                     journalctl -k -o short-monotonic
 */

import {
  ascii,
  COLON,
  COMMA,
  find,
  GREATER,
  isDigit,
  LBRACKET,
  LESS,
  RBRACKET,
  skipDigits,
  skipSpaces,
  SPACE,
  startsWith,
} from '../bytes.js';

const KERNEL = ascii(' kernel: ');
const KERNEL_TIGHT = ascii(' kernel:[');
/** A syslog's time and host name are not longer. */
const MAX_SYSLOG = 128;
/** `[Sat Nov 22 10:00:00 2025]` and shorter */
const MAX_BRACKET = 40;
/** Time, caller; some consoles add their own time before both. */
const MAX_BRACKETS = 3;
const SEMICOLON = 59;
const POINT = ascii('.');

/** Where the text of the log line `buf[start..end)` begins; `start` if nothing is before it. */
export function afterPrefix(buf: Uint8Array, start: number, end: number): number {
  const indent = skipSpaces(buf, start, end);
  // a log that is indented; `   [001] ` is the CPU of an event
  if (indent > start) return isStamped(buf, indent, end) ? afterPrefix(buf, indent, end) : start;
  let pos = syslog(buf, start, end);
  pos = kmsg(buf, pos, end);
  pos = level(buf, pos, end);
  pos = facility(buf, pos, end);
  for (let i = 0; i < MAX_BRACKETS; i++) {
    const next = bracket(buf, pos, end);
    if (next === pos) return pos;
    pos = next;
    // one blank ends the prefix, what follows belongs to the text
    if (pos >= end || buf[pos] === SPACE) return sender(buf, Math.min(pos + 1, end), end);
  }
  return pos;
}

/** `[   12.345678]` */
function isStamped(buf: Uint8Array, start: number, end: number): boolean {
  const stop = bracket(buf, start, end);
  return stop > start && find(buf, start, stop, POINT) >= 0;
}

/** `Nov 22 10:00:00 host kernel: ` */
function syslog(buf: Uint8Array, start: number, end: number): number {
  const first = start < end ? buf[start]! : 0;
  const letter = (first | 32) >= 97 && (first | 32) <= 122;
  if (!letter && !isDigit(first)) return start;
  const limit = Math.min(end, start + MAX_SYSLOG);
  const at = find(buf, start, limit, KERNEL);
  if (at >= 0) return at + KERNEL.length;
  const tight = find(buf, start, limit, KERNEL_TIGHT);
  return tight >= 0 ? tight + KERNEL_TIGHT.length - 1 : start;
}

/** `host kernel: `: no event begins with a word and that. Answers where what follows begins, or `start`. */
function sender(buf: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end, start + MAX_SYSLOG);
  let pos = start;
  while (pos < limit && buf[pos] !== SPACE) pos++;
  return pos > start && startsWith(buf, pos, end, KERNEL) ? pos + KERNEL.length : start;
}

/** `4,416,1758426,-;` */
function kmsg(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  for (let i = 0; i < 3; i++) {
    const stop = skipDigits(buf, pos, end);
    if (stop === pos || stop >= end || buf[stop] !== COMMA) return start;
    pos = stop + 1;
  }
  const limit = Math.min(end, pos + MAX_BRACKET);
  while (pos < limit && buf[pos] !== SEMICOLON && buf[pos] !== SPACE) pos++;
  return pos < limit && buf[pos] === SEMICOLON ? pos + 1 : start;
}

/** `<4>` */
function level(buf: Uint8Array, start: number, end: number): number {
  if (start >= end || buf[start] !== LESS) return start;
  const stop = skipDigits(buf, start + 1, end);
  return stop > start + 1 && stop - start <= 4 && buf[stop] === GREATER ? stop + 1 : start;
}

/** `kern  :warn  : ` */
function facility(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  for (let i = 0; i < 2; i++) {
    const word = pos;
    while (pos < end && buf[pos]! >= 97 && buf[pos]! <= 122) pos++;
    if (pos === word || pos - word > 8) return start;
    pos = skipSpaces(buf, pos, end);
    if (pos >= end || buf[pos] !== COLON) return start;
    pos++;
  }
  return pos < end && buf[pos] === SPACE ? pos + 1 : start;
}

/** `[   12.345678]`, `[  T123]`: answers where what follows begins, or `start`. */
function bracket(buf: Uint8Array, start: number, end: number): number {
  if (start >= end || buf[start] !== LBRACKET) return start;
  const limit = Math.min(end, start + MAX_BRACKET);
  let digits = 0;
  let pos = start + 1;
  for (; pos < limit && buf[pos] !== RBRACKET; pos++) {
    const c = buf[pos]!;
    if (isDigit(c)) digits++;
    else if (!isStamp(c)) return start;
  }
  return pos < limit && digits > 0 ? pos + 1 : start;
}

/** Bytes of a time or a caller: letters, `.`, `:`, `+`, `-`, blanks */
function isStamp(c: number): boolean {
  return c === SPACE || c === 46 || c === COLON || c === 43 || c === 45 || ((c | 32) >= 97 && (c | 32) <= 122);
}
