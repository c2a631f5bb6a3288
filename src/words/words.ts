/** The names that renderers give to roles and rules' deciding events. No other analysis is done on a finding here. */
import type {Evidence, Finding, HistoryEntry, Report, RuleStatus, WindowEnd} from '../results/report.js';
import {between, counted, number, time} from './format.js';

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
  return: 'the call returns',
  'count-left': 'leaves the count too high',
  dirty: 'marks it dirty',
  clean: 'clears the dirty flag',
  free: 'frees it',
  alloc: 'allocates it',
  'end-of-owner': 'the owner ends',
  fault: 'touches it after its unmap',
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
  'pin-leak': ['end-of-owner'],
  'get-leak': ['end-of-owner'],
  'free-while-pinned': ['free'],
  'dma-without-pin': ['dma-map'],
  'longterm-pin-in-cma': ['pin'],
  'dma-after-unmap': ['fault'],
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
  'dma-after-unmap': 'touched after its unmap',
  'long-pin': 'held this long',
};

/** `role`: that of the line which the mark stands at. */
export function mark(rule: string, role?: string): string {
  if (rule === 'writeback-while-pinned' && role === 'pin') return 'pinned while under writeback';
  if (rule === 'writeback-while-dma' && role === 'dma-map') return 'mapped while under writeback';
  if ((rule === 'pin-leak' || rule === 'get-leak') && role !== 'end-of-owner') return 'still held at the end';
  return MARKS[rule] ?? 'here';
}

/**
 * Index of the evidence that the drawing points at: of the lines with one of the rule's roles the one at the finding's moment;
 * else the last with the best of these roles; else the last line of all.
 */
export function decidingEvidence(finding: Pick<Finding, 'rule' | 'evidence' | 'at_ns' | 'at_ticks'>): number {
  const roles = DECIDING[finding.rule] ?? [];
  const moment = finding.at_ns ?? finding.at_ticks ?? null;
  for (const role of roles) {
    const now = finding.evidence.findLastIndex(
      (item) => item.role === role && moment !== null && (item.t_ns ?? item.t_ticks) === moment,
    );
    if (now >= 0) return now;
  }
  for (const role of roles) {
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

/** What the tallies are out of: `in 310 pins of 1,234 pages, 88 DMA mappings and 12 writebacks`. */
export function lookedAt(report: Report): string {
  const {pages, pins, gets, dma_windows, iommu_mappings: iommu, writebacks} = report.summary;
  return [
    counted(pages, 'page'),
    counted(pins, 'pin'),
    counted(gets, 'get_user_pages reference'),
    counted(dma_windows, 'DMA mapping'),
    ...(iommu === undefined ? [] : [counted(iommu, 'IOMMU mapping')]),
    counted(writebacks, 'writeback'),
  ].join(', ');
}

export function unrun(report: Report): RuleStatus[] {
  return report.rules.filter((rule) => rule.status === 'not-run');
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
  const {release, range, known_by} = report.kernel;
  if (release !== null) return `Linux ${release} (${known_by})`;
  return range === null ? `release not known (${known_by})` : `Linux ${range} (by ${known_by})`;
}

/** `38 s from 23.898148, clock mono` */
export function clockBrief({clock, span}: Pick<Report, 'clock' | 'span'>): string {
  const length = between(span.start_ns, span.end_ns);
  const from = time(span.start_ns, span.start_ticks);
  const name = clock.name === null ? '' : `, clock ${clock.name}`;
  if (length !== null) return `${length} from ${from}${name}`;
  const to = time(span.end_ns, span.end_ticks);
  return from === '-' ? `no times${name}` : `${from} to ${to}${clock.unit === 'ticks' ? ' ticks' : ''}${name}`;
}

/** Which numbers a cut leaves out: `12 more not shown (--limit 0 shows all)`, `12 more rows not shown (...)`. */
export function cutText(hidden: number, what?: string): string {
  const items = what === undefined ? number(hidden) : counted(hidden, `more ${what}`);
  return `${items}${what === undefined ? ' more' : ''} not shown (--limit 0 shows all)`;
}

/** A path without its folders; standard input by its name. */
export function baseName(path: string): string {
  return path === '-' ? 'standard input' : (path.split('/').at(-1) ?? path);
}

/** The command with files by their names alone: the reporter's folders are nobody's business. */
export function repeatable({command, inputs}: Pick<Report, 'command' | 'inputs'>): string[] {
  const paths = new Set(inputs.map(({path}) => path));
  return command.map((word) => {
    if (paths.has(word)) return baseName(word);
    const [, flag = '', path = word] = /^(--[\w-]+=)(.*)$/.exec(word) ?? [];
    return /^(?:\/|\.{1,2}\/|~)/.test(path) ? `${flag}${baseName(path)}` : word;
  });
}

/** The command to type again, quoted for a POSIX shell where a word needs it. */
export function commandText(words: readonly string[]): string {
  return words
    .map((word) => {
      if (/^[\w@%+=:,./-]+$/.test(word)) return word;
      if (!word.includes("'")) return `'${word}'`;
      return /["$`\\!]/.test(word) ? `'${word.replaceAll("'", String.raw`'\''`)}'` : `"${word}"`;
    })
    .join(' ');
}
