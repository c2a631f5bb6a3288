/**
 * Values of flags: text in, typed value out, or a UserError that says what would have been right.
 */
import {Pattern, PatternError} from '../../parsers/prefix/pattern.js';
import type {InodeChoice, Instant, KernelVersion, Range, TimeSpan} from '../base/selection.js';
import {UserError} from '../io/user-error.js';

/** A flag's value that cannot be read; `like` shows values that can. */
function wrong(flag: string, text: string, why: string, like: string): UserError {
  return new UserError(`--${flag} ${JSON.stringify(text)}: ${why}`, {next: `write it like ${like}`});
}

/** Splits `a,b,c`; empty elements are errors. */
export function parseList(flag: string, text: string, like: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw wrong(flag, text, 'an element of the list is empty', like);
  return items;
}

/** A whole number, decimal or 0x hex, that a double holds exactly; undefined when it is none. */
function wholeNumber(text: string): number | undefined {
  if (!/^(?:0x[0-9a-f]{1,14}|[0-9]{1,16})$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A list of numbers and ranges: `3,7-9,0x2fb0-0x2fbf`. */
export function parseRanges(flag: string, text: string, like: string): Range[] {
  return parseList(flag, text, like).map((item) => {
    const dash = item.indexOf('-', 1);
    const first = wholeNumber(dash < 0 ? item : item.slice(0, dash));
    const last = dash < 0 ? first : wholeNumber(item.slice(dash + 1));
    if (first === undefined || last === undefined) {
      const bareHex = /^[0-9a-f-]*[a-f][0-9a-f-]*$/i.test(item);
      throw wrong(flag, text, bareHex ? `${item} looks hexadecimal but lacks 0x` : `${item} is not a number`, like);
    }
    if (last < first) throw wrong(flag, text, `the range ${item} ends before it begins`, like);
    return {first, last};
  });
}

/** Keys of findings as a report prints them, or how they begin: `3f9a1c02,81c0`. */
export function parseKeys(flag: string, text: string): string[] {
  return parseList(flag, text, '3f9a1c02').map((key) => {
    const lower = key.toLowerCase();
    const place = /^F[0-9]{1,5}$/.test(key);
    if (/^[0-9a-f]{2,64}$/.test(lower) && !place) return lower;
    const why = place ? `${key} is a place in one report: findings are named by their keys` : `${key} is no key`;
    throw wrong(flag, text, why, '3f9a1c02, as reports print them');
  });
}

const UNIT_NS: Record<string, number> = {ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9};

/** A duration in ns: `1s`, `500ms`, `1.5us`, `2min`. The unit is needed: a bare number would be guessed wrong. */
export function parseDuration(flag: string, text: string): number {
  const like = '1s, 500ms or 20us';
  const match = /^([0-9]{1,12})(?:\.([0-9]{1,9}))?([a-z]+)$/.exec(text.trim());
  if (match === null) throw wrong(flag, text, /^[0-9.]+$/.test(text) ? 'the unit is missing' : 'not a duration', like);
  const scale = UNIT_NS[match[3] ?? ''];
  if (scale === undefined) throw wrong(flag, text, `unknown unit ${match[3]}`, like);
  const value_ns = Math.round(Number(`${match[1]}.${match[2] ?? '0'}`) * scale);
  if (!Number.isSafeInteger(value_ns)) throw wrong(flag, text, 'longer than any trace', like);
  return value_ns;
}

const TIME_LIKE =
  '12.345678,12.5 or 12.345678,+5ms or 10%,20% (either end may be left out), with times as the trace prints them';

function parseInstant(flag: string, whole: string, text: string): Instant | null {
  if (text === '') return null;
  // people copy the time with the colon that follows it in the trace
  const match = /^([0-9]{1,20})(?:\.([0-9]{1,9}))?:?$/.exec(text);
  if (match === null) throw wrong(flag, whole, `${text} is not a time`, TIME_LIKE);
  const [, seconds = '0', fraction] = match;
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt((fraction ?? '').padEnd(9, '0'));
  return {ns, ticks: fraction === undefined ? BigInt(seconds) : null};
}

/** `+5ms` behind a time. */
function after(flag: string, whole: string, from: Instant | null, length: string): Instant {
  if (from === null) throw wrong(flag, whole, `+${length} needs a time before it`, TIME_LIKE);
  return {ns: from.ns + BigInt(parseDuration(flag, length)), ticks: null};
}

/** `--time A,B` or `A,+DURATION`, exact to the ns whatever the uptime. */
export function parseTimeSpan(flag: string, text: string): TimeSpan {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length !== 2) throw wrong(flag, text, 'two times with a comma between them are needed', TIME_LIKE);
  const from = parseInstant(flag, text, parts[0] ?? '');
  const to = parts[1]?.startsWith('+')
    ? after(flag, text, from, parts[1].slice(1))
    : parseInstant(flag, text, parts[1] ?? '');
  if (from === null && to === null) throw wrong(flag, text, 'both ends are open', TIME_LIKE);
  if (from !== null && to !== null && to.ns < from.ns) throw wrong(flag, text, 'it ends before it begins', TIME_LIKE);
  return {from, to};
}

/** `[MAJOR:MINOR/]INODE`, as a list. Traces print inodes in hex (`ino 2a`), so 0x is taken too. */
export function parseInodes(flag: string, text: string): InodeChoice[] {
  const like = '1234, 0x4d2 or 254:0/1234';
  return parseList(flag, text, like).map((item) => {
    const match = /^(?:([0-9]{1,4}):([0-9]{1,7})\/)?(0x[0-9a-f]+|[0-9]+)$/i.exec(item);
    const ino = match === null ? undefined : wholeNumber(match[3] ?? '');
    if (match === null || ino === undefined) throw wrong(flag, text, `${item} is not an inode`, like);
    const devId = match[1] === undefined ? null : Number(match[1]) * 2 ** 20 + Number(match[2]);
    return {devId, ino};
  });
}

/** `6.12`, `6.1.0-31-amd64`: only major and minor count. */
export function parseKernel(flag: string, text: string): KernelVersion {
  const match = /^v?([0-9]{1,3})\.([0-9]{1,4})(?![0-9])/.exec(text);
  if (match === null) throw wrong(flag, text, 'not a kernel version', '6.12');
  return {major: Number(match[1]), minor: Number(match[2]), text};
}

/** A 64-bit address in hex, with or without 0x and `_` (as in `ffffea00_00000000`). */
export function parseAddress(flag: string, text: string): bigint {
  const digits = text.replace(/^0x/i, '').replaceAll('_', '');
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) throw wrong(flag, text, 'not an address', '0xffffea0000000000');
  return BigInt(`0x${digits}`);
}

