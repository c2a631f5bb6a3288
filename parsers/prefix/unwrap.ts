/**
 * What stands around the lines of a trace that another tool has passed on, worked out once over the head of the input:
 * its encoding, colours, HTML, and what is before each line (layers.ts). Only that is taken away which leaves lines that
 * are events by themselves, time and all.
 */

import {SPACE, TAB, text} from '../bytes.js';
import {headLines} from '../head-lines.js';
import {type Encoding, encodingOf, Transcoder} from './encoding.js';
import {LAYERS, LineNumber, type Layer, type Strip} from './layers.js';
import {Cleaner, type Cleaning, cleans} from './cleaner.js';
import {hasTask, hasTime, isGraph, isGraphEvent} from './graph.js';
import {holdsTrace, isHtml, PageText} from './html.js';
import type {Pattern} from './pattern.js';
import {Standing} from './stands.js';
import {gluedTo, wordsBefore} from './words.js';

export interface Wrapping {
  readonly encoding: Encoding;
  /** bytes of the byte order mark */
  readonly mark: number;
  readonly cleaning: Cleaning;
  /** an HTML page: the trace in it is one element's text */
  readonly page: boolean;
  readonly layers: readonly Layer[];
  /** a function graph with events as comments; `timed`, `tasks`: with their times, their tasks */
  readonly graph: {readonly timed: boolean; readonly tasks: boolean} | undefined;
  /** why the lines are a choice of those that were; undefined where they may be all */
  readonly excerpt: string | undefined;
  /** lines of several files follow each other: times go back */
  readonly severalFiles: boolean;
  /** for `info` */
  readonly evidence: readonly string[];
}

/** Lines that are looked at, blank ones left out. */
const LOOK = 300;
/** Layers on each other: a log's time, the sender, a file's name, a number. */
const MAX_LAYERS = 4;
/** So many of the lines that are events behind a prefix must not be events with it. */
const CLEARLY = 2;
/** `(ffffffff812a7974 <- ffffffff812a7b5b)`, `<idle>-0` as a web page has them. */
const HTML_RETURN = /&lt;(?:- |idle&gt;-0 )/;

interface Line {
  buf: Uint8Array;
  start: number;
  end: number;
  number: number;
}

/**
 * What is around the lines of the input that begins with `head`; undefined where there is nothing. `stated`: what stands
 * before each line, as --prefix says.
 */
export function wrappingOf(head: Uint8Array, stated?: Pattern): Wrapping | undefined {
  const {encoding, mark} = encodingOf(head);
  const evidence: string[] = [];
  let plain = head.subarray(mark);
  if (encoding !== 'utf-8') {
    plain = new Transcoder(encoding).push(plain);
    evidence.push(`the text is ${encoding.toUpperCase()}`);
  } else if (mark > 0) evidence.push('a byte order mark before the first line');

  // any other page is text with tags in it
  const page = isHtml(plain) && holdsTrace(plain);
  const lines = linesOf(plain, page);
  const {escapes, html} = Cleaner.needed(lines.map((line) => text(line.buf, line.start, line.end)));
  // brackets of returns (`<-`) may come late in a trace
  const needed = {escapes, html: html || HTML_RETURN.test(text(plain, 0, plain.length))};
  const cleaning = {...needed, blanks: needsBlanks(lines, needed)};
  if (cleaning.escapes) evidence.push('colour codes of a terminal, skipped');
  if (cleaning.html) evidence.push('HTML entities or tags, read as the characters they stand for');
  if (page) evidence.push('an HTML page: the trace is what stands in it as text');
  if (cleaning.blanks) evidence.push('tabs between the columns, or no-break spaces, read as blanks');
  const cleaned = cleanedBy(cleaning, lines);
  const layers = stated ? [statedLayer(stated)] : isMailHeader(cleaned) ? [] : layersOf(cleaned);
  if (stated) evidence.push(`--prefix '${stated.text}' is skipped on each line`);
  const told = stated ? {excerpt: undefined, severalFiles: false} : tell(cleaned, layers, evidence);
  const graph = graphOf(cleaned, evidence);
  const any = graph !== undefined || mark > 0 || encoding !== 'utf-8' || cleans(cleaning) || page || layers.length > 0;
  return any ? {encoding, mark, cleaning, page, layers, graph, ...told, evidence} : undefined;
}

