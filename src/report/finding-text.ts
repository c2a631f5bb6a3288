/** One finding as lines of plain text: what the terminal and the mail say alike. */
import {type Noun, nounOf, nounOfFinding} from '../words/place.js';
import {ascii, printable, untabbed} from '../words/clean.js';
import {
  chop,
  clip,
  between,
  counted,
  decoded,
  decodedShort,
  frames,
  pageList,
  span,
  task,
  time,
  wrap,
} from '../words/format.js';
import {stackLines, trimmed} from './stacks.js';
import type {Finding, HistoryEntry, Report, Window} from '../results/report.js';
import {byLabel, endText} from '../words/words.js';

/** Facts of a finding as `[label, text]`, in the order people ask for them. Texts are printable. */
export function facts(report: Pick<Report, 'findings'>, finding: Finding, mostRuns: number): [string, string][] {
  const list: [string, string][] = [];
  const total = frames(finding.pages);
  const folios = finding.pages.filter((page) => page.order > 0);
  const order = folios.length === 0 ? '' : ` (${counted(folios.length, 'large folio')}, order ${orders(folios)})`;
  list.push(['pages', `${counted(total, 'page')}${order}: ${pageList(finding.pages, mostRuns)}`]);
  list.push(['when', `${span(finding)}${occurrences(finding)}`]);
  for (const who of finding.tasks) {
    const group = who.tgid === undefined || who.tgid === who.pid ? '' : `, thread of ${who.tgid}`;
    list.push([byLabel(who.role), printable(`${task(who.comm, who.pid)}${group}`)]);
  }
  if (finding.device !== undefined) list.push(['device', printable(finding.device)]);
  const what = kindText(finding);
  if (what !== null) list.push([finding.kind === 'file' ? 'file' : 'page', printable(what)]);
  const {before, after} = finding.counts;
  if (before !== null) list.push(['count before', decoded(before)]);
  if (after !== null) list.push(['count after', decoded(after)]);
  for (const window of toldWindows(finding)) {
    const label = window.label === window.kind ? '' : `${printable(window.label)}: `;
    list.push([
      window.kind === 'dma' ? 'DMA window' : window.kind,
      `${label}${windowSpan(window, nounOfFinding(finding))}`,
    ]);
  }
  if (finding.reason !== null) list.push(['only possible', printable(finding.reason)]);
  if (finding.related.length > 0) list.push(['same deed as', kinText(report, finding)]);
  return list;
}

/** Kin by key and rule: `27e5412a (dirty-after-writeback)`. */
function kinText({findings}: Pick<Report, 'findings'>, {related}: Finding): string {
  return related
    .map((id) => {
      const kin = findings.find((other) => other.id === id);
      return kin === undefined ? id : `${kin.key} (${kin.rule})`;
    })
    .join(', ');
}

/** What the first page was at that moment; null where it is not known. */
function kindText({kind, file}: Finding): string | null {
  if (file === undefined) return kind === 'unknown' ? null : kind === 'file' ? 'of a file' : 'anonymous memory';
  return `device ${file.dev}, inode ${file.ino}${blockDevice(file)}, page index ${file.index}`;
}

/**
 * The inode of a block device has the number of the device: major << 20 | minor (block/bdev.c, bdev_add), on a device of major 0
 * as all file systems without a disk have.
 */
function blockDevice({dev, ino}: NonNullable<Finding['file']>): string {
  const number = Number(ino);
  const major = Math.floor(number / 2 ** 20);
  if (!dev.startsWith('0:') || !(major > 0 && major < 512)) return '';
  return ` (perhaps the block device ${major}:${number % 2 ** 20})`;
}

/** Most windows told where the finding does not say which decide. */
const WINDOWS_TOLD = 4;