/** A whole number between two bounds. */
export function parseInteger(flag: string, text: string, min: number, max: number): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw wrong(flag, text, `not a whole number from ${min} to ${max}`, String(Math.max(min, 1)));
  }
  return value;
}

/** One word of a closed list; a near miss is named. */
export function parseWord<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const exact = known.find((word) => word === text);
  if (exact !== undefined) return exact;
  const near = nearest(text, known);
  const next =
    near === undefined ? `one of: ${known.join(', ')}` : `did you mean ${near}? (one of: ${known.join(', ')})`;
  throw new UserError(`--${flag} ${JSON.stringify(text)} is not known`, {next});
}

/** The known word that `text` begins, or that is a typing slip (or a third of its length) away. */
export function nearest<T extends string>(text: string, known: readonly T[]): T | undefined {
  const typed = text.slice(0, 64).toLowerCase();
  const begun = known.find((word) => typed.length > 1 && word.startsWith(typed));
  if (begun !== undefined) return begun;
  let best: T | undefined;
  let bestDistance = Infinity;
  for (const word of known) {
    const distance = editDistance(typed, word.toLowerCase());
    if (distance < bestDistance && distance <= Math.max(1, Math.floor(word.length / 3))) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

/** Letters to change, add, leave out or swap with their neighbour, one row at a time. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({length: b.length + 1}, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const least = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      next.push(swapped ? Math.min(least, (before[j - 2] ?? 0) + 1) : least);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** A pattern of what stands before events; `from`: the form asked for, which has to be one of a program's own lines. */
export function parsePrefix(flag: string, text: string, from: string | undefined): Pattern {
  try {
    const pattern = Pattern.parse(text);
    if (!pattern.skips && from !== undefined && !from.startsWith('bpftrace')) {
      throw new UserError(`--${flag} names columns, and --from ${from} has columns of its own`, {
        next: 'write %* for what is to be skipped, or leave --from out',
      });
    }
    return pattern;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new UserError(`--${flag} ${JSON.stringify(text)}: ${error.message}`, {
      next: "write it like '[%cpu] %comm/%tid %nsecs: '",
    });
  }
}