function cleanedBy(cleaning: Cleaning, lines: readonly Line[]): Line[] {
  const cleaner = new Cleaner(cleaning);
  return lines.map((line): Line => {
    const out = new Uint8Array(line.end - line.start);
    const length = cleaner.clean(line.buf, line.start, line.end, out, 0);
    return {buf: out, start: 0, end: length, number: line.number};
  });
}

/** Whether more lines are events with blanks for their tabs and no-break spaces. */
function needsBlanks(lines: readonly Line[], needed: Omit<Cleaning, 'blanks'>): boolean {
  const having = lines.filter(({buf, start, end}) => {
    const bytes = buf.subarray(start + 1, end);
    return bytes.includes(TAB) || bytes.includes(0xa0);
  });
  if (having.length === 0) return false;
  const standing = new Standing();
  const stand = (blanks: boolean): number =>
    cleanedBy({...needed, blanks}, having).filter(({buf, start, end}) => standing.at(buf, start, end) >= 0).length;
  return stand(true) > stand(false);
}

/** A function graph that has events in it. */
function graphOf(lines: readonly Line[], evidence: string[]): Wrapping['graph'] {
  const texts = lines.map((line) => text(line.buf, line.start, line.end));
  const graph = texts.filter((line) => isGraph(line)).length;
  const first = texts.findIndex((line) => isGraphEvent(line));
  if (first < 0 || graph * 2 < texts.filter((line) => !line.startsWith('#')).length) return undefined;
  const events = texts.filter((line) => isGraphEvent(line));
  const timed = events.every((line) => hasTime(line));
  evidence.push(`line ${lines[first]!.number}: a function graph with events as comments: these are read`);
  if (!timed)
    evidence.push('no TIME column: echo 1 > options/funcgraph-abstime (and funcgraph-proc for tasks) prints it');
  return {timed, tasks: events.some((line) => hasTask(line))};
}

/** A mail's lines have their own reader, which takes each as it is. */
export function isMail(head: Uint8Array): boolean {
  return isMailHeader(linesOf(head.subarray(0, MAIL_HEAD), false));
}

/** A header of a mail is looked for in so many bytes. */
const MAIL_HEAD = 1 << 16;

function isMailHeader(lines: readonly Line[]): boolean {
  const fields = lines
    .slice(0, 20)
    .filter((line) => MAIL_FIELD.test(text(line.buf, line.start, Math.min(line.end, line.start + 80))));
  return fields.length >= 2;
}

const MAIL_FIELD = /^(?:From|To|Cc|Subject|Date|Message-I[Dd]|Received|MIME-Version|Content-Type|In-Reply-To):? /;

function statedLayer(pattern: Pattern): Layer {
  const strip: Strip = (buf, start, end) => (pattern.match(buf, start, end) ? pattern.body : -1);
  return {id: 'mark', title: '', share: 0, make: () => strip};
}

/** The first lines, of a page those of the trace in it. */
function linesOf(head: Uint8Array, page: boolean): Line[] {
  const lines: Line[] = [];
  const within = page ? new PageText() : undefined;
  headLines(
    head,
    (start, end, number) => {
      if (end === start || lines.length >= LOOK || (within && !within.has(head, start, end))) return;
      lines.push({buf: head, start, end, number});
    },
    page ? Infinity : undefined,
  );
  return lines;
}

/**
 * The layers that all leave more lines standing than there are without them, the outermost first; of those that leave as
 * many, the ones that leave more of them exactly where the kernel prints them.
 */
function layersOf(lines: readonly Line[]): Layer[] {
  const standing = new Standing();
  let best: Layer[] = [];
  let most: Stand = {count: 0, inPlace: 0};
  const search = (at: readonly Line[], chosen: Layer[]): void => {
    if (chosen.length >= MAX_LAYERS) return;
    for (const layer of LAYERS) {
      // a mark of one character twice is part of the text; `HEAD:trace.txt:` of git grep is a name twice
      if (chosen.at(-1)?.id === layer.id && layer.id !== 'file') continue;
      const strip = layer.make();
      const bodies = at.map((line) => strip(line.buf, line.start, line.end));
      const having = bodies.filter((body) => body >= 0).length;
      if (having === 0 || having < at.length * layer.share) continue;
      const rest = at.map((line, i) => (bodies[i]! < 0 ? line : {...line, start: bodies[i]!}));
      const stand = clearly(standing, lines, rest, layer);
      const all = [...chosen, layer];
      if (stand.count > most.count || (stand.count === most.count && stand.inPlace > most.inPlace)) {
        best = all;
        most = stand;
      }
      search(rest, all);
    }
  };
  search(lines, []);
  const rest = stripped(lines, best);
  const last = wordsBefore(rest, standing) ?? gluedTo(rest, standing);
  return last ? [...best, last] : best;
}

