/**
 * Repeats in a page's life, folded. A page-cache page is looked up and let go thousands of times between two events that
 * matter; a run of the same few changes by the same task is one line that says how many times. So is a run of equal I/O rounds: what
 * pinned, mapped, unmapped and unpinned a page in one order two hundred times is one line with the least and the most that it took.
 */
import type {LifeEntry} from '../../results/history.js';

export interface Fold {
  /** what is repeated, as it first happened */
  pattern: LifeEntry[];
  times: number;
  last: LifeEntry;
  /** of I/O rounds: the least and the most that one took, in ns; null on clocks that count */
  took?: {least: bigint; most: bigint} | null;
}

/** Longest pattern looked for: a look-up with its batch on and off the LRU list is four changes. */
const LONGEST = 4;
/** Of a round of I/O: a pin is two changes, and look-ups come between. */
const LONGEST_ROUND = 24;
/** Fewer repeats than this are shorter written out. */
const FEWEST = 3;

export function folded(entries: readonly LifeEntry[]): (LifeEntry | Fold)[] {
  const out: (LifeEntry | Fold)[] = [];
  let at = 0;
  while (at < entries.length) {
    const fold = foldAt(entries, at, LONGEST, foldable, same) ?? roundsAt(entries, at);
    if (fold === null) {
      const entry = entries[at++];
      if (entry !== undefined) out.push(entry);
    } else {
      out.push(fold);
      at += fold.pattern.length * fold.times;
    }
  }
  return out;
}

type Test = (entry: LifeEntry) => boolean;
type Equal = (one: LifeEntry, other: LifeEntry) => boolean;

function foldAt(entries: readonly LifeEntry[], at: number, longest: number, may: Test, equal: Equal): Fold | null {
  for (let length = 1; length <= longest; length++) {
    const newest = entries[at + length - 1];
    if (newest === undefined || !may(newest)) return null;
    let times = 1;
    while (repeats(entries, at, at + times * length, length, equal)) times++;
    const last = entries[at + times * length - 1];
    if (times >= FEWEST && last !== undefined) return {pattern: entries.slice(at, at + length), times, last};
  }
  return null;
}

function repeats(entries: readonly LifeEntry[], first: number, second: number, length: number, equal: Equal): boolean {
  for (let step = 0; step < length; step++) {
    const one = entries[first + step];
    const other = entries[second + step];
    if (one === undefined || other === undefined || !equal(one, other)) return false;
  }
  return true;
}

/** Rounds begin with a reference or a mapping, and have a beginning and an end of it in them. */
function roundsAt(entries: readonly LifeEntry[], at: number): Fold | null {
  const [first] = entries.slice(at, at + 1);
  if (first === undefined || !(first.what === 'dma-map' || (first.what === 'taken' && isReference(first)))) return null;
  const fold = foldAt(entries, at, LONGEST_ROUND, inRound, sameStep);
  if (fold === null) return null;
  const {length} = fold.pattern;
  const ends = fold.pattern.some(
    ({what, kind}) => what === 'dma-unmap' || what === 'dma-complete' || (what === 'dropped' && kind === first.kind),
  );
  if (!ends) return null;
  // a round of a pin begins with the pin: it is found one or two changes further on
  if (first.what === 'dma-map' && fold.pattern.some((entry) => entry.what === 'taken' && isReference(entry)))
    return null;
  let took: Fold['took'] = null;
  for (let round = 0; round < fold.times; round++) {
    const from = entries[at + round * length]?.t_ns ?? null;
    const to = entries[at + (round + 1) * length - 1]?.t_ns ?? null;
    if (from === null || to === null) return {...fold, took: null};
    const ns = BigInt(to) - BigInt(from);
    took =
      took === null
        ? {least: ns, most: ns}
        : {least: ns < took.least ? ns : took.least, most: ns > took.most ? ns : took.most};
  }
  return {...fold, took};
}

const isReference: Test = ({kind}) => kind === 'pin' || kind === 'get';

/** Pins, gets and everything that opens or closes a window are what a reader looks for: folded in whole rounds only. */
function foldable(entry: LifeEntry): boolean {
  return (
    !isReference(entry) &&
    entry.decides === undefined &&
    (entry.what === 'taken' || entry.what === 'dropped' || entry.what === 'set' || entry.what === 'change')
  );
}

const ROUND = new Set([
  'taken',
  'dropped',
  'change',
  'dma-map',
  'dma-unmap',
  'dma-complete',
  'writeback-start',
  'writeback-end',
  'dirty',
  'clean',
]);

/** What may be part of a round: nothing that decides a finding, no gap, and no birth or death of the page. */
function inRound(entry: LifeEntry): boolean {
  return entry.decides === undefined && ROUND.has(entry.what);
}

/** Rounds are ended by whoever is interrupted: only who takes is compared. */
function sameStep(one: LifeEntry, other: LifeEntry): boolean {
  return (
    inRound(other) &&
    one.what === other.what &&
    one.kind === other.kind &&
    one.delta === other.delta &&
    (one.what !== 'taken' || (one.task === other.task && one.pid === other.pid))
  );
}

function same(one: LifeEntry, other: LifeEntry): boolean {
  return (
    other.decides === undefined &&
    one.what === other.what &&
    one.kind === other.kind &&
    one.delta === other.delta &&
    one.task === other.task &&
    one.pid === other.pid &&
    // people set counts to numbers of their own as marks
    (one.what !== 'set' || one.note === other.note)
  );
}
