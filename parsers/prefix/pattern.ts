/**
 * What stands before the event in lines of one's own program, as a pattern: `[%cpu] %comm/%tid %nsecs: `. Worked out over
 * the head of a trace (infer.ts), or given with --prefix.
 *
 *     %cpu %pid %tid %tgid     numbers; pid and tgid are the thread group, tid the thread, as bpftrace calls them
 *     %comm                    a task's name, which may hold blanks; once
 *     %nsecs                   the time as one number; %ticks: a number without a known unit
 *     %usecs %msecs %secs      with a fraction or without
 *     %clock                   a time of day: 14:03:01 or 14:03:01.000030
 *     %*                       any word;   %%  a percent sign
 *
 * Blanks stand for one or more; anything else for itself.
 */

import {
  ascii,
  COLON,
  COMMA,
  decimal,
  DOT,
  EQUALS,
  isDigit,
  MINUS,
  skipDigits,
  SPACE,
  startsWith,
  TAB,
  UNDERSCORE,
} from '../bytes.js';

export type Unit = 'ns' | 'us' | 'ms' | 's' | 'clock' | 'unknown';
type Field = 'cpu' | 'pid' | 'tid' | 'comm' | 'time' | 'skip';
type Element = {literal: Uint8Array} | {blank: true} | {field: Field};

const FIELDS: Record<string, {field: Field; unit?: Unit}> = {
  cpu: {field: 'cpu'},
  pid: {field: 'pid'},
  tgid: {field: 'pid'},
  tid: {field: 'tid'},
  comm: {field: 'comm'},
  nsecs: {field: 'time', unit: 'ns'},
  usecs: {field: 'time', unit: 'us'},
  msecs: {field: 'time', unit: 'ms'},
  secs: {field: 'time', unit: 's'},
  clock: {field: 'time', unit: 'clock'},
  ticks: {field: 'time', unit: 'unknown'},
};
const NAMES = Object.keys(FIELDS).map((name) => `%${name}`);

/** A comm is at most 15 bytes (TASK_COMM_LEN 16); one that is padded takes 16. */
const COMM_PADDED = 16;

/** What a `--prefix` is refused for, in words. */
export class PatternError extends Error {}

export class Pattern {
  // of the line that matched last
  commStart = 0;
  commEnd = 0;
  cpu = -1;
  /** the thread; -1 where only its group is known, or nothing */
  tid = -1;
  /** the thread group */
  pid = -1;
  timeStart = 0;
  timeEnd = 0;
  /** where what follows the prefix begins */
  body = 0;

  private constructor(
    readonly text: string,
    private readonly elements: readonly Element[],
    /** of its time; undefined where it has none */
    readonly unit: Unit | undefined,
    /** it names nothing: what stands there is skipped, whatever the lines are */
    readonly skips: boolean,
  ) {}

  /** Throws PatternError for a pattern that cannot be one. */
  static parse(text: string): Pattern {
    const elements: Element[] = [];
    const seen = new Set<Field>();
    let unit: Unit | undefined;
    // a field, a percent sign, blanks, one other character
    for (const [part, name] of text.matchAll(/%(?:([a-z]+)|\*|%)|[ \t]+|[^]/gu)) {
      if (part === '%%') elements.push({literal: ascii('%')});
      else if (part === '%*') elements.push({field: 'skip'});
      else if (part.startsWith('%')) {
        const known = name === undefined ? undefined : FIELDS[name];
        if (!known) throw new PatternError(`${part} is no field; there are ${NAMES.join(' ')} %* %%`);
        if (seen.has(known.field)) throw new PatternError(`${part} stands there for the second time`);
        seen.add(known.field);
        unit = known.unit ?? unit;
        elements.push({field: known.field});
      } else if (part.trim() === '') elements.push({blank: true});
      else elements.push({literal: ascii(part)});
    }
    if (seen.size === 0 && !elements.some((e) => 'field' in e)) {
      throw new PatternError(`there is no field in it; fields are ${NAMES.join(' ')} %*`);
    }
    return new Pattern(text, elements, unit, seen.size === 0);
  }

  /** Whether the line `buf[start..end)` begins so. */
  match(buf: Uint8Array, start: number, end: number): boolean {
    this.cpu = this.tid = this.pid = -1;
    this.commStart = this.commEnd = this.timeStart = this.timeEnd = 0;
    // blanks before a line are padding
    const pos = this.from(0, buf, blanks(buf, start, end), end);
    if (pos < 0) return false;
    this.body = this.skips ? pos : blanks(buf, pos, end);
    return true;
  }