/** The windows that make the finding; where it does not say which, those that were open at its moment. */
function toldWindows(finding: Finding): Window[] {
  const deciding = finding.windows.filter((window) => window.decides === true);
  if (deciding.length > 0) return deciding;
  const others = finding.windows.filter(({kind}) => kind === 'dma' || kind === 'writeback');
  const {at_ns} = finding;
  if (at_ns === null) return others.slice(0, WINDOWS_TOLD);
  const at = BigInt(at_ns);
  return others
    .filter(({start_ns, end_ns}) => {
      const ended = end_ns !== null && BigInt(end_ns) < at;
      return start_ns !== null && BigInt(start_ns) <= at && !ended;
    })
    .slice(-WINDOWS_TOLD);
}

/** Columns that a proof's last column needs. */
const LEAST = 22;

/** What had to hold, one a line: the premise, in words, and the lines that prove it, or why nothing does. */
export function proofLines(finding: Finding, width: number, indent: string): string[] {
  const proof = premisesOf(finding);
  if (proof.length === 0) return [];
  const noun = nounOfFinding(finding);
  const name = Math.max(...proof.map(({premise}) => premise.length));
  const says = Math.max(...proof.map((item) => item.says.length));
  return proof.flatMap((item) => {
    const head = `${indent}${printable(item.premise).padEnd(name)}  ${printable(item.says).padEnd(says)}  `;
    const lines = item.by.map(({line}) => String(line));
    const by = lines.length === 0 ? '' : `${noun}${lines.length === 1 ? '' : 's'} ${lines.join(', ')}`;
    const why = item.proven ? '' : `not proven${item.why === undefined ? '' : `: ${printable(item.why)}`}`;
    const text = [why, by].filter((part) => part !== '').join('; ');
    if (text === '') return [head.trimEnd()];
    if (head.length + LEAST <= width) return wrap(text, width, ' '.repeat(head.length), head);
    return [head.trimEnd(), ...wrap(text, width, `${indent}    `)];
  });
}

/** The premises, each once: of several windows or pages one may be said twice, by the same lines. */
export function premisesOf({proof}: Pick<Finding, 'proof'>): Finding['proof'] {
  const told = new Set<string>();
  return proof.filter((premise) => {
    const text = JSON.stringify(premise);
    if (told.has(text)) return false;
    told.add(text);
    return true;
  });
}

/** Most entries of a history shown with a finding: those about its moment. */
const ABOUT = 10;

/** The changes about the moment of a finding, and how many are left out before and after. */
export function aboutMoment(finding: Finding, most = ABOUT): {entries: HistoryEntry[]; before: number; after: number} {
  const {history, at_ns, at_ticks} = finding;
  const moment = at_ns ?? at_ticks;
  const past = (entry: HistoryEntry): boolean => {
    const at = entry.t_ns ?? entry.t_ticks;
    return at !== null && at !== undefined && moment !== undefined && moment !== null && BigInt(at) > BigInt(moment);
  };
  const next = history.findIndex(past);
  const middle = next < 0 ? history.length : next;
  const from = Math.max(0, Math.min(middle - Math.ceil(most / 2), history.length - most));
  const entries = history.slice(from, from + most);
  return {entries, before: from, after: history.length - from - entries.length};
}

/** When a window was open; by lines of the trace where the clock has no seconds. */
function windowSpan(window: Finding['windows'][number], noun: Noun): string {
  const timed = window.start_ns !== null;
  const start = timed ? time(window.start_ns) : `${noun} ${window.start_line ?? '?'}`;
  if (window.end_ns === null && window.end_line === null) return `${start}, ${endText(window.end_known)}`;
  const length = between(window.start_ns, window.end_ns);
  const end = timed ? time(window.end_ns) : `${noun} ${window.end_line ?? '?'}`;
  return `${start} to ${end}${length === null ? '' : ` (${length})`}`;
}

function orders(pages: Finding['pages']): string {
  return [...new Set(pages.map((page) => page.order))].toSorted((a, b) => a - b).join(', ');
}

function occurrences(finding: Finding): string {
  return finding.occurrences > finding.pages.length ? `, ${counted(finding.occurrences, 'time')} over all pages` : '';
}

