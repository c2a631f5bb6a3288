/** The names that renderers give to roles and rules' deciding events. No other analysis is done on a finding here. */
import type {Evidence, Finding, HistoryEntry, Report, RuleStatus, Severity, WindowEnd} from '../results/report.js';
import {counted, number, time} from './format.js';

/** What a line of evidence did to the page, said of the task on whose side it stands. */
const DEEDS: Record<string, string> = {
  pin: 'pins the page',
  get: 'takes a plain reference',
  unpin: 'drops the pin',
  put: 'drops the reference',
  'dma-map': 'maps it for DMA',
  'dma-unmap': 'unmaps it from DMA',
  'dma-complete': 'completes the request',
  'writeback-start': 'starts writeback',
  'writeback-end': 'ends writeback',
  dirty: 'marks it dirty',
  clean: 'clears the dirty flag',
  free: 'frees it',
  alloc: 'allocates it',
  'end-of-owner': 'the owner ends',
  unmap: 'unmaps it from its address space',
};

/** `pins the page`; a role without words of its own is shown as it is. */
export function deed(role: string): string {
  return DEEDS[role] ?? role;
}

/** Roles of the event that makes the finding, by rule, the best first: the moment a drawing points at. */
const DECIDING: Record<string, readonly string[]> = {
  'unpin-while-dma': ['unpin', 'put'],
  'free-while-dma': ['free', 'alloc'],
  'put-while-dma': ['put'],
  'writeback-while-pinned': ['writeback-start', 'pin'],
  'writeback-while-dma': ['writeback-start', 'dma-map'],
  'dirty-after-writeback': ['dirty', 'unpin'],
  'dirty-after-unpin': ['dirty'],
  'put-on-pin': ['put'],
  'unpin-without-pin': ['unpin'],
  'pin-leak': ['end-of-owner', 'pin'],
  'get-leak': ['end-of-owner', 'get'],
  'free-while-pinned': ['free'],
  'dma-without-pin': ['dma-map'],
  'longterm-pin-in-cma': ['pin'],
  'long-pin': ['unpin', 'pin'],
};

/** The same moment in a few words, for the margin of a drawing. */
const MARKS: Record<string, string> = {
  'unpin-while-dma': 'no pin left, DMA still mapped',
  'free-while-dma': 'free, DMA still mapped',
  'put-while-dma': 'no reference left, DMA still mapped',
  'writeback-while-pinned': 'written back while pinned',
  'writeback-while-dma': 'written back under DMA',
  'dirty-after-writeback': 'dirty behind the file system',
  'dirty-after-unpin': 'dirty after its pin was gone',
  'put-on-pin': 'put_page on a pin',
  'unpin-without-pin': 'no such pin',
  'pin-leak': 'owner gone, pin still held',
  'get-leak': 'owner gone, reference still held',
  'free-while-pinned': 'free, still pinned',
  'dma-without-pin': 'DMA without a pin',
  'longterm-pin-in-cma': 'pinned long-term in CMA',
  'long-pin': 'held this long',
};

export function mark(rule: string): string {
  return MARKS[rule] ?? 'here';
}

/**
 * Index of the evidence that the drawing points at: of the lines with the rule's best role the one at the finding's
 * start, where its violation begins; else the last of them; else the last line of all.
 */
export function decidingEvidence(finding: Pick<Finding, 'rule' | 'evidence' | 'start_ns'>): number {
  for (const role of DECIDING[finding.rule] ?? []) {
    const begins = finding.evidence.findLastIndex((item) => item.role === role && item.t_ns === finding.start_ns);
    if (begins >= 0 && finding.start_ns !== null) return begins;
    const at = finding.evidence.findLastIndex((item) => item.role === role);
    if (at >= 0) return at;
  }
  return finding.evidence.length - 1;
}

/** The history entry of the same line of the same input, which knows the task and the CPU. */
export function entryOf(finding: Finding, evidence: Evidence): HistoryEntry | undefined {
  return finding.history.find((entry) => entry.line === evidence.line && entry.input === evidence.input);
}

/** Of a window whose end no event tells. */
export function endText(known: WindowEnd): string {
  if (known === 'superseded') return 'its end is not in this trace: the device mapped the same again';
  return 'its end is not in this trace';
}

