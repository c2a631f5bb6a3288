/**
 * Repeats in a page's life, folded. A page-cache page is looked up and let go thousands of times between two events that
 * matter; a run of the same few changes by the same task is one line that says how many times.
 */
import type {LifeEntry} from '../../results/history.js';

export interface Fold {
  /** what is repeated, as it first happened */
  pattern: LifeEntry[];
  times: number;
  last: LifeEntry;
}

/** Longest pattern looked for: a look-up with its batch on and off the LRU list is four changes. */
const LONGEST = 4;
/** Fewer repeats than this are shorter written out. */
const FEWEST = 3;

export function folded(entries: readonly LifeEntry[]): (LifeEntry | Fold)[] {
  const out: (LifeEntry | Fold)[] = [];
  let at = 0;
  while (at < entries.length) {
    const fold = foldAt(entries, at);
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

function foldAt(entries: readonly LifeEntry[], at: number): Fold | null {
  for (let length = 1; length <= LONGEST; length++) {
    const pattern = entries.slice(at, at + length);
    if (pattern.length < length || !pattern.every(foldable)) return null;
    let times = 1;
    while (repeats(entries, at, at + times * length, length)) times++;
    const last = entries[at + times * length - 1];
    if (times >= FEWEST && last !== undefined) return {pattern, times, last};
  }
  return null;
}

function repeats(entries: readonly LifeEntry[], first: number, second: number, length: number): boolean {
  for (let step = 0; step < length; step++) {
    const one = entries[first + step];
    const other = entries[second + step];
    if (one === undefined || other === undefined || !same(one, other)) return false;
  }
  return true;
}

/** Pins, gets and everything that opens or closes a window are what a reader looks for: never folded. */
function foldable(entry: LifeEntry): boolean {
  const matters = entry.kind === 'pin' || entry.kind === 'get';
  return (
    !matters &&
    entry.decides === undefined &&
    (entry.what === 'taken' || entry.what === 'dropped' || entry.what === 'set' || entry.what === 'change')
  );
}

function same(one: LifeEntry, other: LifeEntry): boolean {
  return (
    one.what === other.what &&
    one.kind === other.kind &&
    one.delta === other.delta &&
    one.task === other.task &&
    one.pid === other.pid &&
    // people set counts to numbers of their own as marks
    (one.what !== 'set' || one.note === other.note)
  );
}
