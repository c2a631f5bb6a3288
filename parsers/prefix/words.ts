/**
 * Words before each line that no list of tools' prefixes has: hosts, levels, jobs, names with blanks, prompts.
 *
 *     build-7 | INFO root: wrk-701 [001] d..2 500.100001: page_ref_mod: ...
 *     HEAD:trace.txt:5:             wrk-701     [001] d..2   500.100001: page_ref_mod: ...
 *
 * Where the line proper begins is told by the columns of an event, which a comm of 15 bytes at most begins: the least
 * number of words before it that all lines allow. A line is told to have them by what its words look like.
 */

import {SPACE, startsWith, TAB} from '../bytes.js';
import type {Layer, Strip} from './layers.js';
import type {Standing} from './stands.js';

export interface HeadLine {
  readonly buf: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Words and bytes of a line that are looked at. */
const MAX_WORDS = 24;
const MAX_BYTES = 240;
/** So many of the lines that are events have to allow it. */
const MOST = 0.9;
/** Fewer lines tell nothing. */
const FEW = 2;
/** Looks of prefixes that are remembered. */
const MAX_LOOKS = 200;

/** The words of a line that are looked at, as begins and ends. */
class Words {
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  split(buf: Uint8Array, start: number, end: number, most: number): void {
    this.starts.length = this.ends.length = 0;
    const limit = Math.min(end, start + MAX_BYTES);
    for (let pos = start; this.starts.length < most;) {
      while (pos < limit && isBlank(buf[pos]!)) pos++;
      if (pos >= limit) return;
      this.starts.push(pos);
      while (pos < limit && !isBlank(buf[pos]!)) pos++;
      this.ends.push(pos);
    }
  }

