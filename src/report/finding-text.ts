/** One finding as lines of plain text, as the terminal and the mail say it: its facts, its proof, its stacks. */
import {type Noun, nounOfFinding} from '../words/place.js';
import {printable} from '../words/clean.js';
import {deviceText} from '../words/file.js';
import {between, counted, decoded, frames, pageList, span, task, time, wrap} from '../words/format.js';
import {stackLines, trimmed} from './stacks.js';
import type {Finding, Report, Window} from '../results/report.js';
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
  return ` (perhaps the block device ${deviceText(number)})`;
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