/** Facts as an aligned block of at most `width` columns. */
export function factLines(list: [string, string][], width: number, indent: string): string[] {
  const label = Math.max(...list.map(([name]) => name.length));
  return list.flatMap(([name, text]) =>
    wrap(text, width, `${indent}${' '.repeat(label + 2)}`, `${indent}${name.padEnd(label)}  `),
  );
}

/** Stacks one under the other, one frame a line, cut to `width` only where a frame alone is longer. */
export function stackBlock(finding: Finding, indent: string, most?: number): string[] {
  return trimmed(finding.stacks, most).flatMap((stack) => [
    `${indent}${printable(byLabel(stack.role))}`,
    ...stackLines(stack).map((line) => `${indent}  ${printable(line)}`),
  ]);
}

/** `pin +1024`, `dropped pin -1024`: what an entry of a history did, without who and when. */
export function change(entry: HistoryEntry): string {
  const kind = entry.kind === null ? '' : `${entry.kind} `;
  const delta = entry.delta === null ? '' : entry.delta > 0 ? `+${entry.delta}` : String(entry.delta);
  if (entry.what === 'taken' || entry.what === 'dropped') return `${entry.what} ${kind}${delta}`.trimEnd();
  if (entry.what === 'folded') return '...';
  return `${entry.what} ${kind}${delta}`.trimEnd();
}

/** A comm of 15 bytes, a slash and a pid of seven digits. */
const MOST_TASK = 23;

/** The history of the first page: time, CPU, task, change, decoded count, line; notes go under their entry. */
export function historyLines(entries: readonly HistoryEntry[], noun: Noun, width: number, indent: string): string[] {
  if (entries.length === 0) return [];
  const rows = entries.map((entry) => ({
    cells: [
      time(entry.t_ns, entry.t_ticks),
      entry.cpu === null ? '' : String(entry.cpu),
      clip(ascii(task(entry.task, entry.pid)), MOST_TASK),
      ascii(change(entry)),
      decodedShort(entry.counts),
      entry.line > 0 ? String(entry.line) : '',
    ],
    note: entry.note,
  }));
  const heads = ['time', 'cpu', 'task', 'change', 'count', noun];
  const widths = heads.map((head, at) =>
    rows.reduce((widest, row) => Math.max(widest, row.cells[at]?.length ?? 0), head.length),
  );
  const rightward = new Set([1, 5]);
  const line = (cells: string[]): string =>
    `${indent}${cells
      .map((cell, at) => (rightward.has(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')}`.trimEnd();
  const noteIndent = `${indent}${' '.repeat((widths[0] ?? 0) + 2)}`;
  const lines = [line(heads)];
  for (const row of rows) {
    if (row.cells[3] === '...' && row.note !== null) {
      lines.push(...wrap(`... ${ascii(row.note)}`, width, noteIndent));
      continue;
    }
    lines.push(line(row.cells));
    if (row.note !== null) lines.push(...wrap(ascii(row.note), width, `${noteIndent}  `));
  }
  return lines;
}

/** A run of deciding lines in the same role: the first ones to show, and the numbers of those like them. */
export interface EvidenceRun {
  shown: number[];
  rest: number[];
}

/** A finding with more deciding lines than this is a deed on several pages, or done several times. */
const MANY_LINES = 8;
/** Most runs shown: a deed done again and again has as many as times. */
const MOST_RUNS = 8;

/**
 * Deciding lines for people: where there are many, each run of lines in one role (the same deed on several pages) is
 * its first two, and the numbers of the others; what follows after some runs is only counted. A line by which a premise is
 * proven is not among the others: it begins a run of its own. JSON has every line.
 */
