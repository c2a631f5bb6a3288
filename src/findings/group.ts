/** Findings in the making: what was claimed and proven of one deed, on many pages. */
import type {Claim} from '../claims/claim.js';
import type {Proof} from '../proof/prove.js';
import type {PageTime} from '../words/times.js';

/** A page of one. */
export interface Page extends PageTime {
  pfn: number;
  order: number;
  row: number;
  generation: number;
  occurrences: number;
  /** what is claimed of this page; null where too many are kept */
  own: Pick<Claim, 'premises' | 'evidence' | 'at'> | null;
}

/** A finding in the making. */
export interface Group {
  proof: Proof;
  first: Claim;
  /** by PFN and order, as pageKey() joins them */
  pages: Map<number, Page>;
  occurrences: number;
  evidence: Claim['evidence'];
  start: number;
  end: number;
  lastAt: number;
}

/** PFNs are below 2^40, orders below 64. */
export function pageKey(pfn: number, order: number): number {
  return pfn * 64 + order;
}

/** A line of evidence, and what it shows. */
export type Item = Claim['evidence'][number];

/** Two that are one line. */
export function same(a: Item, b: Item): boolean {
  return a.deed.line === b.deed.line && a.deed.input === b.deed.input;
}

/** Each line once, those in the trace only, oldest first. */
export function inOrder(evidence: readonly Item[]): Item[] {
  const ordered: Item[] = [];
  for (const one of evidence) {
    if (one.deed.line <= 0 || ordered.some((other) => same(other, one))) continue;
    // of a handful: sorting them as a list would make two more
    let at = ordered.length;
    while (at > 0 && isLater(ordered[at - 1]!, one)) at--;
    ordered.splice(at, 0, one);
  }
  return ordered;
}

function isLater({deed: a}: Item, {deed: b}: Item): boolean {
  return a.t > b.t || (a.t === b.t && a.line > b.line);
}