/** Roles of tasks and stacks as a label: `pinned by`, `unpinned by`. */
const BY: Record<string, string> = {
  pin: 'pinned by',
  pinned: 'pinned by',
  get: 'taken by',
  taken: 'taken by',
  unpin: 'unpinned by',
  unpinned: 'unpinned by',
  put: 'put by',
  dropped: 'dropped by',
  'dma-map': 'mapped for DMA by',
  'dma-unmap': 'unmapped from DMA by',
  'dma-complete': 'completed by',
  'writeback-start': 'written back by',
  'writeback-end': 'writeback ended by',
  writeback: 'written back by',
  dirty: 'marked dirty by',
  free: 'freed by',
  freed: 'freed by',
  alloc: 'allocated by',
  'end-of-owner': 'owner ended by',
};

export function byLabel(role: string): string {
  return BY[role] ?? role;
}

export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];

/** `2 errors, 1 warning (1 only possible)`, or that nothing was found. */
export function tally(report: Report): string {
  const parts = SEVERITIES.filter((severity) => report.summary.by_severity[severity] > 0).map((severity) =>
    counted(report.summary.by_severity[severity], severity),
  );
  if (parts.length === 0) return 'no findings';
  const possible = report.summary.by_verdict.possible;
  const all = report.summary.by_verdict.sure + possible;
  if (possible === 0) return parts.join(', ');
  return `${parts.join(', ')} (${possible === all ? (all === 1 ? 'only possible' : 'all only possible') : `${number(possible)} only possible`})`;
}

/** What the tallies are out of: `in 310 pins of 1,234 pages, 88 DMA mappings and 12 writebacks`. */
export function lookedAt(report: Report): string {
  const {pages, pins, gets, dma_windows, writebacks} = report.summary;
  return [
    counted(pages, 'page'),
    counted(pins, 'pin'),
    counted(gets, 'get_user_pages reference'),
    counted(dma_windows, 'DMA mapping'),
    counted(writebacks, 'writeback'),
  ].join(', ');
}

/** Nothing found is said with what was looked at: of an empty trace it means nothing. */
export function nothingFound(report: Report): string {
  return `Nothing found in ${lookedAt(report)}, by the rules that ran.`;
}

export function unrun(report: Report): RuleStatus[] {
  return report.rules.filter((rule) => rule.status === 'not-run');
}

export function partly(report: Report): RuleStatus[] {
  return report.rules.filter((rule) => rule.status === 'partial');
}

/** The last line of every text form. Never "clean" when something could not be judged. */
export function verdictLine(report: Report): string {
  const missing = unrun(report).length;
  const ran = report.rules.length - missing;
  const rules =
    missing === 0
      ? `all ${ran} rules ran`
      : `${ran} of ${report.rules.length} rules ran, ${missing} could not for lack of events`;
  const suppressed = report.summary.suppressed > 0 ? `; ${number(report.summary.suppressed)} suppressed` : '';
  const cut = report.partial === undefined ? '' : '; stopped early';
  const head = tally(report);
  return `${head.charAt(0).toUpperCase()}${head.slice(1)}; ${rules}${suppressed}${cut}.`;
}

/** Advice behind what it is about; nothing where there is none. */
export function advice(text: string): string {
  return text === '' ? '' : `; ${text}`;
}

/** `mono, 17.012627 to 23.912312 (6.9 s)` as words about the clock. */
export function clockText(report: Pick<Report, 'clock' | 'span'>): string {
  const {clock, span} = report;
  const name = clock.name ?? 'clock not named';
  const from = time(span.start_ns, span.start_ticks);
  const to = time(span.end_ns, span.end_ticks);
  const unit = clock.unit === 'ticks' ? ' ticks (no durations)' : '';
  return `${name}, ${from} to ${to}${unit} (${clock.known_by})`;
}

export function kernelText(report: Pick<Report, 'kernel'>): string {
  return `${report.kernel.release ?? 'release not known'} (${report.kernel.known_by})`;
}

/** Which numbers a cut leaves out: `12 more not shown (--limit 0 shows all)`. */
export function cutText(hidden: number): string {
  return `${number(hidden)} more not shown (--limit 0 shows all)`;
}

/** The command to type again, quoted for a POSIX shell where a word needs it. */
export function commandText(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(' ');
}
