/**
 * Drops of pins that no taking explains, by page: a pin may have been taken unseen, by folio_add_pin() of fs/direct-io.c or by
 * an event that is missing, and have held the page until then. Or it is one unpin too many.
 */
import type {Deed, Reference} from './references.js';

/** Most pages that are kept, and drops of one. */
const PAGES_MAX = 100_000;
const OF_A_PAGE_MAX = 8;

interface Drop {
  generation: number;
  deed: Deed;
  /** the first taking after it, as the clocks have it, on another CPU */
  next: Reference | undefined;
}

export class Excess {
  /** by row: in order of time */
  private readonly drops = new Map<number, Drop[]>();

  add(row: number, generation: number, deed: Deed): void {
    const list = this.drops.get(row);
    if (list === undefined) {
      if (this.drops.size < PAGES_MAX) this.drops.set(row, [{generation, deed, next: undefined}]);
      return;
    }
    if (list.length === OF_A_PAGE_MAX) list.shift();
    list.push({generation, deed, next: undefined});
  }

  /** A pin of the page is taken. */
  taken(row: number, generation: number, reference: Reference): void {
    const list = this.drops.get(row);
    if (list === undefined) return;
    for (const drop of list)
      if (drop.generation === generation && drop.deed.cpu !== reference.cpu) drop.next ??= reference;
  }

  /** The taking that may have come before a drop at `t`, although the clocks of two CPUs say otherwise. */
  takenAfter(
    {row, generation}: {row: number; generation: number},
    t: number,
  ): {drop: Deed; next: Reference} | undefined {
    const drop = this.drops.get(row)?.find((d) => d.generation === generation && d.deed.t === t);
    return drop?.next && {drop: drop.deed, next: drop.next};
  }

  /** The first such drop in the life of a page, of others than `deed`; undefined: none. */
  beside({row, generation}: {row: number; generation: number}, deed: Deed): Deed | undefined {
    return this.drops.get(row)?.find((drop) => drop.generation === generation && drop.deed.line !== deed.line)?.deed;
  }
}
