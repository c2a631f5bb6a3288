/**
 * What a rule says: a pattern it saw on a page, and the premises on which it holds. Data only. Whether the premises are
 * proven is not the rule's to decide (src/proof).
 */
import type {LineText} from '../events/line-text.js';
import type {DmaWindow} from '../ledger/tables/dma.js';
import type {Moment} from '../ledger/moment.js';
import type {Excerpt} from '../ledger/tables/life.js';
import type {Deed} from '../ledger/tables/references.js';
import type {Severity} from '../results/report.js';
import type {Premise} from './premise.js';

export type RuleId =
  | 'unpin-while-dma'
  | 'free-while-dma'
  | 'put-while-dma'
  | 'writeback-while-pinned'
  | 'writeback-while-dma'
  | 'dirty-after-writeback'
  | 'dirty-after-unpin'
  | 'put-on-pin'
  | 'unpin-without-pin'
  | 'pin-leak'
  | 'get-leak'
  | 'free-while-pinned'
  | 'dma-without-pin'
  | 'longterm-pin-in-cma'
  | 'long-pin'
  | 'dma-after-unmap';

export interface Evidence {
  role: string;
  deed: Deed | {t: number; cpu: number; input: number; line: number; text: LineText};
}

export interface RawCounts {
  raw: number | null;
  pins: number;
}

export interface ClaimArgs {
  /** ns between the two deciding events, when there are two */
  distance?: number;
  /** free-form facts, by rule */
  facts?: Record<string, string | number | boolean>;
}

/** What a rule calls attention to. It may wait long, and most of what it has to say is never asked: that is said when it is. */
export interface Charge {
  page: Moment;
  /** the deciding moment */
  at: number;
  /** a mapping whose end decides too: the claim waits for it, and then has its line */
  awaits?: DmaWindow;
  /** All that is claimed. Facts of the moment are looked up before, not in here. */
  says: () => Said;
}

/** Something that a rule found on one page. */
export interface Claim extends Said {
  page: Moment;
  /** the deciding moment */
  at: number;
  /** what happened to the page about the moment, held while the claim may become a finding */
  excerpt: Excerpt | undefined;
}

/** What is claimed, apart from when and of which page. */
export interface Said {
  rule: RuleId;
  severity: Severity;
  pfn: number;
  order: number;
  /** how many pages from `pfn` on, where it is sub-pages of a large folio; 1 when left out */
  span?: number;
  /** what must hold for it to be so, the weightiest first */
  premises: Premise[];
  /** times of the page's own trouble; end NaN when it never ended in the trace */
  start: number;
  end: number;
  /** claims of equal keys are one deed; see src/findings */
  deed: string;
  /** what the message is made of */
  args: ClaimArgs;
  tasks: {role: string; task: number}[];
  stacks: {role: string; stack: number}[];
  /** index into the DMA tracker's devices, -1 none */
  device: number;
  evidence: Evidence[];
  countsBefore: RawCounts | null;
  countsAfter: RawCounts | null;
}
