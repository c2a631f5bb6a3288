/** From a claim to a verdict: all premises proven, one not proven, or one refuted. */
import type {Claim} from '../claims/claim.js';
import type {Line, Premise} from '../claims/premise.js';
import type {Verdict} from '../results/report.js';
import {rulingOn} from './provers.js';
import type {Court, Ruling} from './ruling.js';

/** One premise of a finding, as a reader checks it. */
export interface ProofStep {
  premise: Premise;
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

const TIMED: Premise = {id: 'timed'};
const UNABRIDGED: Premise = {id: 'unabridged'};

/** `sure` where every premise is proven, `possible` where one is open, undefined where one is refuted: no finding. */
export function prove(claim: Claim, court: Court): Proof | undefined {
  const steps: ProofStep[] = [];
  for (const premise of claim.premises) {
    const ruling = rulingOn(premise, court);
    if (ruling.state === 'refuted') return undefined;
    steps.push(stepOf(premise, ruling));
  }
  // What every claim rests on, so that no rule need state it; it is told only where it fails.
  const {page, device} = claim;
  const implied: Premise[] = [{id: 'named', page, mapped: device >= 0}, {id: 'unfiltered', page}, TIMED, UNABRIDGED];
  for (const premise of implied) {
    const ruling = rulingOn(premise, court);
    if (ruling.state === 'open') steps.push(stepOf(premise, ruling));
  }
  const reason = steps.find((step) => !step.proven)?.why ?? null;
  return {verdict: reason === null ? 'sure' : 'possible', reason, steps};
}

function stepOf(premise: Premise, ruling: Exclude<Ruling, {state: 'refuted'}>): ProofStep {
  const {by} = ruling;
  return ruling.state === 'open'
    ? {premise, proven: false, by, why: ruling.why}
    : {premise, proven: true, by, why: undefined};
}
