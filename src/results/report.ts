/**
 * The typed report: what every output form renders and what `--to json` prints as it stands (`pinscope.report/2`). 64-bit values are strings: PFNs and addresses as `"0x2fb0"`, times in ns as decimal strings.
 * Renderers read this and nothing else; they do no analysis.
 */
export type Severity = 'error' | 'warning' | 'note';
export type Verdict = 'sure' | 'possible';

export interface Report {
  schema: 'pinscope.report/2';
  tool: {name: 'pinscope'; version: string};
  /** the command as typed, one string per word: `['pinscope', 'analyze', 'trace.txt']` */
  command: string[];
  inputs: ReportInput[];
  clock: {name: string | null; unit: 'ns' | 'ticks' | null; known_by: string};
  span: {start_ns: string | null; end_ns: string | null; start_ticks?: string; end_ticks?: string};
  /** `range`: what the signals leave, where no release is told: `6.12 or later` */
  kernel: {release: string | null; range: string | null; known_by: string; signals: string[]};
  quality: QualityCounter[];
  rules_version: string;
  rules: RuleStatus[];
  summary: Summary;
  /** what was asked for, and what that left out */
  selection: ReportSelection;
  /** what findings have in common, the gravest first */
  causes: Cause[];
  /** with `--by page`, `task` or `file`: the same findings summed up by these */
  groups?: ReportGroups;
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
  /** names of its events, the most frequent first; the first 40 */
  event_names: string[];
  unrecognised: {count: number; first: {line: number; text: string}[]};
  /** of the bytes as read; in the forms that are sent, and with --sha256 */
  sha256?: string;
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
  /** the same, one by one: what is not shown, how to record it; of a rule that ran in part what it misses without it */
  lacks: {need: string; what: string; record: string; misses?: string}[];
}

export interface Summary {
  by_rule: Record<string, number>;
  by_severity: Record<Severity, number>;
  by_verdict: Record<Verdict, number>;
  pages: number;
  pins: number;
  gets: number;
  dma_windows: number;
  /** made by users of the IOMMU API (VFIO, iommufd), outside of dma_map_*() calls; left out when there are none */
  iommu_mappings?: number;
  writebacks: number;
  suppressed: number;
  suppressions: {entry: string; hits: number}[];
}

/** The filters of this run. Without any, `shown` and `found` are equal. */
export interface ReportSelection {
  /** as typed: `{flag: '--comm', value: 'fio'}` */
  filters: {flag: string; value: string}[];
  /** findings within them */
  shown: number;
  /** findings of the whole trace */
  found: number;
  left_out: number;
}

/** Findings with one culprit: the same rule, severity and device, the same hands that took and dropped. */
export interface Cause {
  /** `C1`, `C2`... the gravest first; of this report only: a finding's key lasts */
  id: string;
  rule: string;
  severity: Severity;
  device: string | null;
  taken_by: Party | null;
  /** who unpinned, put or freed */
  dropped_by: Party | null;
  /** who did the rest that makes the finding: wrote back, marked dirty, mapped */
  acted_by: Party | null;
  findings: number;
  /** different page frames, folios counted by their size */
  pages: number;
  occurrences: number;
  sure: number;
  possible: number;
  /** start of the first and end of the last of its findings */
  first_ns: string | null;
  last_ns: string | null;
  first_ticks?: string;
  last_ticks?: string;
  /** the finding with the greatest distance between its deciding events, a sure one where there is one; of none, the first */
  worst: {distance_ns: string | null; key: string};
  /** files of its findings' pages, the most frequent first; the first 8 */
  files: {dev: string; ino: string; findings: number}[];
  /** the cause whose deeds these are too, seen by another rule: `C2` */
  kin_of: string | null;
}

/** Findings by page, task or file; a finding of several is in the row of each. */
export interface ReportGroups {
  by: 'page' | 'task' | 'file';
  rows: {
    name: string;
    findings: number;
    by_severity: Record<Severity, number>;
    sure: number;
    by_rule: Record<string, number>;
    worst: {distance_ns: string | null; key: string};
  }[];
}

/** Those on one side of a cause. */
export interface Party {
  /** what they did, as an evidence role: pin, get, unpin, put, free, writeback, dirty, dma-map */
  role: string;
  /** in words: `vendor_dma_done`, `fio`, `an interrupt` */
  name: string;
  known_by: 'stack' | 'function' | 'interrupt' | 'comm';
  /** names of tasks, the most frequent first; workers of one kind are one name; the first 8 */
  comms: string[];
  /** the frames that tell, innermost first, where stacks were traced */
  frames?: string[];
}

