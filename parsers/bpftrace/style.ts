/**
 * The lines of bpftrace programs that print in a style of their own, made into those of the documented schema:
 *
 *     [0] app/500 61000030000: gup_put_folio pfn=0x2a00          columns: which is what, is worked out (prefix/infer.ts)
 *     app-500 [000] 61.000030: gup_put_folio: pfn=0x2a00         like ftrace, without `(symbol+0x0/0x90)`
 *     14:03:01.000030 app 500 kprobe:gup_put_folio pfn=0x2a00    strftime(), the builtin probe
 *     gup_put_folio t=61000030000 cpu=0 pid=500 comm=app pfn=..  pairs, in any order
 *     app 500 gup_put_folio pfn=0x2a00 61000030000               the time last
 *     61000030000,0,500,app,gup_put_folio,pfn=0x2a00             commas, semicolons, bars, tabs; with a line of headings
 *     {"ts":61000030000,"ev":"gup_put_folio","pfn":"0x2a00"}     JSON by hand
 *     gup_put_folio: pfn: 0x2a00, refs: 1                        colons for equals signs
 */

import {ascii, COMMA, hashBytes, LBRACE, QUOTE, SPACE, TAB, text} from '../bytes.js';
import {EventTable, type EventEntry} from '../events/table.js';
import {infer, type Sample, unitOfKey} from '../prefix/infer.js';
import type {Pattern, Unit} from '../prefix/pattern.js';
import {type Timed, unitOf} from '../prefix/unit.js';
import {payloadOf} from './events.js';
import {Members} from './json.js';

/** Lines longer than this are of no style. */
const MAX_LENGTH = 4096;
/** Words of a line that are looked at. */
const MAX_WORDS = 64;
const MAX_CELLS = 64;

type Role = 'time' | 'cpu' | 'pid' | 'tid' | 'comm' | 'name';
const KEYS: Record<string, Role> = {
  cpu: 'cpu',
  cpuid: 'cpu',
  cpu_id: 'cpu',
  core: 'cpu',
  pid: 'pid',
  tgid: 'pid',
  tid: 'tid',
  thread: 'tid',
  lwp: 'tid',
  comm: 'comm',
  task: 'comm',
  process: 'comm',
  command: 'comm',
  ev: 'name',
  event: 'name',
  evt: 'name',
  name: 'name',
  probe: 'name',
  func: 'name',
  function: 'name',
  fn: 'name',
  tracepoint: 'name',
  type: 'name',
};
const TIME_KEY =
  /^(?:time|ts|t|timestamp|ktime|elapsed|when|ns|us|ms|[a-z_]{0,12}_?(?:nsecs?|usecs?|msecs?|secs?)|(?:time|ts|timestamp|ktime|elapsed)_(?:ns|us|ms|s))$/;
/** Keys of payloads, to tell `pfn: 0x2a00` from words with a colon. */
const PAYLOAD_KEY =
  /^(?:pfn|page|folio|refs|flags|nr|npages|order|count|mapcount|mapping|mt|val|ret|dev|dir|dma_addr|phys|phys_addr|size|len|off|offset|nents|i|ino|ofs|index|start|make_dirty|dirty|gup_flags|migratetype|first_pfn)$/;

function roleOf(key: string): Role | undefined {
  const lower = key.toLowerCase();
  return Object.hasOwn(KEYS, lower) ? KEYS[lower] : TIME_KEY.test(lower) ? 'time' : undefined;
}

/** How the lines of a program are read. */
export interface Style {
  readonly kind: 'text' | 'json';
  /** byte between cells; SPACE where words stand apart */
  readonly separator: number;
  /** headings of cells, where the first line has them */
  readonly headings: readonly string[] | undefined;
  /** what stands before the event's name; undefined where there is nothing, or pairs only */
  readonly pattern: Pattern | undefined;
  readonly last: boolean;
  /** of the time; undefined: no line has one that is proven */
  readonly unit: Unit | undefined;
  /** the clock is bpftrace's nsecs by its own words */
  readonly nsecs: boolean;
  /** a time of day has more than whole seconds */
  readonly fraction: boolean;
  readonly evidence: readonly string[];
}

/** A line taken apart. */
interface Parts {
  words: string[];
  /** pairs, and what they say */
  pairs: [key: string, value: string][];
  name: string;
  /** bare words after the pairs */
  trailing: string[];
}

