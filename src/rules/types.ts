import type {Claim, RuleId} from '../claims/claim.js';
import type {Ledger} from '../ledger/ledger.js';
import type {Listener} from '../ledger/listener.js';

export type {RuleId};

/** Kinds of evidence a rule can need; `coverage.ts` knows which events give each and how to record them. */
export type Need =
  | 'pins'
  | 'unpins'
  | 'gets'
  | 'puts'
  | 'dma-map'
  | 'dma-unmap'
  | 'iommu-fault'
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

/** What a rule is given. */
export interface RuleContext {
  readonly ledger: Ledger;
  readonly longPin_ns: number;
  claim(claim: Claim): void;
}

/** One rule: what it is, and its judge, which listens to the ledger. */
export interface Rule {
  meta: RuleMeta;
  judge(context: RuleContext): Listener;
}
