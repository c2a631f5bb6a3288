/** The page frames whose lives are recorded. */
import type {Range} from '../../base/selection.js';

export class Followed {
  /** in ascending order, disjoint */
  readonly ranges: Range[] = [];

  constructor(ranges: readonly Range[]) {
    for (const next of [...ranges].sort((a, b) => a.first - b.first)) {
      const last = this.ranges.at(-1);
      if (last !== undefined && next.first <= last.last + 1) last.last = Math.max(last.last, next.last);
      else this.ranges.push({...next});
    }
  }

  /** Those of `pages` frames from `first` on that are followed, in ascending order. */
  *within(first: number, pages: number): Iterable<number> {
    for (let at = this.reach(first); at < this.ranges.length; at++) {
      const range = this.ranges[at]!;
      if (range.first >= first + pages) return;
      const last = Math.min(range.last, first + pages - 1);
      for (let pfn = Math.max(range.first, first); pfn <= last; pfn++) yield pfn;
    }
  }

  /** Whether any of `pages` frames from `first` on is one of them. */
  touches(first: number, pages: number): boolean {
    const at = this.reach(first);
    return at < this.ranges.length && this.ranges[at]!.first < first + pages;
  }

  /** Index of the first range that ends at `first` or after it. */
  private reach(first: number): number {
    const {ranges} = this;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ranges[middle]!.last < first) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