  /** What the first words look like: runs of letters and of digits count as one of them. */
  look(buf: Uint8Array, count: number): string {
    let look = '';
    for (let i = 0; i < count; i++) {
      let last = 0;
      for (let pos = this.starts[i]!; pos < this.ends[i]!; pos++) {
        const c = buf[pos]!;
        const letter = (c | 32) >= 97 && (c | 32) <= 122;
        const kind = letter ? 97 : c >= 48 && c <= 57 ? 48 : c;
        if (kind !== last || (kind !== 97 && kind !== 48)) look += String.fromCharCode(kind);
        last = kind;
      }
      look += ' ';
    }
    return look;
  }
}

/** A line of the head that is an event from some of its words on. */
interface Event {
  line: HeadLine;
  /** by word: the event may begin there */
  begins: boolean[];
  words: Words;
}

/** What stands before each line, or undefined: then the lines begin with events, or with nothing that can be told. */
export function wordsBefore(lines: readonly HeadLine[], standing: Standing): Layer | undefined {
  if (isPlain(lines, standing)) return undefined;
  const events = lines.flatMap((line): Event[] => {
    const words = new Words();
    words.split(line.buf, line.start, line.end, MAX_WORDS);
    const any = words.starts.map((at) => standing.at(line.buf, at, line.end) === at);
    const tasked = words.starts.map(
      (at, i) => any[i]! && standing.at(line.buf, at, line.end) === at && standing.tasked,
    );
    // a task is no word before the line
    const begins = tasked.includes(true) ? tasked : any;
    return begins.includes(true) ? [{line, begins, words}] : [];
  });
  if (events.length < FEW) return undefined;
  const allow = (count: number): boolean =>
    events.filter(({begins}) => begins[count] === true).length >= events.length * MOST;
  let count = 0;
  while (count < MAX_WORDS && !allow(count)) count++;
  if (count === MAX_WORDS) return undefined;
  // a word that ends like a label, the same in all lines, is no part of their comms
  while (allow(count + 1) && isLabel(events, count)) count++;
  if (count === 0) return undefined;
  const having = events.filter(({begins}) => begins[count] === true);
  // quotes are the mail reader's, which knows the lines that are broken behind them
  const quoted = having.every(({line, words}) =>
    /^(?:> )+$/.test(words.look(line.buf, count).replaceAll('>>', '> > ')),
  );
  if (quoted && isOfKernel(having[0]!, count, standing)) return undefined;
  const looks = new Set<string>();
  for (const {line, words} of having) if (looks.size < MAX_LOOKS) looks.add(words.look(line.buf, count));
  const gap = gapOf(having, count, standing);
  return {
    id: 'words',
    title: count === 1 ? 'a word that is none of its columns' : `${count} words that are none of its columns`,
    share: 0,
    make: () => stripOf(count, looks, gap, standing),
  };
}

/** Bytes that stand before each line without a blank between: `##[group]`, `{noformat}`, a quote. */
export function gluedTo(lines: readonly HeadLine[], standing: Standing): Layer | undefined {
  const [first] = lines;
  if (!first || lines.length < FEW) return undefined;
  let length = Math.min(first.end - first.start, MAX_GLUED);
  for (const {buf, start, end} of lines) {
    let same = 0;
    while (same < length && start + same < end && buf[start + same] === first.buf[first.start + same]) same++;
    length = same;
  }
  // within one word, and no part of a number
  for (let i = 0; i < length; i++) {
    const c = first.buf[first.start + i]!;
    if (isBlank(c) || (c >= 48 && c <= 57)) length = i;
  }
  // it ends in a mark: what follows may begin alike by chance
  while (length > 0 && !isMark(first.buf[first.start + length - 1]!)) length--;
  // what says of itself what follows is a column: `elapsed=`, `t:`
  const text = Buffer.from(first.buf.subarray(first.start, first.start + length)).toString('latin1');
  if (length === 0 || /^\W?\w+[:=]$/.test(text)) return undefined;
  const stand = (skipped: number): number =>
    lines.filter(({buf, start, end}) => standing.at(buf, start + skipped, end) >= 0).length;
  if (stand(length) === 0 || stand(0) > 0) return undefined;
  const quoted = /^[> ]+$/.test(text);
  if (quoted && lines.some(({buf, start, end}) => standing.at(buf, start + length, end) >= 0 && standing.columns))
    return undefined;
  const glued = first.buf.slice(first.start, first.start + length);
  return {
    id: 'words',
    title: 'the same text',
    share: 0,
    make: () => (buf, start, end) => (startsWith(buf, start, end, glued) ? start + length : -1),
  };
}

const MAX_GLUED = 60;

function isMark(c: number): boolean {
  return c > SPACE && c < 127 && !/[\w]/.test(String.fromCharCode(c));
}

/** Most lines are events as they stand: in the kernel's columns, or from their first word on, which is no label. */
function isPlain(lines: readonly HeadLine[], standing: Standing): boolean {
  const words = new Words();
  let inPlace = 0;
  let plain = 0;
  for (const {buf, start, end} of lines) {
    words.split(buf, start, end, 1);
    const [first] = words.starts;
    if (first === undefined) continue;
    if (standing.inPlace(buf, start, end)) inPlace++;
    else if (!LABEL_END.test(String.fromCharCode(buf[words.ends[0]! - 1]!)) && standing.at(buf, first, end) === first)
      plain++;
  }
  return (inPlace + plain) * 2 > lines.length;
}

const LABEL_END = /[:|>\]$#)},;]/;

function isOfKernel({line, words}: Event, count: number, standing: Standing): boolean {
  return standing.at(line.buf, words.starts[count]!, line.end) >= 0 && standing.columns;
}

function stripOf(count: number, looks: ReadonlySet<string>, gap: number, standing: Standing): Strip {
  const words = new Words();
  return (buf, start, end) => {
    words.split(buf, start, end, count + 1);
    if (words.starts.length < count) return -1;
    const has =
      looks.has(words.look(buf, count)) ||
      (words.starts.length > count && standing.at(buf, words.starts[count]!, end) === words.starts[count]);
    if (!has) return -1;
    const stop = words.ends[count - 1]!;
    return Math.min(stop + (stop < end && isBlank(buf[stop]!) ? gap : 0), end);
  };
}

/** Blanks between the last of the words and the line: the kernel pads comms, so the columns tell. */
function gapOf(events: readonly Event[], count: number, standing: Standing): number {
  for (const gap of [0, 1, 2]) {
    const right = events.filter(({line, words}) => standing.inPlace(line.buf, words.ends[count - 1]! + gap, line.end));
    if (right.length * 2 > events.length) return gap;
  }
  return 1;
}

/** Whether a word is the same in all lines and ends in a mark, as `INFO:`, `|`, `[job]`. */
function isLabel(events: readonly Event[], at: number): boolean {
  const first = events[0]!;
  const word = textOf(first, at);
  // `<redacted>` is a task
  if (!LABEL_END.test(word.at(-1)!) || /\d|^</.test(word)) return false;
  return events.every((event) => textOf(event, at) === word);
}

function textOf({line, words}: Event, at: number): string {
  return Buffer.from(line.buf.subarray(words.starts[at]!, words.ends[at]!)).toString('latin1');
}

function isBlank(c: number): boolean {
  return c === SPACE || c === TAB;
}
