/**
 * Which reference a drop drops. Same kind first; then the same sub-pages, one of each; then the same task, where the drop is not in an
 * interrupt (its comm and pid are the interrupted task's) nor in an interrupt's thread; then the oldest.
 */
import type {Uses} from './around.js';
import type {ReferenceKind} from '../../base/reference.js';
import type {Deed, Reference} from '../tables/references.js';

/** So many pages of a reference are dropped: those from `first` on, -1 where it is not known which. */
interface Part {
  reference: Reference;
  n: number;
  first: number;
}

export interface Choice {
  from: Part[];
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
    return {
      from: [{reference: only, n: some, first: Math.max(sub, only.sub)}],
      unmatched: n - some,
      how: 'the only one',
      certain: true,
    };
  }
  const task = deed && !around.evidence.tasks.byInterrupt(deed) ? deed.task : -1;
  const rank = (r: Reference): number =>
    (sub >= 0 && r.sub >= 0 && (sub + n <= r.sub || sub >= r.sub + r.n) ? OTHER_PAGES : 0) +
    (task >= 0 && r.task === task ? 0 : OTHER_TASK) +
    // all but one of what was taken: the one stays for all of them
    (r.n === n ? 0 : r.n === n + 1 && n > 1 && r.task === task ? 1 : 2) +
    // of the head of a folio or of a page that is not known: one that names the page itself comes first
    (sub >= 0 && r.sub < 0 ? 1 : 0);
  const from: Part[] = [];
  let left = n;
  // One of each page that is dropped, as far as its pages are known; then whatever is left of the kind.
  const pages = sub >= 0 && n > 1 ? new Uint8Array(Math.min(n, PAGES_MAX)) : undefined;
  for (const each of pages === undefined ? [undefined] : [pages, undefined]) {
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
      last = best;
      const part = each !== undefined ? cover(each, sub, next) : rest(from, next, sub, n);
      part.n = Math.min(left, part.n);
      if (part.n === 0) continue;
      add(from, part);
      left -= part.n;
    }
  }
  const how = rank(from[0]!.reference) < OTHER_TASK && task >= 0 ? 'same task' : 'the oldest';
  return {from, unmatched: left, how, certain: false};
}

/** What makes a reference the less likely one, most first. */
const OTHER_PAGES = 8;
const OTHER_TASK = 4;

/** Most pages of a drop that are told apart: a huge page's. */
const PAGES_MAX = 512;

/** Which pages, of those dropped from `sub` on and not covered before, a reference covers: they are from here on. */
function cover(covered: Uint8Array, sub: number, reference: Reference): Part {
  const {sub: first, n} = reference;
  const part: Part = {reference, n: 0, first: -1};
  if (first < 0) return part;
  const end = Math.min(covered.length, first + n - sub);
  for (let i = Math.max(0, first - sub); i < end; i++) {
    if (covered[i] === 1) continue;
    covered[i] = 1;
    if (part.n === 0) part.first = sub + i;
    else if (part.first + part.n !== sub + i) part.first = -1;
    part.n++;
  }
  return part;
}

/** What is left of a reference after the pages that were chosen before. */
function rest(from: readonly Part[], reference: Reference, sub: number, n: number): Part {
  const taken = from.find((f) => f.reference === reference)?.n ?? 0;
  const within = taken === 0 && sub >= 0 && sub >= reference.sub && sub + n <= reference.sub + reference.n;
  return {reference, n: reference.n - taken, first: within ? sub : -1};
}

function add(from: Part[], part: Part): void {
  const before = from.find((f) => f.reference === part.reference);
  if (before === undefined) from.push(part);
  else {
    before.n += part.n;
    before.first = -1;
  }
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
