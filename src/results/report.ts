/**
 * The typed report: what every output form renders and what `--to json` prints as it stands (contract v1,
 * `pinscope.report/1`). 64-bit values are strings: PFNs and addresses as `"0x2fb0"`, times in ns as decimal strings.
 * Renderers read this and nothing else; they do no analysis.
 */
export type Severity = 'error' | 'warning' | 'note';
export type Verdict = 'sure' | 'possible';

export interface Report {
  schema: 'pinscope.report/1';
  tool: {name: 'pinscope'; version: string};
  /** the command as typed, one string per word: `['pinscope', 'analyze', 'trace.txt']` */
  command: string[];
  inputs: ReportInput[];
  clock: {name: string | null; unit: 'ns' | 'ticks' | null; known_by: string};
  span: {start_ns: string | null; end_ns: string | null; start_ticks?: string; end_ticks?: string};
  kernel: {release: string | null; known_by: string; signals: string[]};
  quality: QualityCounter[];
  rules_version: string;
  rules: RuleStatus[];
  summary: Summary;
  findings: Finding[];
  /** how close the good cases came, for the rules about order */
  near_misses: NearMiss[];
  timing: {seconds: number; events_per_second: number; bytes_per_second: number; peak_rss_bytes: number};
  /** set when the run was cut short (Ctrl-C): the report covers what was read until then */
  partial?: string;
}

export interface ReportInput {
  path: string;
  format: string;
  /** why it was taken for that form */
  evidence: string[];
  compression: 'none' | 'gzip' | 'zstd' | 'xz';
  /** as read from disk or pipe */
  bytes: number;
  lines: number;
  events: number;
  unrecognised: {count: number; first: {line: number; text: string}[]};
  /** of the bytes as read */
  sha256: string;
  /** set when the input ended early: a cut gzip, a read error */
  cut?: string;
}

export interface QualityCounter {
  id: string;
  severity: Severity;
  count: number;
  cpu?: number;
  /** what it is, in words */
  message: string;
  advice: string;
}

export interface RuleStatus {
  id: string;
  status: 'ran' | 'partial' | 'not-run';
  /** events whose absence limits the rule */
  missing: string[];
  advice: string;
}

export interface Summary {
  by_rule: Record<string, number>;
  by_severity: Record<Severity, number>;
  by_verdict: Record<Verdict, number>;
  pages: number;
  pins: number;
  gets: number;
  dma_windows: number;
  writebacks: number;
  suppressed: number;
  suppressions: {entry: string; hits: number}[];
}

export interface Finding {
  /** `F1`, `F2`... in order of importance, then time */
  id: string;
  rule: string;
  severity: Severity;
  verdict: Verdict;
  /** why only possible; null when sure */
  reason: string | null;
  pages: FindingPage[];
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
  occurrences: number;
  related: string[];
  tasks: {role: string; comm: string; pid: number; tgid?: number}[];
  stacks: {role: string; frames: string[]}[];
  device?: string;
  file?: {dev: string; ino: string; index: string};
  message: string;
  evidence: Evidence[];
  /** the life of the first page around the finding, oldest first, repeats folded */
  history: HistoryEntry[];
  /** spans to draw for the first page: references, DMA, writeback */
  windows: Window[];
  /** replayed counts of the first page right before and after the deciding event */
  counts: {before: Counts | null; after: Counts | null};
}

export interface FindingPage {
  pfn: string;
  order: number;
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
  occurrences: number;
}

export interface Counts {
  /** references of every kind, as counted (pins count 1 each); null when the count before the trace is unknown */
  refs: number | null;
  /** of which pins */
  pins: number;
  /** the kernel's raw `_refcount` as printed or replayed; null when not known */
  raw: number | null;
}

/** An original line of the trace that decides the finding. */
export interface Evidence {
  /** pin, get, dma-map, unpin, put, dma-unmap, writeback-start, writeback-end, dirty, free, alloc, end-of-owner, ... */
  role: string;
  input: number;
  line: number;
  text: string;
  t_ns?: string;
  /** instead of it, on a counting clock */
  t_ticks?: string;
  cpu?: number;
  /** the task named by the line (in IRQ context: the interrupted one) */
  task?: string;
  pid?: number;
}

export interface HistoryEntry {
  t_ns: string | null;
  t_ticks?: string;
  cpu: number | null;
  task: string | null;
  pid: number | null;
  line: number;
  input: number;
  /** one of: alloc, free, taken, dropped, dma-map, dma-unmap, writeback-start, writeback-end, dirty, clean, freeze, unfreeze, set, cache-add, cache-delete, gap, folded */
  what: string;
  /** kind of the reference taken or dropped: pin, get, mapping, page-cache, lru-batch, writeback, private, transient, unknown */
  kind: string | null;
  /** change of the raw count; null when none or unknown */
  delta: number | null;
  /** how the kind is known: probe, delta, stack, count, guess */
  known_by: string | null;
  /** words: `dropped: taken at line 120 by wl/309 (1.2 ms ago)`, `12 more like this` */
  note: string | null;
  counts: Counts | null;
  frames?: string[];
}

export interface Window {
  kind: 'pin' | 'get' | 'dma' | 'writeback';
  label: string;
  start_ns: string | null;
  /** null: still open at the end of the trace */
  end_ns: string | null;
  open: boolean;
  line: number;
  end_line: number | null;
}

export interface NearMiss {
  /** the rule that the good cases came near to */
  rule: string;
  /** `dma-unmap to unpin`, `unpin to writeback` */
  what: string;
  device: string | null;
  stack: string[] | null;
  count: number;
  min_ns: string;
  p1_ns: string;
  p50_ns: string;
  /** the smallest: where to look */
  at: {pfn: string; input: number; line: number};
}