/** The lines without some layers. */
function stripped(lines: readonly Line[], layers: readonly Layer[]): Line[] {
  const strip = stripOf(layers);
  return lines.map((line) => ({...line, start: strip(line.buf, line.start, line.end)}));
}

/** Lines that stand, and how many of these begin exactly where the kernel begins them. */
interface Stand {
  count: number;
  inPlace: number;
}

const NONE: Stand = {count: 0, inPlace: 0};

/** How many lines stand without their prefix; none unless they are clearly more than with it. */
function clearly(standing: Standing, lines: readonly Line[], rest: readonly Line[], layer: Layer): Stand {
  let count = 0;
  let own = 0;
  let inPlace = 0;
  lines.forEach((line, i) => {
    const {buf, start, end} = rest[i]!;
    if (start === line.start) return;
    if (standing.at(buf, start, end) >= 0) {
      count++;
      if (standing.inPlace(buf, start, end)) inPlace++;
    }
    // what the line is as it stands: a comm that begins within the prefix is no comm
    const first = standing.at(line.buf, line.start, line.end);
    if (first >= start) own++;
  });
  if (own * CLEARLY > count) return NONE;
  if (layer.inPlace === true && inPlace * CLEARLY < count && readableAsItIs(standing, lines)) return NONE;
  return {count, inPlace};
}

function readableAsItIs(standing: Standing, lines: readonly Line[]): boolean {
  return lines.some((line) => standing.at(line.buf, line.start, line.end) >= 0);
}

/** Says what was found, with the place of the first line, and whether lines are missing between those that are there. */
function tell(
  lines: readonly Line[],
  layers: readonly Layer[],
  evidence: string[],
): Pick<Wrapping, 'excerpt' | 'severalFiles'> {
  let excerpt: string | undefined;
  let severalFiles = false;
  let at = lines;
  for (const layer of layers) {
    const strip = layer.make();
    const bodies = at.map((line) => strip(line.buf, line.start, line.end));
    const first = bodies.findIndex((body) => body >= 0);
    const line = at[first]!;
    const shown = text(line.buf, line.start, Math.min(bodies[first]!, line.start + 60)).trim();
    evidence.push(`line ${line.number}: before the line stands ${layer.title}, "${shown}"; skipped on each line`);
    if (layer.id === 'number' && !consecutive(at)) {
      excerpt = 'the numbers before the lines have gaps: lines between them were left out';
    }
    if (layer.id === 'file') {
      excerpt = 'the lines were picked out of files by grep: what was left out is not known';
      const names = new Set(at.map((l) => text(l.buf, l.start, nameEnd(l))));
      severalFiles = names.size > 1;
    }
    at = at.map((l, i) => (bodies[i]! < 0 ? l : {...l, start: bodies[i]!}));
  }
  if (excerpt !== undefined) evidence.push(excerpt);
  return {excerpt, severalFiles};
}

function nameEnd({buf, start, end}: Line): number {
  let pos = start;
  while (pos < end && buf[pos] !== 58 && buf[pos] !== SPACE) pos++;
  return pos;
}

/** Whether numbers count the lines: none is missing between them. */
function consecutive(lines: readonly Line[]): boolean {
  const counter = new LineNumber();
  let offset: number | undefined;
  for (const {buf, start, end, number} of lines) {
    if (counter.strip(buf, start, end) < 0) continue;
    offset ??= counter.value - number;
    if (counter.value - number !== offset) return false;
  }
  return true;
}

/** The strips of all layers as one. */
export function stripOf(layers: readonly Layer[]): Strip {
  const strips = layers.map((layer) => layer.make());
  return (buf, start, end) => {
    let pos = start;
    for (const strip of strips) {
      const body = strip(buf, pos, end);
      if (body >= 0) pos = body;
    }
    return pos;
  };
}
