/** A finding's key: what it is known by in every run over the same trace, whatever the filters. */
import {createHash} from 'node:crypto';
import type {Claim} from '../claims/claim.js';

/** Hexadecimal digits of a key: of 20,000 findings, two share one in one trace of twenty. */
const DIGITS = 8;

/** Of the rule, the page and the lines that decide, those of the violation that the finding began with. */
export function keyOf(
  v: Pick<Claim, 'rule' | 'pfn' | 'order'>,
  lines: readonly {role: string; line: number}[],
): string {
  const decided = lines.map(({role, line}) => `${role}:${line}`).toSorted();
  return createHash('sha256')
    .update([v.rule, v.pfn, v.order, ...decided].join('|'))
    .digest('hex')
    .slice(0, DIGITS);
}
