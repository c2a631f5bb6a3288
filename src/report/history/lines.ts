/** A page's life as lines of text, for every form that is text. */
import type {Noun} from '../../words/place.js';
import {ascii, printable} from '../../words/clean.js';
import {change} from '../finding-history.js';
import {between, clip, counted, decodedBrief, duration, number, task, time, wrap} from '../../words/format.js';
import {paint, type Paint} from '../paint.js';
import {stackLines, trimmed} from '../stacks.js';
import type {Window} from '../../results/report.js';
import {endText} from '../../words/words.js';
import {folded, type Fold} from './fold.js';
import type {Generation, HistoryReport, LifeEntry, PageHistory} from '../../results/history.js';

/** Most bars drawn beside a life; windows beyond them are listed only. */
const MOST_BARS = 6;
/** Of a task's name, where the line has room and where it has not. */
const MOST_TASK = {wide: 23, narrow: 16};
/** Frames shown under a pin, a get or their dropping. */
const MOST_FRAMES = 8;

/** `pfn 0x2fb0, generation 3 of 5: allocated at 17.231549, freed at 17.239191 (7.64 ms later); F1`. */
export function generationTitle(page: PageHistory, at: number): string {
  const generation = page.generations[at];
  if (generation === undefined) return `pfn ${page.pfn}`;
  const start = time(generation.start_ns, generation.start_ticks);
  const end = time(generation.end_ns, generation.end_ticks);
  const born = {
    alloc: `allocated at ${start}`,
    'before-trace': `alive when the trace begins, first seen at ${start}`,
    unknown: `another page since ${start}, its allocation is not in the trace`,
  }[generation.born];
  const length = between(generation.start_ns, generation.end_ns);
  const later = length === null ? '' : ` (${length} later)`;
  const died = {
    free: `freed at ${end}${later}`,
    reused: `handed out again with no free seen, last seen at ${end}${later}`,
    alive: `alive at the end of the trace, last seen at ${end}${later}`,
  }[generation.died ?? 'alive'];
  const {number: nth, of} = generation.place ?? {number: at + 1, of: page.generations.length};
  const which = of === 1 ? '' : `, generation ${nth} of ${of}`;
  const pages = counted(2 ** generation.order, 'page');
  const order =
    generation.order === 0
      ? ''
      : generation.order_known === false
        ? `, large folio (at least ${pages})`
        : `, folio of ${pages}`;
  const file =
    generation.file === undefined
      ? ''
      : `, file: device ${generation.file.dev}, inode ${generation.file.ino}, page index ${generation.file.index}`;
  const findings = generation.findings.length === 0 ? '' : `; ${generation.findings.join(', ')}`;
  return printable(`pfn ${page.pfn}${which}${order}: ${born}, ${died}${file}${findings}`);
}

/** The life itself: bars of what was open, time, CPU, task, change, count decodedBrief, line; notes under their entry. */
export function lifeLines(
  generation: Generation,
  noun: Noun,
  width: number,
  indent: string,
  color: Paint = paint(false),
): string[] {
  const items = folded(generation.entries);
  const all = generation.windows.filter((window) => window.kind === 'dma' || window.kind === 'writeback');
  // those of rounds that are folded are told by the line that folds them
  const windows = withoutFolded(all, items);
  const barred = windows.slice(0, MOST_BARS);
  const most = width > 80 ? MOST_TASK.wide : MOST_TASK.narrow;
  const rows = items.map((item) => ('pattern' in item ? foldRow(item, noun, most) : entryRow(item, noun, most)));
  const barsWidth = Math.max(barred.length, 0);
  const heads = [barred.map(letter).join(''), 'time', 'cpu', 'task', 'change', noun, 'count'];
  const cells = rows.map((row, at) => [bars(barred, items[at]), ...row.cells]);
  const widths = heads.map((head, at) => Math.max(head.length, at === 0 ? barsWidth : 0));
  for (const row of cells) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)));
  const line = (row: string[]): string =>
    `${indent}${row
      .map((cell, at) => (at === 2 || at === 5 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .filter((_, at) => at > 0 || barsWidth > 0)
      .join('  ')}`.trimEnd();
  // the decoded count is the last column: where it does not fit it goes below its row
  const out = [line(heads).length <= width ? line(heads) : line(heads.slice(0, 6))];
  rows.forEach((row, at) => {
    const text = line(cells[at] ?? []);
    const kind = kindOf(items[at]);
    const shown = (rows: string): string => (kind === null ? rows : color.change(kind, rows));
    if (row.cells.every((cell) => cell === '')) {
      // only what its notes say
    } else if (text.length <= width) out.push(shown(text));
    else
      out.push(
        shown(line((cells[at] ?? []).slice(0, 6))),
        ...under(cells[at], widths, `count ${row.cells[5] ?? ''}`, width, indent, barsWidth),
      );
    for (const note of row.notes) {
      const lines = under(cells[at], widths, note, width, indent, barsWidth);
      out.push(...lines.map(note.startsWith('^^^') ? color.bad : color.faint));
    }
  });
  const more: string[] = [];
  const inFolds = all.length - windows.length;
  if (inFolds > 0) more.push(`${counted(inFolds, 'more window')} in rounds that are folded`);
  const others = generation.windows_left_out ?? 0;
  if (others > 0) more.push(`${counted(others, 'more window')} at other times`);
  const kinds = generation.changes_left_out ?? 0;
  if (kinds > 0) more.push(`${counted(kinds, 'change')} of other kinds left out (--only)`);
  return [...out, ...legend(windows, barred, width, indent), ...more.map((text) => `${indent}${text}`)];
}

