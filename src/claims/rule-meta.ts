import type {RuleId} from './claim.js';
import type {Premise} from './premise.js';

/** Kinds of evidence a rule can need; `src/proof/needs.ts` knows which events give each and how to record them. */
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
  /** what may have to be proven for `sure`, as a finding's proof says it; those of every rule (page named, times ordered) apart */
  premises: readonly {readonly id: Premise['id']; readonly says: string}[];
  lookAlikes: readonly string[];
  /** where the kernel states it */
  kernelDoc: string;
}
