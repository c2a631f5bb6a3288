/** Lines of a style (style.ts) as lines of the schema. */

import {ascii, LBRACE, SPACE, text} from '../bytes.js';
import {MAX_LENGTH, Parter, type Parts, type Role, roleOf} from './parter.js';
import type {Style} from './style.js';

/** Writes lines of a style as lines of the schema. */
export class Restyler {
  /** what was written, from 0 to what `rewrite` answers */
  out = new Uint8Array(4096);
  private readonly parter: Parter;
  private readonly blank = new Parter(SPACE);
  private day = 0;
  private lastSecond = -1;

  constructor(private readonly style: Style) {
    this.parter = new Parter(style.separator);
  }

  /** Writes `buf[start..end)` anew behind `keep` bytes. Answers where it ends, or -1 if the line is no event of the style. */
  rewrite(buf: Uint8Array, start: number, end: number, keep: number): number {
    if (end - start > MAX_LENGTH) return -1;
    const {style} = this;
    const parts = this.parts(buf, start, end);
    if (!parts) return -1;
    const {fields, payload, name} = parts;
    let line = '';
    const time = this.time(fields.time);
    if (style.unit !== undefined && time === undefined) return -1;
    if (time !== undefined) line += `${time} `;
    for (const key of ['cpu', 'pid', 'tid'] as const) {
      const value = fields[key];
      if (value !== undefined && /^\d{1,10}$/.test(value)) line += `${key}=${value} `;
    }
    if (fields.comm !== undefined && fields.comm !== '') line += `comm=${fields.comm.slice(0, 64)} `;
    const bytes = Buffer.from(`${line}${name} ${payload}`, 'utf8');
    if (this.out.length < keep + bytes.length) {
      const grown = new Uint8Array(2 * (keep + bytes.length));
      grown.set(this.out.subarray(0, keep));
      this.out = grown;
    }
    this.out.set(bytes, keep);
    return keep + bytes.length;
  }

  private parts(
    buf: Uint8Array,
    start: number,
    end: number,
  ): {fields: Partial<Record<Role, string>>; payload: string; name: string} | undefined {
    const {style, parter} = this;
    const {pattern} = style;
    const fields: Partial<Record<Role, string>> = {};
    let found: Parts | undefined;
    if (style.kind === 'json') found = buf[start] === LBRACE ? parter.json(buf, start, end) : undefined;
    else {
      if (!pattern) found = parter.line(text(buf, start, end), style.headings);
      else {
        // words as they were when the pattern was worked out: one blank between them
        const plain = ascii(parter.words(text(buf, start, end)).join(' '));
        if (!pattern.match(plain, 0, plain.length)) return undefined;
        if (pattern.timeEnd > pattern.timeStart) fields.time = text(plain, pattern.timeStart, pattern.timeEnd);
        if (pattern.cpu >= 0) fields.cpu = String(pattern.cpu);
        if (pattern.pid >= 0) fields.pid = String(pattern.pid);
        if (pattern.tid >= 0) fields.tid = String(pattern.tid);
        if (pattern.commEnd > pattern.commStart) fields.comm = text(plain, pattern.commStart, pattern.commEnd);
        const rest = text(plain, pattern.body, plain.length);
        found = this.blank.line(rest) ?? unknownName(rest);
      }
      // the name follows what stands before it at once
      if (pattern && found && found.words.length > 0) return undefined;
    }
    if (!found) return undefined;
    const payload: string[] = [];
    for (const [key, value] of found.pairs) {
      const role = roleOf(key);
      if (role !== undefined && role !== 'name' && fields[role] === undefined) fields[role] = value;
      else payload.push(`${key}=${value}`);
    }
    const {trailing} = found;
    if (style.last)
      fields.time ??= trailing
        .pop()
        ?.replace(/^[[(<#@]/, '')
        .replace(/[\])>]?[:,;)]?$/, '');
    return {fields, payload: [...payload, ...trailing].join(' '), name: found.name};
  }

  /** The time as the schema prints it: nanoseconds, or the number as it is where its unit is not known. */
  private time(value: string | undefined): string | undefined {
    const {unit} = this.style;
    if (unit === undefined || value === undefined) return undefined;
    if (unit === 'clock') return this.clock(value);
    const m = /^(\d{1,20})(?:\.(\d{1,9}))?$/.exec(value);
    if (!m) return undefined;
    const [, whole = '', fraction] = m;
    switch (unit) {
      case 's':
        return `${whole}.${fraction ?? '0'}`;
      case 'us':
        return inNs(whole, fraction, 3);
      case 'ms':
        return inNs(whole, fraction, 6);
      case 'unknown':
        // in steps of whatever its last digit is
        return fraction === undefined ? whole : inNs(whole, fraction, 9);
      default:
        return whole;
    }
  }

  /** Seconds since the midnight before the first line: a day ends where the time of day goes back by half of one. */
  private clock(value: string): string | undefined {
    const m = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?$/.exec(value);
    if (!m) return undefined;
    const second = Number(m[1]) * 3600 + Number(m[2]) * 60 + Number(m[3]);
    if (this.lastSecond - second > 43_200) this.day++;
    this.lastSecond = second;
    return `${this.day * 86_400 + second}.${m[4] ?? '0'}`;
  }
}

/** A number with a fraction, `digits` places of which make it nanoseconds. */
function inNs(whole: string, fraction: string | undefined, digits: number): string {
  return whole + (fraction ?? '').slice(0, digits).padEnd(digits, '0');
}

/** An event whose name nobody decodes: counted by it. */
function unknownName(rest: string): Parts | undefined {
  const m = /^([A-Za-z_][\w.:]{1,127}?)[:,]?(?: +(.*))?$/.exec(rest);
  if (!m || (m[2] !== undefined && !/^[A-Za-z_]\w*=/.test(m[2]))) return undefined;
  return {words: [], pairs: [], name: m[1]!, trailing: m[2] === undefined ? [] : [m[2]]};
}