export interface Finding {
  /** `F1`, `F2`... in order of importance, then time: its place in this report */
  id: string;
  /** a short fingerprint of rule, page and deciding lines: the same in every run over the same trace, whatever the filters */
  key: string;
  /** id of its cause: `C1` */
  cause: string;
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
  /** the moment that makes it a finding: the unpin, the start of the writeback... */
  at_ns: string | null;
  at_ticks?: string;
  /** between its two deciding events, where it has two; null on counting clocks and where the second was not seen */
  distance_ns: string | null;
  occurrences: number;
  /** ids of findings of the same deed under other rules */
  related: string[];
  /** `interrupt`: done in an interrupt, the task is only the one that was interrupted */
  tasks: {role: string; comm: string; pid: number; tgid?: number; interrupt?: true}[];
  stacks: {role: string; frames: string[]}[];
  device?: string;
  /** what the first page was at that moment */
  kind: 'file' | 'anonymous' | 'unknown';
  /** of the first page at that moment, where known */
  file?: {dev: string; ino: string; index: string};
  message: string;
  /** what had to hold for the finding, each with the lines that prove it, or why nothing does */
  proof: Premise[];
  evidence: Evidence[];
  /** the life of the first page around the finding, oldest first, repeats folded */
  history: HistoryEntry[];
  /** spans of the first page about the moment: references, DMA, writeback, those that decide first */
  windows: Window[];
  /** replayed counts of the first page right before and after the deciding event */
  counts: {before: Counts | null; after: Counts | null};
}

/** One premise of a finding. A sure finding has all of them proven; a possible one at least one that is not. */
export interface Premise {
  /** held, last, owns, live, before, of-file, anonymous, under-writeback, freed, never, ... */
  premise: string;
  /** in a few words: `it was a pin` */
  says: string;
  proven: boolean;
  /** the lines that prove it */
  by: {input: number; line: number}[];
  /** why it is not proven, and what to record to see it */
  why?: string;
}

export interface FindingPage {
  pfn: string;
  order: number;
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
  occurrences: number;
  /** of findings with several pages, of the first 32: this page's own moment, windows and deciding lines */
  at_ns?: string | null;
  at_ticks?: string;
  windows?: Window[];
  lines?: {role: string; input: number; line: number; t_ns?: string}[];
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
  /** the input is a recording: `line` is the number of the record, and `text` was made of it as tracefs would print it */
  rendered?: true | undefined;
  /** pin, get, dma-map, unpin, put, dma-unmap, writeback-start, writeback-end, dirty, free, alloc, end-of-owner, ... */
  role: string;
  input: number;
  line: number;
  text: string;
  t_ns?: string | undefined;
  /** instead of it, on a counting clock */
  t_ticks?: string | undefined;
  cpu?: number | undefined;
  /** the task named by the line (in IRQ context: the interrupted one) */
  task?: string | undefined;
  pid?: number | undefined;
}

export interface HistoryEntry {
  t_ns: string | null;
  t_ticks?: string;
  cpu: number | null;
  task: string | null;
  pid: number | null;
  line: number;
  input: number;
  /** one of: alloc, free, taken, dropped, dma-map, dma-unmap, dma-complete, writeback-start, writeback-end, dirty, clean, freeze, unfreeze, set, cache-add, cache-delete, refused, mark, gap, folded */
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

/**
 * How an end of a window is known: by an event of its own (`pin`, `get`, `map`, `writeback-start`; `unpin`, `put`, `unmap`,
 * `writeback-end`, `completion` of its request, `free` of the page, `flags` printed by another event), because the device
 * mapped the same again (`superseded`: nothing is proven), or not (`before-trace`, `unknown`).
 */
export type WindowEnd =
  | 'pin'
  | 'get'
  | 'map'
  | 'writeback-start'
  | 'before-trace'
  | 'unpin'
  | 'put'
  | 'unmap'
  | 'writeback-end'
  | 'completion'
  | 'free'
  | 'flags'
  | 'superseded'
  | 'unknown';

/** A span of a page's life. An end that is not known is null, with what is known about it; it is never guessed. */
export interface Window {
  kind: 'pin' | 'get' | 'dma' | 'writeback';
  /** who, or which device and direction */
  label: string;
  /** one of those that make the finding */
  decides?: true;
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
  /** index into `inputs` */
  input: number;
  /** null: before the trace */
  start_line: number | null;
  end_line: number | null;
  start_known: WindowEnd;
  end_known: WindowEnd;
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
