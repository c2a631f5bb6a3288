/** The typed result of `pinscope rules`: what the rules are. `--to json` prints it as it stands (`pinscope.rules/1`). */
import type {Report} from './report.js';

export interface RulesReport extends Pick<Report, 'tool' | 'rules_version'> {
  schema: 'pinscope.rules/1';
  rules: RulePage[];
}

export interface RulePage {
  id: string;
  /** completes "the page..." */
  title: string;
  /** in words: it may depend on what else is known */
  severity: string;
  meaning: string;
  /** what makes a finding `sure` */
  proof: string;
  /** what has to be proven for `sure`, and by what it is */
  premises: {premise: string; says: string; proven_by: string}[];
  /** what looks like it and is harmless, and how it is told apart */
  look_alikes: string[];
  /** without all of these the rule cannot run */
  needs: EvidenceSource[];
  /** without these it runs, and misses something */
  helped_by: (EvidenceSource & {misses: string})[];
  /** where the kernel states the rule: a document or source of its tree */
  kernel_doc: string;
}

export interface EvidenceSource {
  /** kind of evidence: `pins`, `dma-map`, ... */
  need: string;
  /** events that give it; any of them will do where there is an "or" */
  events: string;
  /** how to record them */
  record: string;
}