/** Windows that begin or end in a row of their own, or in none. */
function withoutFolded(windows: readonly Window[], items: readonly (LifeEntry | Fold)[]): Window[] {
  const folds = items.flatMap((item) => ('pattern' in item && item.took !== undefined ? [item] : []));
  return windows.filter(
    ({start_line, end_line}) =>
      !folds.some(({pattern: [first], last}) => {
        const inside = (line: number | null): boolean =>
          line !== null && first !== undefined && line >= first.line && line <= last.line;
        return inside(start_line) && inside(end_line);
      }),
  );
}

function kindOf(item: LifeEntry | Fold | undefined): 'pin' | 'get' | 'dma' | 'writeback' | null {
  const entry = item !== undefined && 'pattern' in item ? item.pattern[0] : item;
  if (entry === undefined) return null;
  if (entry.kind === 'pin' || entry.kind === 'get') return entry.kind;
  if (entry.what.startsWith('dma-')) return 'dma';
  return entry.what.startsWith('writeback-') ? 'writeback' : null;
}

/** A line under an entry, at its time column, with the bars running on. */
function under(
  row: string[] | undefined,
  widths: number[],
  note: string,
  width: number,
  indent: string,
  bar: number,
): string[] {
  const going = (row?.[0] ?? '').replaceAll('+', '|').replaceAll("'", ' ');
  const left = bar > 0 ? `${indent}${going.padEnd(widths[0] ?? 0)}  ` : indent;
  const pad = ' '.repeat((widths[1] ?? 0) + 2);
  return wrap(note, width, `${left}${pad}  `, `${left}${pad}`);
}

function letter(window: Window): string {
  return window.kind === 'dma' ? 'D' : 'W';
}

/** One character a window: where it begins `+`, between `|`, where it ends `'`. */
function bars(windows: Window[], item: LifeEntry | Fold | undefined): string {
  if (item === undefined) return '';
  const entry = 'pattern' in item ? item.pattern[0] : item;
  if (entry === undefined) return '';
  return windows
    .map((window) => {
      if (window.start_line === entry.line) return '+';
      if (window.end_line === entry.line) return "'";
      return isOpen(window, entry) ? '|' : ' ';
    })
    .join('');
}

function isOpen(window: Window, entry: LifeEntry): boolean {
  if (window.start_ns !== null && entry.t_ns !== null) {
    const at = BigInt(entry.t_ns);
    return at >= BigInt(window.start_ns) && (window.end_ns === null || at <= BigInt(window.end_ns));
  }
  return entry.line >= (window.start_line ?? 0) && (window.end_line === null || entry.line <= window.end_line);
}

function legend(windows: Window[], barred: Window[], width: number, indent: string): string[] {
  if (windows.length === 0) return [];
  const out = [''];
  windows.forEach((window, at) => {
    const column = at < barred.length ? `${letter(window)}${at + 1}` : letter(window);
    const length = between(window.start_ns, window.end_ns);
    const from = window.start_ns === null ? `line ${window.start_line ?? '?'}` : time(window.start_ns);
    const to =
      window.end_ns === null ? (window.end_line === null ? '?' : `line ${window.end_line}`) : time(window.end_ns);
    const open = window.end_ns === null && window.end_line === null;
    const end = open ? endText(window.end_known) : `to ${to}${length === null ? '' : ` (${length})`}`;
    out.push(...wrap(`${column}: ${ascii(window.label)}, ${from} ${end}`, width, `${indent}    `, indent));
  });
  return out;
}

interface Row {
  cells: string[];
  notes: string[];
}

