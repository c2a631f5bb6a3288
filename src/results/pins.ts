/**
 * The typed result of `pinscope pins`: who pins, how many, for how long. `--to json` prints it as it stands
 * (`pinscope.pins/1`).
 */
import type {Report} from './report.js';

export interface PinsReport extends Pick<
  Report,
  'tool' | 'command' | 'inputs' | 'clock' | 'span' | 'kernel' | 'quality' | 'timing' | 'partial'
> {
  schema: 'pinscope.pins/1';
  /** the filters given, as typed: `{flag: '--comm', value: 'fio'}` */
  filters?: {flag: string; value: string}[];
  totals: PinTotals;
  /** null on clocks that count ticks */
  live: LivePins | null;
  /** most pins first; `stack` is null */
  tasks: Holder[];
  /** most pins first; empty when the trace has no stacks */
  stacks: Holder[];
  /** from taking to dropping, of pins that were seen whole */
  hold: Distribution | null;
  /** from the last DMA unmap under a pin to its drop, by device */
  unmap_to_unpin: {device: string; times: Distribution}[];
  /** longest first, still held ones by the time until the end of the trace */
  longest: HeldPin[];
  /** taken with FOLL_LONGTERM; those in a CMA block first */
  longterm: HeldPin[];
}

export interface PinTotals {
  /** takings seen */
  pins: number;
  /** distinct page frames or folios pinned */
  pages: number;
  /** drops seen */
  unpins: number;
  /** dropped here, taken before the trace began */
  from_before: number;
  held_at_end: number;
  /** of which taken before the trace began */
  held_from_before: number;
  /** taken and dropped here: pins = dropped_here + gone + held_at_end - held_from_before */
  dropped_here: number;
  /** taken here, and gone with their page or taken back by the call that took them */
  gone: number;
  /** drops that no pin in view explains: unpins = dropped_here + from_before + unexplained */
  unexplained: number;
  longterm: number;
  longterm_in_cma: number;
}

/** Live pins over time in equal steps: the most there were in each. */
export interface LivePins {
  start_ns: string;
  step_ns: string;
  most: number[];
  peak: number;
  peak_ns: string;
}

export interface Holder {
  task: {comm: string; pid: number} | null;
  /** innermost first */
  stack: string[] | null;
  pins: number;
  pages: number;
  held_at_end: number;
  hold: Distribution | null;
}

export interface Distribution {
  count: number;
  min_ns: string;
  p50_ns: string;
  p90_ns: string;
  p99_ns: string;
  max_ns: string;
  /** `[from_ns, to_ns)` with to = 2 * from, ascending, from the first that holds anything to the last */
  log2: {from_ns: string; to_ns: string; count: number}[];
}

export interface HeldPin {
  pfn: string;
  order: number;
  task: {comm: string; pid: number} | null;
  start_ns: string | null;
  /** null: held at the end of the trace */
  end_ns: string | null;
  /** until its drop, or until the end of the trace */
  held_ns: string | null;
  input: number;
  line: number;
  stack: string[] | null;
  /** the page was in a CMA block when it was last seen; null: the trace does not say */
  cma: boolean | null;
}
