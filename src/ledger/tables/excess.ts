/**
 * Drops of pins that no taking explains, by page: a pin may have been taken unseen, by folio_add_pin() of fs/direct-io.c or by
 * an event that is missing, and have held the page until then. Or it is one unpin too many.
 */
import type {Deed} from './references.js';

/** Most pages that are kept, and drops of one. */
const PAGES_MAX = 100_000;
const OF_A_PAGE_MAX = 8;

export class Excess {
  /** by row: in order of time */
  private readonly drops = new Map<number, {generation: number; deed: Deed}[]>();

  add(row: number, generation: number, deed: Deed): void {
    const list = this.drops.get(row);
    if (list === undefined) {
      if (this.drops.size < PAGES_MAX) this.drops.set(row, [{generation, deed}]);
      return;
    }
    if (list.length === OF_A_PAGE_MAX) list.shift();
    list.push({generation, deed});
  }

  /** The first such drop after `t` in the life of a page; undefined: none. */
  after({row, generation}: {row: number; generation: number}, t: number): Deed | undefined {
    return this.drops.get(row)?.find((drop) => drop.generation === generation && drop.deed.t > t)?.deed;
  }
}