export function evidenceRuns(finding: Finding): {runs: EvidenceRun[]; left: number} {
  const runs: {role: string; at: number[]}[] = [];
  for (const [at, item] of finding.evidence.entries()) {
    const run = runs.at(-1);
    if (run !== undefined && run.role === item.role) run.at.push(at);
    else runs.push({role: item.role, at: [at]});
  }
  const proving = new Set(finding.proof.flatMap(({by}) => by.map(({input, line}) => `${input} ${line}`)));
  const proves = (at: number): boolean => proving.has(`${finding.evidence[at]?.input} ${finding.evidence[at]?.line}`);
  for (let n = 0; n < runs.length; n++) {
    const {role, at} = runs[n]!;
    const next = proves(at[0]!) ? -1 : at.findIndex(proves);
    if (next > 0) runs.splice(n, 1, {role, at: at.slice(0, next)}, {role, at: at.slice(next)});
  }
  if (finding.evidence.length <= MANY_LINES) return {runs: runs.map(({at}) => ({shown: at, rest: []})), left: 0};
  return {
    runs: runs.slice(0, MOST_RUNS).map(({at}) => ({shown: at.slice(0, 2), rest: at.slice(2)})),
    left: runs.slice(MOST_RUNS).reduce((sum, {at}) => sum + at.length, 0),
  };
}

/** Above the lines of evidence; records have none: what is shown was made of them. */
export function evidenceTitle(finding: Finding, ofLines: string): string {
  return finding.evidence.some(({rendered}) => rendered === true)
    ? 'The records that decide it, rendered by pinscope as tracefs prints them:'
    : ofLines;
}

/** `4 more lines like these: 3642, 3643, 3644, 3645`. */
export function restText(finding: Finding, rest: number[]): string {
  const numbers = rest.slice(0, 8).map((at) => String(finding.evidence[at]?.line ?? '?'));
  const more = rest.length > 8 ? ', ...' : '';
  const noun = rest.some((at) => finding.evidence[at]?.rendered === true) ? 'more record' : 'more line';
  return `${counted(rest.length, noun)} like this: ${numbers.join(', ')}${more}`;
}

/** `12 more lines, of the same deed done again (--to json has them)`. */
export function leftText(finding: Finding, left: number): string {
  return `${counted(left, `more ${nounOfFinding(finding)}`)}, of the same deed done again (--to json has them all)`;
}

/** `line 3641 of trace.txt, drops the pin` and the line itself. */
export function evidenceHead(report: Report, finding: Finding, at: number): string {
  const item = finding.evidence[at];
  if (item === undefined) return '';
  const file =
    report.inputs.length > 1 ? ` of ${printable(report.inputs[item.input]?.path ?? `input ${item.input}`)}` : '';
  const where = item.rendered === true && item.cpu !== undefined ? `, CPU ${item.cpu}` : '';
  return `${nounOf(report.inputs[item.input])} ${item.line}${where}${file} (${printable(item.role)})`;
}

/** Most of a long line's end that is kept: the last fields, such as `val=-1024 ret=0`. */
const TAIL = 18;

/**
 * An original line in at most two lines of `width` columns: blanks squeezed; of a longer one who, when, the event and its first
 * field are kept, and its last fields.
 */
export function squeezed(text: string, width: number): string[] {
  const line = printable(untabbed(text)).trim().replace(/ {2,}/g, ' ');
  if (line.length <= width) return [line];
  const blank = line.indexOf(' ', line.length - TAIL);
  const tail = `... ${blank < 0 ? line.slice(line.length - TAIL) : line.slice(blank + 1)}`;
  const colon = line.indexOf(': ', line.indexOf(': ') + 2);
  const field = line.indexOf(' ', colon + 2);
  const least = colon < 0 || field < 0 ? 0 : field;
  const room = width - tail.length - 1;
  const cut = line.lastIndexOf(' ', room);
  if (cut >= Math.max(least, width / 3)) return [`${line.slice(0, cut)} ${tail}`];
  const [head = '', ...rest] = chop(line, width);
  return rest.length === 0 ? [head] : [head, `  ${clip(tail, width - 2)}`];
}

/** An original line, printable, its leading blanks kept. */
export function evidenceText(text: string): string {
  return printable(untabbed(text));
}
