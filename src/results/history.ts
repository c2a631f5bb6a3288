/**
 * The typed result of `pinscope history`: the lives of some pages, whole. `--to json` prints it as it stands
 * (`pinscope.history/2`); the other forms fold repeats and trim stacks.
 */
import type {Finding, HistoryEntry, Report, Window} from './report.js';

export interface HistoryReport extends Pick<
  Report,
  'tool' | 'command' | 'inputs' | 'clock' | 'span' | 'kernel' | 'quality' | 'timing' | 'partial'
> {
  schema: 'pinscope.history/2';
  /** in ascending order of pfn */
  pages: PageHistory[];
  /** page frames asked for that no event of the trace names */
  absent: string[];
  /** with --around: the finding whose pages these are; only the changes around its deciding lines are shown */
  around?: Pick<Finding, 'id' | 'key' | 'rule' | 'severity' | 'verdict' | 'message'>;
  /** filters other than --pfn, as typed: `{flag: '--time', value: '17.2,+5ms'}` */
  filters?: {flag: string; value: string}[];
  /** the pages were named, by --pfn or --around: filters are about changes, else about findings */
  named?: true;
  /** with --only: the kinds of changes that are shown */
  only?: string[];
}

export interface PageHistory {
  pfn: string;
  /** `--pfn`, or the ids of the findings whose page it is: `F1, F7` */
  why: string;
  /** oldest first: a PFN is a place, and each allocation puts another page there */
  generations: Generation[];
  /** generations that --around or --time left out */
  generations_left_out?: number;
}

/** One page's life at a PFN, from its allocation to its free. Nothing pairs across generations. */
export interface Generation {
  /** which of the page's it is, counted from 1, where some are left out */
  place?: {number: number; of: number};
  /** 2^order base pages */
  order: number;
  /** false: they are known to be a folio by the head's flag or a reference to a tail, and may be of a larger order */
  order_known?: false;
  /** `alloc`; `before-trace`: it lived when the trace began; `unknown`: the count or the flags said that it is another */
  born: 'alloc' | 'before-trace' | 'unknown';
  /** `free`; `reused`: handed out again with no free seen; null: alive at the end of the trace */
  died: 'free' | 'reused' | null;
  /** of the first and the last event */
  start_ns: string | null;
  end_ns: string | null;
  start_ticks?: string;
  end_ticks?: string;
  file?: {dev: string; ino: string; index: string};
  entries: LifeEntry[];
  /** DMA and writeback windows, and the pins and gets */
  windows: Window[];
  /** windows that touch none of the changes shown */
  windows_left_out?: number;
  /** changes of other kinds than --only names */
  changes_left_out?: number;
  /** ids of findings about this generation */
  findings: string[];
}

/** A change; `what` is `left-out` where --around or --time left some out, the first of which it stands for. */
export interface LifeEntry extends HistoryEntry {
  /** what it decides of a finding: `F1: unpin` */
  decides?: string;
  /** the other half of a taking or dropping, a map or unmap, where it is known */
  pair: Pairing | null;
}

export interface Pairing {
  input: number;
  line: number;
  /** from the earlier to the later half; null on clocks that count ticks */
  distance_ns: string | null;
  /** how the two were brought together: `same call`, `same kind, oldest first`, `same device and address` */
  how: string;
}
