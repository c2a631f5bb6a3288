/** Takes lines of bpftrace programs apart: which word is the event's name, which are pairs, which stand before it. */

import {ascii, COMMA, hashBytes, LBRACE, QUOTE, SPACE, text} from '../bytes.js';
import {EventTable, type EventEntry} from '../events/table.js';
import {payloadOf} from './events.js';
import {Members} from './json.js';

/** Lines longer than this are of no style. */
export const MAX_LENGTH = 4096;
/** Words of a line that are looked at. */
const MAX_WORDS = 64;
const MAX_CELLS = 64;

export type Role = 'time' | 'cpu' | 'pid' | 'tid' | 'comm' | 'name';
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
  msg: 'name',
  type: 'name',
};
const TIME_KEY =
  /^(?:time|ts|t|timestamp|ktime|elapsed|when|ns|us|ms|[a-z_]{0,12}_?(?:nsecs?|usecs?|msecs?|secs?)|(?:time|ts|timestamp|ktime|elapsed)_(?:ns|us|ms|s))$/;
/** Keys of payloads, to tell `pfn: 0x2a00` from words with a colon. */
const PAYLOAD_KEY =
  /^(?:pfn|page|folio|refs|flags|nr|npages|order|count|mapcount|mapping|mt|val|ret|dev|dir|dma_addr|phys|phys_addr|size|len|off|offset|nents|i|ino|ofs|index|start|make_dirty|dirty|gup_flags|migratetype|first_pfn)$/;

export function roleOf(key: string): Role | undefined {
  const lower = key.toLowerCase();
  return Object.hasOwn(KEYS, lower) ? KEYS[lower] : TIME_KEY.test(lower) ? 'time' : undefined;
}

/** A line taken apart. */
export interface Parts {
  words: string[];
  /** pairs, and what they say */
  pairs: [key: string, value: string][];
  name: string;
  /** bare words after the pairs */
  trailing: string[];
}

/** Takes lines apart: which word is the name of an event is known from the names that have a decoder. */
export class Parter {
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
    // a list in braces is one word, and so is a text in quotes
    const words = (opened(spaced).match(/(?:\{[^{}]*\}|"[^"]{0,64}"|[^\s{"]|["{])+/g) ?? []).slice(0, MAX_WORDS);
    const joined: string[] = [];
    // `pfn: 0x2a00` is `pfn=0x2a00`
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      const m = /^([A-Za-z_]\w*):(\S*)$/.exec(word);
      const payload = m && !word.includes('=') && PAYLOAD_KEY.test(m[1]!);
      const role = m && m[2] === '' && i + 1 < words.length && roleOf(m[1]!) !== undefined && !this.isEvent(m[1]!);
      if (m && (payload || role)) {
        const value = m[2] === '' ? (words[++i] ?? '') : m[2]!;
        joined.push(`${m[1]}=${unquoted(value)}`);
      } else joined.push(word.includes('=') ? pairOf(word) : word);
    }
    return this.nameLast(joined);
  }

  /** `kprobe:gup_put_folio: app(500) at 61000030000: page=...`: the name stands behind the other words. */
  private nameLast(words: string[]): string[] {
    const [first = ''] = words;
    const bare = first.replace(/[:,]$/, '');
    if (!NAME.test(bare) || !this.isEvent(bare) || pairNext(words[1])) return words;
    const pair = words.findIndex((word) => PAYLOAD_PAIR.test(word));
    return pair < 0 || pair > MAX_BETWEEN ? words : [...words.slice(1, pair), bare, ...words.slice(pair)];
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

const NAME = /^[A-Za-z_][\w.:]{0,127}$/;
const PAYLOAD_PAIR = /^[A-Za-z_]\w{0,31}=/;
/** Words between a name and its payload. */
const MAX_BETWEEN = 16;

/** `name(a=1, b=2)` and `name {a=1, b=2}` as `name a=1, b=2`. */
function opened(line: string): string {
  return line.replace(/(\b[A-Za-z_]\w{1,127}) ?([({])(?=[A-Za-z_]\w{0,31}=)([^(){}]{0,2000})[)}]/g, '$1 $3');
}

/** `key=value` without a comma after it, or quotes around the value. */
function pairOf(word: string): string {
  const equals = word.indexOf('=');
  return `${word.slice(0, equals)}=${unquoted(word.slice(equals + 1))}`;
}

function unquoted(value: string): string {
  return value.replace(/,$/, '').replace(/^"(.*)"$/, '$1');
}

function pairNext(word: string | undefined): boolean {
  return word === undefined || /^[A-Za-z_]\w*=/.test(word);
}

/** Cells between separators, but those within braces: lists of pages. */
export function cells(whole: string, separator: number): string[] {
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