  /** Matches from the element `at` on; answers where the prefix ends, or -1. */
  private from(at: number, buf: Uint8Array, pos: number, end: number): number {
    for (; at < this.elements.length; at++) {
      const element = this.elements[at]!;
      if ('literal' in element) {
        if (!startsWith(buf, pos, end, element.literal)) return -1;
        pos += element.literal.length;
        continue;
      }
      if ('blank' in element) {
        const next = blanks(buf, pos, end);
        // a pattern may begin with blanks, where lines lose theirs
        if (next === pos && at > 0 && next < end) return -1;
        pos = next;
        continue;
      }
      if (element.field === 'comm') return this.comm(at, buf, pos, end);
      pos = this.field(element.field, buf, pos, end);
      if (pos < 0) return -1;
    }
    return this.skips || nameFollows(buf, blanks(buf, pos, end), end) ? pos : -1;
  }

  /** A comm may hold blanks and what follows it: the longest after which the rest of the prefix stands. */
  private comm(at: number, buf: Uint8Array, pos: number, end: number): number {
    const start = blanks(buf, pos, end);
    for (let stop = Math.min(end, start + COMM_PADDED); stop > start; stop--) {
      // a name is no part of a comm that stands before it
      if (at + 1 === this.elements.length && stop < end && !isBlank(buf[stop]!)) continue;
      const body = this.from(at + 1, buf, stop, end);
      if (body < 0) continue;
      this.commStart = start;
      this.commEnd = stop;
      while (this.commEnd > start && isBlank(buf[this.commEnd - 1]!)) this.commEnd--;
      return body;
    }
    return -1;
  }

  private field(field: Field, buf: Uint8Array, pos: number, end: number): number {
    pos = blanks(buf, pos, end);
    if (field === 'skip') {
      const stop = word(buf, pos, end);
      return stop > pos ? stop : -1;
    }
    if (field === 'time') {
      const stop = this.unit === 'clock' ? clockEnd(buf, pos, end) : numberEnd(buf, pos, end, this.unit !== 'ns');
      if (stop < 0) return -1;
      this.timeStart = pos;
      this.timeEnd = stop;
      return stop;
    }
    // perf and bpftrace print -1 for a task that is gone
    const digits = buf[pos] === MINUS ? pos + 1 : pos;
    const stop = skipDigits(buf, digits, end);
    if (stop === digits || stop - digits > 10) return -1;
    this[field as 'cpu' | 'pid' | 'tid'] = digits > pos ? -1 : decimal(buf, digits, stop);
    return stop;
  }
}

/** Whether the name of an event is at `pos`: a word that pairs follow, or nothing. */
function nameFollows(buf: Uint8Array, pos: number, end: number): boolean {
  const stop = word(buf, pos, end);
  for (let i = pos; i < stop; i++) {
    const c = buf[i]!;
    const letter = (c | 32) >= 97 && (c | 32) <= 122;
    if (!letter && c !== UNDERSCORE && (i === pos || (!isDigit(c) && c !== COLON && c !== DOT && c !== COMMA)))
      return false;
  }
  const next = blanks(buf, stop, end);
  const last = word(buf, next, end);
  const equals = buf.indexOf(EQUALS, next);
  return stop > pos && (next === end || (equals >= 0 && equals < last));
}

function isBlank(c: number): boolean {
  return c === SPACE || c === TAB;
}

function blanks(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && isBlank(buf[pos]!)) pos++;
  return pos;
}

function word(buf: Uint8Array, pos: number, end: number): number {
  while (pos < end && !isBlank(buf[pos]!)) pos++;
  return pos;
}

function numberEnd(buf: Uint8Array, pos: number, end: number, fraction: boolean): number {
  const stop = skipDigits(buf, pos, end);
  if (stop === pos || stop - pos > 20) return -1;
  if (!fraction || buf[stop] !== DOT || stop >= end) return stop;
  const last = skipDigits(buf, stop + 1, end);
  return last > stop + 1 && last - stop <= 10 ? last : -1;
}

/** `14:03:01`, `14:03:01.000030` */
function clockEnd(buf: Uint8Array, pos: number, end: number): number {
  if (pos + 8 > end) return -1;
  for (let i = 0; i < 8; i++) {
    const c = buf[pos + i]!;
    if (i % 3 === 2 ? c !== COLON : !isDigit(c)) return -1;
  }
  const stop = pos + 8;
  if (stop >= end || buf[stop] !== DOT) return stop;
  const last = skipDigits(buf, stop + 1, end);
  return last > stop + 1 && last - stop <= 10 ? last : -1;
}
