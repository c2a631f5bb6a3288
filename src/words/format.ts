/** How numbers, times and pages are written, the same in every form. All of it is ASCII. */
import type {Counts, FindingPage} from '../results/report.js';

/** `12,345`: groups of three, as in English. */
export function number(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 page`, `12 pages`; irregular plurals are given. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** `812 B`, `1.2 MB` (powers of ten). */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let rest = value;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  return `${unit === 0 ? rest : rest.toFixed(1)} ${units[unit]}`;
}

/**
 * A time of the trace's clock as `seconds.fraction`, as tracefs prints it: six digits, nine where the trace has
 * nanoseconds. Ticks of counting clocks (counter, uptime, x86-tsc) are integers and stay so. `-` when unknown.
 */
export function time(ns: string | null | undefined, ticks?: string): string {
  if (ns === null || ns === undefined) return ticks ?? '-';
  const value = BigInt(ns);
  const abs = value < 0n ? -value : value;
  const fraction = (abs % 1_000_000_000n).toString().padStart(9, '0');
  const short = fraction.endsWith('000') ? fraction.slice(0, 6) : fraction;
  return `${value < 0n ? '-' : ''}${abs / 1_000_000_000n}.${short}`;
}

const UNITS: readonly [bigint, string][] = [
  [1_000_000_000n, 's'],
  [1_000_000n, 'ms'],
  [1_000n, 'us'],
];

/** A span in ns as `850 ns`, `12.3 us`, `3.21 ms`, `4.5 s`, `61.2 s`: three digits that say something. */
export function duration(ns: bigint | string | number): string {
  const value = BigInt(typeof ns === 'number' ? Math.round(ns) : ns);
  if (value < 0n) return `-${duration(-value)}`;
  for (const [size, unit] of UNITS) {
    if (value >= size) {
      const amount = Number(value) / Number(size);
      const digits = amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
      const text = amount.toFixed(digits);
      return `${digits > 0 ? text.replace(/\.?0+$/, '') : text} ${unit}`;
    }
  }
  return `${value} ns`;
}

/** The time between two moments, or null when either is unknown. */
export function between(start: string | null | undefined, end: string | null | undefined): string | null {
  if (start === null || start === undefined || end === null || end === undefined) return null;
  return duration(BigInt(end) - BigInt(start));
}

/** `17.235494 to 17.238705 (3.21 ms)`, one moment alone, or ticks. */
export function span(item: {
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
}): string {
  const start = time(item.start_ns, item.start_ticks);
  const end = time(item.end_ns, item.end_ticks);
  if (start === '-' && end === '-') return 'time unknown';
  const unit = item.start_ns === null && item.start_ticks !== undefined ? ' ticks' : '';
  if (end === '-') return `${start}${unit}`;
  if (start === end) return `${start}${unit}`;
  const length = between(item.start_ns, item.end_ns);
  return `${start} to ${end}${unit}${length === null ? '' : ` (${length})`}`;
}

/**
 * Pages as runs of page frames in ascending order: `0x2fae`, `0x2fb0-0x2fb3`. A folio of order n stands for its 2^n
 * frames, and says so when it is alone: `0x2fc00-0x2fdff`.
 */
export function pageRuns(pages: readonly Pick<FindingPage, 'pfn' | 'order'>[]): string[] {
  const spans = pages
    .map((page) => {
      const first = BigInt(page.pfn);
      return {first, last: first + (1n << BigInt(Math.max(0, page.order))) - 1n};
    })
    .toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const runs: {first: bigint; last: bigint}[] = [];
  for (const next of spans) {
    const run = runs.at(-1);
    if (run !== undefined && next.first <= run.last + 1n) {
      if (next.last > run.last) run.last = next.last;
    } else runs.push({...next});
  }
  return runs.map(({first, last}) => (first === last ? hex(first) : `${hex(first)}-${hex(last)}`));
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** `4 pages: 0x2f7c, 0x2fae, ...`; the runs that do not fit into `most` are counted, not dropped in silence. */
export function pageList(pages: readonly Pick<FindingPage, 'pfn' | 'order'>[], most: number): string {
  const runs = pageRuns(pages);
  const shown = runs.slice(0, most).join(', ');
  const rest = runs.length - most;
  return rest > 0 ? `${shown} and ${counted(rest, 'more run')}` : shown;
}

/** Number of base pages, folios counted by their size. */
export function frames(pages: readonly Pick<FindingPage, 'order'>[]): number {
  return pages.reduce((sum, page) => sum + 2 ** Math.max(0, page.order), 0);
}

/** `wl/309` as kernel logs name a task; its name alone where no pid is printed, `?` where nothing is. */
export function task(comm: string | null, pid: number | null): string {
  if (comm === null && pid === null) return '-';
  const name = comm === null || comm === '' ? '?' : comm;
  return pid === null || pid < 0 ? name : `${name}/${pid}`;
}

/**
 * A count decoded: `1027 = 1 pin + 3 references`. On a small folio a pin adds GUP_PIN_COUNTING_BIAS (1024,
 * include/linux/mm.h) to `_refcount`; on a large one it adds 1 and is counted apart (folio_pincount).
 */
export function decoded(counts: Counts | null): string {
  if (counts === null) return 'unknown';
  const raw = counts.raw === null ? '' : `${counts.raw} = `;
  const pins = counts.pins === 0 ? 'no pin' : counted(counts.pins, 'pin');
  if (counts.refs === null) return `${raw}${pins} + an unknown number of references`;
  const others = counts.refs - counts.pins;
  if (counts.refs === 0) return counts.raw === null ? 'no reference' : `${counts.raw}: no reference left`;
  return `${raw}${pins} + ${counted(others, 'reference')}`;
}

/** The same with `refs` for references, in a column: `1026 = 1 pin + 2 refs`, `2 refs`, `1023 = 1 pin less 1`. */
export function decodedBrief(counts: Counts | null): string {
  if (counts === null) return '';
  const rest = counts.refs === null ? 0 : counts.refs - counts.pins;
  if (rest < 0 && counts.pins > 0) {
    const parts = `${counted(counts.pins, 'pin')} less ${number(-rest)}`;
    return counts.raw === null ? parts : `${counts.raw} = ${parts}`;
  }
  const others = counts.refs === null ? '? refs' : counted(counts.refs - counts.pins, 'ref');
  const parts = counts.pins === 0 ? others : `${counted(counts.pins, 'pin')} + ${others}`;
  return counts.raw === null || (counts.pins === 0 && counts.raw === counts.refs) ? parts : `${counts.raw} = ${parts}`;
}

/** The same in the width of a table cell: `1027: 1p+3`, `?: 2p+?`. */
export function decodedShort(counts: Counts | null): string {
  if (counts === null) return '';
  const others = counts.refs === null ? '?' : String(counts.refs - counts.pins);
  const parts = counts.pins === 0 ? others : `${counts.pins}p+${others}`;
  return counts.raw === null ? parts : `${counts.raw}: ${parts}`;
}

/** Words wrapped to `width` columns; a word longer than a line stands alone, unbroken. */
export function wrap(text: string, width: number, indent = '', firstIndent = indent): string[] {
  const lines: string[] = [];
  let line = firstIndent;
  let empty = true;
  for (const word of text.split(/ +/)) {
    if (word === '') continue;
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line.trimEnd());
  return lines;
}

/**
 * Text cut into pieces of at most `width` columns: at the last blank of the second half where there is one, else where
 * it falls. Blanks inside a piece stay as they are; for trace lines, which are quoted and not reworded.
 */
export function chop(text: string, width: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width);
    const at = blank > width / 2 ? blank : width;
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at === blank ? at + 1 : at);
  }
  return [...pieces, rest];
}

/** At most `width` columns, the cut marked by `...`. */
export function clip(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 3 ? text.slice(0, width) : `${text.slice(0, width - 3)}...`;
}