function entryRow(entry: LifeEntry, noun: Noun, most: number): Row {
  if (entry.what === 'left-out') return {cells: ['', '', '', '', '', ''], notes: [ascii(`... ${entry.note ?? ''}`)]};
  const words: string[] = [];
  if (entry.note !== null) words.push(entry.note);
  if (entry.pair !== null) {
    const {line, distance_ns, how} = entry.pair;
    const far = distance_ns === null ? '' : `, ${duration(distance_ns)} apart`;
    words.push(`with ${noun} ${line}${far} (${how})`);
  }
  if (entry.known_by !== null && entry.kind !== null) words.push(`${entry.kind} known by ${entry.known_by}`);
  const notes = entry.decides === undefined ? [] : [ascii(`^^^ ${entry.decides}`)];
  if (words.length > 0) notes.push(ascii(words.join('; ')));
  if (entry.frames !== undefined && entry.frames.length > 0) {
    for (const stack of trimmed([{role: '', frames: entry.frames}], MOST_FRAMES))
      notes.push(...stackLines(stack).map((line) => ascii(line)));
  }
  return {
    cells: [
      time(entry.t_ns, entry.t_ticks),
      entry.cpu === null ? '' : String(entry.cpu),
      clip(ascii(task(entry.task, entry.pid)), most),
      entry.what === 'gap' ? '~~ gap ~~' : ascii(change(entry)),
      entry.line > 0 ? String(entry.line) : '',
      decodedBrief(entry.counts),
    ],
    notes,
  };
}

function foldRow(fold: Fold, noun: Noun, most: number): Row {
  const first = fold.pattern[0];
  if (first === undefined) return {cells: ['', '', '', '', '', ''], notes: []};
  const deeds =
    fold.took === undefined
      ? fold.pattern.map((entry) => ascii(change(entry))).join(', ')
      : `${roundText(fold.pattern)}${tookText(fold.took)}`;
  const until = time(fold.last.t_ns, fold.last.t_ticks);
  return {
    cells: [
      time(first.t_ns, first.t_ticks),
      '',
      clip(ascii(task(first.task, first.pid)), most),
      `${number(fold.times)} times:`,
      String(first.line),
      decodedBrief(fold.last.counts),
    ],
    notes: [`${deeds}; until ${until}, ${noun} ${fold.last.line}`],
  };
}

/** `pin, map, unmap, unpin`: the two halves of a pin are one word, other changes of the count are `2 others`. */
function roundText(pattern: readonly LifeEntry[]): string {
  const words: string[] = [];
  let others = 0;
  for (const entry of pattern) {
    const word = ROUND_WORDS[`${entry.what} ${entry.kind ?? ''}`.trim()] ?? ROUND_WORDS[entry.what];
    if (word === undefined) others++;
    else if (words.at(-1) !== word) words.push(word);
  }
  return [...words, ...(others > 0 ? [counted(others, 'other change')] : [])].join(', ');
}

const ROUND_WORDS: Record<string, string> = {
  'taken pin': 'pin',
  'dropped pin': 'unpin',
  'taken get': 'get',
  'dropped get': 'put',
  'dma-map': 'map',
  'dma-unmap': 'unmap',
  'dma-complete': 'complete',
  'writeback-start': 'writeback',
  'writeback-end': 'writeback over',
  dirty: 'dirty',
  clean: 'clean',
};

/** `; 90 us to 12.8 ms each` */
function tookText(took: {least: bigint; most: bigint} | null): string {
  if (took === null) return '';
  const {least, most} = took;
  return least === most ? `; ${duration(least)} each` : `; ${duration(least)} to ${duration(most)} each`;
}

/** Pages asked for that the trace does not name. */
export function absentText(report: HistoryReport): string | null {
  if (report.absent.length === 0) return null;
  const shown = report.absent.slice(0, 8).join(', ');
  const rest = report.absent.length - 8;
  const larger = report.pages.find((page) => report.absent.some((pfn) => mayHold(page, pfn)));
  const within =
    larger === undefined ? '' : `; the large folio at ${larger.pfn}, whose size is not known, may reach there`;
  return `No event of this trace names ${shown}${rest > 0 ? ` and ${number(rest)} more` : ''}${within}.`;
}

/** Whether a folio whose order no event says may be as large as to have a page in it: its head is aligned to its size. */
function mayHold({pfn, generations}: PageHistory, page: string): boolean {
  if (!generations.some((generation) => generation.order_known === false)) return false;
  const [head, other] = [BigInt(pfn), Number(page) - Number(pfn)];
  const aligned = Number(head & -head);
  return other > 0 && other < Math.min(aligned, LARGEST);
}

/** Pages of the largest folios (PUD_SIZE on x86-64). */
const LARGEST = 1 << 18;
