/** From a claim to a verdict: all premises proven, one not proven, or one refuted. */
import type {Claim} from '../claims/claim.js';
import type {Line, Premise} from '../claims/premise.js';
import type {Verdict} from '../results/report.js';
import {premiseWords} from '../words/premises.js';
import {type Court, rulingOn} from './provers.js';

/** One premise of a finding, as a reader checks it. */
export interface ProofStep {
  premise: Premise['id'];
  /** what is claimed, in a few words */
  says: string;
  proven: boolean;
  by: readonly Line[];
  /** why it is not proven */
  why: string | undefined;
}

export interface Proof {
  verdict: Verdict;
  /** the first premise that is not proven, and why; null when sure */
  reason: string | null;
  steps: ProofStep[];
}

/** `sure` where every premise is proven, `possible` where one is open, undefined where one is refuted: no finding. */
export function prove(claim: Claim, court: Court): Proof | undefined {
  const steps: ProofStep[] = [];
  let reason: string | null = null;
  // What every claim rests on, so that no rule need state it; it is told only where it fails.
  const implied: Premise[] = [
    {id: 'named', page: claim.page, mapped: claim.device >= 0},
    {id: 'unfiltered', page: claim.page},
    {id: 'timed'},
    {id: 'unabridged'},
  ];
  const doubtful = implied.filter((premise) => rulingOn(premise, court).state === 'open');
  for (const premise of [...claim.premises, ...doubtful]) {
    const ruling = rulingOn(premise, court);
    if (ruling.state === 'refuted') return undefined;
    const {by} = ruling;
    const says = premiseWords(premise);
    if (ruling.state === 'open') {
      reason ??= ruling.why;
      steps.push({premise: premise.id, says, proven: false, by, why: ruling.why});
    } else steps.push({premise: premise.id, says, proven: true, by, why: undefined});
  }
  return {verdict: reason === null ? 'sure' : 'possible', reason, steps};
}
