import type {Journal} from '../ledger/tables/journal.js';
import type {LineText} from '../events/line-text.js';
import type {Model} from '../ledger/model.js';
import type {Deed} from '../ledger/tables/references.js';
import type {Listener} from '../ledger/listener.js';
import type {Severity, Verdict} from '../results/report.js';

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
  | 'long-pin';

/** Kinds of evidence a rule can need; `coverage.ts` knows which events give each and how to record them. */
export type Need =
  | 'pins'
  | 'unpins'
  | 'gets'
  | 'puts'
  | 'dma-map'
  | 'dma-unmap'
  | 'writeback'
  | 'free'
  | 'dirty'
  | 'counts'
  | 'migratetype'
  | 'gup-flags'
  | 'time';

/** What a rule is, for `pinscope rules` and for coverage. Words only: no code reads meaning out of them. */
export interface RuleMeta {
  id: RuleId;
  /** completes "the page..." */
  title: string;
  severity: string;
  /** without one of these the rule cannot run */
  needs: readonly Need[];
  /** without these it runs, and cannot see everything; each with what it then misses */
  helpedBy: readonly {need: Need; misses: string}[];
  meaning: string;
  proof: string;
  lookAlikes: readonly string[];
  /** where the kernel states it */
  kernelDoc: string;
}

/** Something that a rule found on one page. */
export interface Violation {
  rule: RuleId;
  severity: Severity;
  verdict: Verdict;
  reason: string | null;
  pfn: number;
  order: number;
  /** how many pages from `pfn` on, where it is sub-pages of a large folio; 1 when left out */
  span?: number;
  /** row and generation of the folio, to relate findings of one deed */
  row: number;
  generation: number;
  /** times of the page's own trouble; end NaN when it never ended in the trace */
  start: number;
  end: number;
  /** violations of equal keys are one deed; see findings.ts */
  deed: string;
  /** what the message is made of */
  args: MessageArgs;
  tasks: {role: string; task: number}[];
  stacks: {role: string; stack: number}[];
  /** index into the DMA tracker's devices, -1 none */
  device: number;
  evidence: {role: string; deed: Deed | {t: number; cpu: number; input: number; line: number; text: LineText}}[];
  countsBefore: RawCounts | null;
  countsAfter: RawCounts | null;
  /** the deciding moment */
  at: number;
  /** the page's journal, where it may be gone before the violation is reported */
  journal?: Journal | undefined;
}

export interface RawCounts {
  raw: number | null;
  pins: number;
}

export interface MessageArgs {
  /** ns between the two deciding events, when there are two */
  distance?: number;
  /** free-form facts, by rule */
  facts?: Record<string, string | number | boolean>;
}

/** What a rule is given. */
export interface RuleContext {
  readonly model: Model;
  readonly longPin_ns: number;
  report(violation: Violation): void;
}

/** One rule: what it is, and its judge, which listens to the model. */
export interface Rule {
  meta: RuleMeta;
  judge(context: RuleContext): Listener;
}
