/**
 * Which reference a drop drops. Same kind first; then the same sub-pages; then the same task, where the drop is not in an
 * interrupt (its comm and pid are the interrupted task's); then the oldest.
 */
import type {Model} from './model.js';
import {inInterrupt} from './ref-counts.js';
import type {Deed, Reference, ReferenceKind} from './references.js';

export interface Choice {
  from: {reference: Reference; n: number}[];
  unmatched: number;
  how: string;
}

/** Chooses without changing anything. `sub` is the first sub-page dropped, -1 when not known. */
export function chooseReferences(
  m: Model,
  row: number,
  kind: ReferenceKind,
  n: number,
  deed: Deed | undefined,
  sub: number,
): Choice {
  let only: Reference | undefined;
  let several = false;
  for (let r = m.pages.references[row]; r; r = r.next) {
    if (r.kind !== kind) continue;
    several = only !== undefined;
    if (several) break;
    only = r;
  }
  if (only === undefined) return {from: [], unmatched: n, how: 'no reference of this kind is known'};
  if (!several) {
    const some = Math.min(n, only.n);
    return {from: [{reference: only, n: some}], unmatched: n - some, how: 'the only one'};
  }
  const candidates: Reference[] = [];
  for (let r = m.pages.references[row]; r; r = r.next) if (r.kind === kind) candidates.push(r);
  const task = deed && !inInterrupt(deed.context) ? deed.task : -1;
  const rank = (r: Reference): number =>
    (sub >= 0 && r.sub >= 0 && (sub < r.sub || sub >= r.sub + r.n) ? 4 : 0) +
    (task >= 0 && r.task === task ? 0 : 2) +
    (r.n === n ? 0 : 1);
  candidates.sort((a, b) => rank(a) - rank(b) || a.t - b.t);
  const how = rank(candidates[0]!) < 2 && task >= 0 ? 'same task' : 'the oldest';
  const from: {reference: Reference; n: number}[] = [];
  let left = n;
  for (const reference of candidates) {
    if (left === 0) break;
    const some = Math.min(left, reference.n);
    from.push({reference, n: some});
    left -= some;
  }
  return {from, unmatched: left, how};
}