/** Takes lines apart: which word is the name of an event is known from the names that have a decoder. */
class Parter {
  private readonly table = new EventTable();
  private readonly known = new Map<EventEntry, boolean>();
  private readonly members = new Members();

  constructor(private readonly separator: number) {}

  isEvent(name: string): boolean {
    const bytes = ascii(name);
    const entry = this.table.entry(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
    let known = this.known.get(entry);
    if (known === undefined) this.known.set(entry, (known = payloadOf(entry).read !== 'nothing'));
    return known;
  }

  /** A line of words; `headings` name its cells. Undefined where no event is named. */
  line(whole: string, headings?: readonly string[]): Parts | undefined {
    const words = headings ? headed(cells(whole, this.separator), headings) : this.words(whole);
    const parts: Parts = {words: [], pairs: [], name: '', trailing: []};
    for (const [at, raw] of words.entries()) {
      const equals = raw.indexOf('=');
      const key = equals > 0 ? raw.slice(0, equals) : '';
      if (equals > 0 && /^[A-Za-z_]\w*$/.test(key)) {
        const value = raw.slice(equals + 1).replace(/,$/, '');
        if (parts.name === '' && roleOf(key) === 'name' && this.isEvent(value)) parts.name = value;
        else {
          parts.pairs.push([key, value]);
          if (parts.name === '') parts.words.push(raw);
        }
        continue;
      }
      const bare = raw.replace(/[:,]$/, '');
      if (parts.name === '' && /^[A-Za-z_][\w.:]*$/.test(bare) && this.isEvent(bare) && pairNext(words[at + 1]))
        parts.name = bare;
      else if (parts.name === '') parts.words.push(raw);
      else parts.trailing.push(raw);
    }
    return parts.name === '' ? undefined : parts;
  }

  /** The words of a line; `key: value` is one. */
  words(whole: string): string[] {
    const spaced = this.separator === SPACE ? whole : cells(whole, this.separator).join(' ');
    // a list in braces is one word
    const words = (spaced.match(/(?:\{[^{}]*\}|[^\s{]|\{)+/g) ?? []).slice(0, MAX_WORDS);
    const joined: string[] = [];
    // `pfn: 0x2a00` is `pfn=0x2a00`
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      const m = /^([A-Za-z_]\w*):(\S*)$/.exec(word);
      const payload = m && !word.includes('=') && PAYLOAD_KEY.test(m[1]!);
      const role = m && m[2] === '' && i + 1 < words.length && roleOf(m[1]!) !== undefined && !this.isEvent(m[1]!);
      if (m && (payload || role)) {
        const value = m[2] === '' ? (words[++i] ?? '') : m[2]!;
        joined.push(`${m[1]}=${value.replace(/,$/, '')}`);
      } else joined.push(word);
    }
    return joined;
  }

  /** A JSON object of one line, objects in it taken apart too. */
  json(buf: Uint8Array, start: number, end: number): Parts | undefined {
    const parts: Parts = {words: [], pairs: [], name: '', trailing: []};
    while (end > start && (buf[end - 1] === COMMA || buf[end - 1]! <= SPACE)) end--;
    if (!this.object(parts, buf, start, end, this.members, 0)) return undefined;
    return parts.name === '' ? undefined : parts;
  }

  private object(parts: Parts, buf: Uint8Array, start: number, end: number, members: Members, depth: number): boolean {
    if (!members.open(buf, start, end)) return false;
    for (let n = 0; members.next() && n < MAX_WORDS; n++) {
      const {valueStart, valueEnd} = members;
      const key = text(buf, members.keyStart, members.keyEnd);
      if (buf[valueStart] === LBRACE) {
        if (depth < 2) this.object(parts, buf, valueStart, valueEnd, new Members(), depth + 1);
        continue;
      }
      const quoted = buf[valueStart] === QUOTE;
      const value = text(buf, quoted ? valueStart + 1 : valueStart, quoted ? valueEnd - 1 : valueEnd);
      if (parts.name === '' && quoted && roleOf(key) === 'name' && this.isEvent(value)) parts.name = value;
      else if (/^[A-Za-z_]\w*$/.test(key)) parts.pairs.push([key, value]);
    }
    return !members.damaged;
  }
}

function pairNext(word: string | undefined): boolean {
  return word === undefined || /^[A-Za-z_]\w*=/.test(word);
}

/** Cells between separators, but those within braces: lists of pages. */
function cells(whole: string, separator: number): string[] {
  const mark = String.fromCharCode(separator);
  const out: string[] = [];
  let from = 0;
  let depth = 0;
  for (let i = 0; i < whole.length && out.length < MAX_CELLS; i++) {
    const c = whole[i]!;
    if (c === '{') depth++;
    else if (c === '}') depth--;
    else if (c === mark && depth <= 0) {
      out.push(whole.slice(from, i).trim());
      from = i + 1;
    }
  }
  out.push(whole.slice(from).trim());
  return out.map((cell) => cell.replace(/^"(.*)"$/, '$1'));
}

function headed(values: readonly string[], headings: readonly string[]): string[] {
  return values.slice(0, headings.length).flatMap((value, i) => (value === '' ? [] : [`${headings[i]}=${value}`]));
}

/** What the lines of a head have in common. `lines` are those of the program, without what bpftrace itself prints. */
export function styleOf(
  lines: readonly {buf: Uint8Array; start: number; end: number; line: number}[],
): Style | undefined {
  const texts = lines.map(({buf, start, end}) => (end - start > MAX_LENGTH ? '' : text(buf, start, end)));
  const base = {
    headings: undefined,
    pattern: undefined,
    last: false,
    nsecs: false,
    fraction: texts.some((line) => /\d\d:\d\d:\d\d\.\d/.test(line)),
  };
  const objects = new Parter(SPACE);
  const json = lines.map(({buf, start, end}) => (buf[start] === LBRACE ? objects.json(buf, start, end) : undefined));
  if (json.some((parts) => parts !== undefined)) {
    return keyed(json, lines, {...base, kind: 'json', separator: SPACE}, 'JSON objects');
  }
  let best: {separator: number; parts: (Parts | undefined)[]; count: number; headings?: string[]} | undefined;
  for (const separator of [SPACE, COMMA, 59, 124, TAB]) {
    const parter = new Parter(separator);
    const parts = texts.map((line) => parter.line(line));
    const count = parts.filter((p) => p !== undefined).length;
    if (count > (best?.count ?? 0)) best = {separator, parts, count};
    const headings = separator === SPACE ? undefined : headingsOf(texts, separator);
    if (!headings) continue;
    const rows = texts.map((line) => parter.line(line, headings));
    const headedRows = rows.filter((p) => p !== undefined).length;
    if (headedRows > (best?.count ?? 0)) best = {separator, parts: rows, count: headedRows, headings};
  }
  if (!best) return undefined;
  const style = {...base, kind: 'text' as const, separator: best.separator, headings: best.headings};
  return keyed(best.parts, lines, style, best.headings ? `columns headed ${best.headings.join(', ')}` : 'lines');
}

/** Headings: words, one of them for the event's name. */
function headingsOf(texts: readonly string[], separator: number): string[] | undefined {
  const first = texts.find((line) => line !== '');
  const names = first === undefined ? [] : cells(first.replace(/^#\s*/, ''), separator);
  if (names.length < 3 || !names.every((name) => /^[A-Za-z_]\w*$/.test(name))) return undefined;
  return names.some((name) => roleOf(name) === 'name') ? names : undefined;
}

type Base = Omit<Style, 'unit' | 'evidence'>;

/** Completes a style: where the time is, and in what unit. */
function keyed(
  parts: readonly (Parts | undefined)[],
  lines: readonly {line: number}[],
  style: Base,
  what: string,
): Style {
  const events = parts.flatMap((p, i) => (p ? [{...p, line: lines[i]!.line}] : []));
  const first = events[0]!.line;
  const evidence: string[] = [];
  if (style.kind === 'json' || style.headings || style.separator !== SPACE) {
    evidence.push(
      `line ${first}: ${style.kind === 'json' || style.headings ? what : `cells between "${String.fromCharCode(style.separator)}"`}`,
    );
  }
  // pairs tell of themselves what they are
  const timeKey = common(events.map((e) => e.pairs.find(([key]) => roleOf(key) === 'time')?.[0]));
  const positional = events.some((e) => e.words.some((word) => !/^[A-Za-z_]\w*=/.test(word)));
  if (timeKey !== undefined && !positional) {
    const found = timeOfKey(events, timeKey);
    if (!found)
      return {...style, unit: undefined, evidence: [...evidence, `"${timeKey}" goes back and forth: it is no time`]};
    return {
      ...style,
      unit: found.unit,
      nsecs: timeKey.toLowerCase() === 'nsecs',
      evidence: [...evidence, `the time is "${timeKey}": ${found.why}`],
    };
  }
  const samples = events.map((e): Sample => ({words: e.words, name: e.name, line: e.line}));
  const shaped = style.kind === 'text' && !style.headings;
  let inferred = shaped ? infer(samples) : undefined;
  if (shaped && inferred?.unit === undefined && events.every((e) => e.trailing.length > 0)) {
    const behind = infer(
      events.map((e): Sample => ({words: [...e.words, e.trailing.at(-1)!], name: e.name, line: e.line})),
      true,
    );
    if (behind?.last) inferred = behind;
  }
  if (inferred?.unit !== undefined || timeKey === undefined) {
    const said = inferred?.evidence ?? ['no line prints a time: what came first is not known'];
    const {pattern, unit, last = false} = inferred ?? {};
    return {...style, pattern, last, unit, evidence: [...evidence, ...said]};
  }
  const found = timeOfKey(events, timeKey);
  const said = found ? `the time is "${timeKey}": ${found.why}` : `"${timeKey}" goes back and forth: it is no time`;
  return {
    ...style,
    pattern: inferred?.pattern,
    unit: found?.unit,
    evidence: [...evidence, ...(inferred?.evidence.slice(0, -1) ?? []), said],
  };
}

function common(values: readonly (string | undefined)[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  return best && best[1] * 2 > values.length ? best[0] : undefined;
}

function timeOfKey(events: readonly Parts[], key: string): {unit: Unit; why: string} | undefined {
  const values = events.map((e) => e.pairs.find(([k]) => k === key)?.[1] ?? '');
  const value = (e: Parts, role: Role): number => Number(e.pairs.find(([k]) => roleOf(k) === role)?.[1] ?? NaN);
  if (values.every((v) => v === '' || /^\d\d:\d\d:\d\d(?:\.\d{1,9})?$/.test(v)))
    return {unit: 'clock', why: 'a time of day'};
  const last = new Map<number, number>();
  let late = 0;
  events.forEach((e, i) => {
    const cpu = value(e, 'cpu');
    const t = Number(values[i]);
    if (t < (last.get(cpu) ?? -Infinity)) late++;
    else last.set(cpu, t);
  });
  // without CPUs the buffers of several may stand one after the other: a time all the same, by its name
  if (late > events.length / 2) return undefined;
  if (values.some((v) => v.includes('.')))
    return {unit: unitOfKey(key) === undefined ? 's' : 'unknown', why: 'seconds with a fraction'};
  const said = unitOfKey(key.toLowerCase());
  if (said) return {unit: said, why: `in ${said} by its name`};
  const timed = events.map((e, i): Timed => ({
    t: Number(values[i]),
    cpu: orNone(value(e, 'cpu')),
    tid: orNone(value(e, 'tid')),
    name: e.name,
  }));
  return unitOf(timed) ?? {unit: 'unknown', why: 'its unit is not proven'};
}

function orNone(n: number): number {
  return Number.isNaN(n) ? -1 : n;
}

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
    if (style.last) fields.time ??= trailing.pop();
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
        return `${whole}000`;
      case 'ms':
        return `${whole}000000`;
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

/** An event whose name nobody decodes: counted by it. */
function unknownName(rest: string): Parts | undefined {
  const m = /^([A-Za-z_][\w.:]{1,127}?)[:,]?(?: +(.*))?$/.exec(rest);
  if (!m || (m[2] !== undefined && !/^[A-Za-z_]\w*=/.test(m[2]))) return undefined;
  return {words: [], pairs: [], name: m[1]!, trailing: m[2] === undefined ? [] : [m[2]]};
}

/** A style that `--prefix` states. */
export function statedStyle(pattern: Pattern): Style {
  return {
    kind: 'text',
    separator: SPACE,
    headings: undefined,
    pattern,
    last: false,
    unit: pattern.unit,
    nsecs: pattern.unit === 'ns',
    fraction: true,
    evidence: [`--prefix '${pattern.text}'`],
  };
}
