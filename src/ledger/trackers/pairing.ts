/**
 * Which reference a drop drops. Same kind first; then the same sub-pages; then the same task, where the drop is not in an
 * interrupt (its comm and pid are the interrupted task's) nor in an interrupt's thread; then the oldest.
 */
import type {Uses} from './around.js';
import type {ReferenceKind} from '../../base/reference.js';
import type {Deed, Reference} from '../tables/references.js';

export interface Choice {
  from: {reference: Reference; n: number}[];
  unmatched: number;
  how: string;
  /** no other reference of the page could be meant */
  certain: boolean;
}

/** Chooses without changing anything. `sub` is the first sub-page dropped, -1 when not known. */
export function chooseReferences(
  around: Uses<'pages' | 'evidence'>,
  row: number,
  kind: ReferenceKind,
  n: number,
  deed: Deed | undefined,
  sub: number,
): Choice {
  // A drop that was waited for, and is told after later takings, is of none of them.
  const before = deed === undefined ? Infinity : deed.t;
  let only: Reference | undefined;
  let several = false;
  for (let r = around.pages.references[row]; r; r = r.next) {
    if (r.kind !== kind || r.t > before) continue;
    several = only !== undefined;
    if (several) break;
    only = r;
  }
  if (only === undefined) return {from: [], unmatched: n, how: 'no reference of this kind is known', certain: false};
  if (!several) {
    const some = Math.min(n, only.n);
    return {from: [{reference: only, n: some}], unmatched: n - some, how: 'the only one', certain: true};
  }
  const task = deed && !around.evidence.tasks.byInterrupt(deed) ? deed.task : -1;
  const rank = (r: Reference): number =>
    (sub >= 0 && r.sub >= 0 && (sub + n <= r.sub || sub >= r.sub + r.n) ? 4 : 0) +
    (task >= 0 && r.task === task ? 0 : 2) +
    (r.n === n ? 0 : 1);
  const from: {reference: Reference; n: number}[] = [];
  let left = n;
  // Nearly always the first is enough; a sorted copy of the list for each drop would cost a page with many pins dear.
  let last: Place = {rank: -1, t: -Infinity, at: -1};
  while (left > 0) {
    let next: Reference | undefined;
    let best: Place = {rank: Infinity, t: Infinity, at: -1};
    let at = 0;
    for (let r = around.pages.references[row]; r; r = r.next, at++) {
      if (r.kind !== kind || r.t > before) continue;
      const it = {rank: rank(r), t: r.t, at};
      if (!comesBefore(last, it) || (next && !comesBefore(it, best))) continue;
      next = r;
      best = it;
    }
    if (!next) break;
    const some = Math.min(left, next.n);
    from.push({reference: next, n: some});
    left -= some;
    last = best;
  }
  const how = rank(from[0]!.reference) < 2 && task >= 0 ? 'same task' : 'the oldest';
  return {from, unmatched: left, how, certain: false};
}

interface Place {
  rank: number;
  t: number;
  /** place in the page's list, newest first */
  at: number;
}

function comesBefore(a: Place, b: Place): boolean {
  return a.rank !== b.rank ? a.rank < b.rank : a.t !== b.t ? a.t < b.t : a.at < b.at;
}
