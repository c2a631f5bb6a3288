/**
 * Which pages have a life that is written down: those that matter (they hold a pin or get, or are mapped or written back under
 * one), and those that are followed. The entries themselves are written by the book.
 */
import type {DmaWindow} from './tables/dma.js';
import type {Entries} from './tables/entries.js';
import {What} from './tables/entries.js';
import {Life} from './tables/life.js';
import {type PageTable, PageState} from './tables/page-table.js';
import type {Reference} from './tables/references.js';
import type {Writeback} from './tables/writeback.js';

/** The page frames whose lives are kept whole. */
export interface Follower {
  /** Whether any of `pages` frames from `first` on is one of them. */
  touches(first: number, pages: number): boolean;
  /** Those of `pages` frames from `first` on that are, in ascending order. */
  within(first: number, pages: number): Iterable<number>;
}

/** Most lives of pages that matter at a time. */
const LIVES_MAX = 60_000;
/** Most entries of followed lives: some 500 MB with what is printed of them. */
const FOLLOWED_MAX = 200_000;

/** What begins in a life and may end after it. */
export type Begun = Reference | DmaWindow | Writeback;

export class Lives {
  /** lives of followed pages, in the order they began */
  readonly followed: Life[] = [];
  /** lives without entries, because there were too many */
  refused = 0;
  /** entries of followed lives that were not kept, because there were too many */
  notKept = 0;
  /** the pages that are followed, if any are */
  follows: Follower | undefined;
  private readonly begun = new Map<Life, Begun[]>();
  private mattering = 0;
  private followedEntries = 0;
  /** the followed lives of each PFN, the last one */
  private readonly last = new Map<number, Life>();

  constructor(
    private readonly pages: PageTable,
    private readonly entries: Entries,
  ) {}

  /** Whether what happens to a page is written down. */
  has(row: number): boolean {
    return this.pages.lives[row] !== undefined || (this.follows !== undefined && this.isFollowed(row));
  }

  /** The life of a page; `begin`: it matters from here on, if it did not. `what`: the entry that is about to be written. */
  of(row: number, what: number, begin: boolean): Life | undefined {
    const {pages} = this;
    const life = pages.lives[row];
    if (life !== undefined) return life;
    if (this.follows !== undefined && this.isFollowed(row)) return this.follow(row, what);
    if (!begin) return undefined;
    if (this.mattering >= LIVES_MAX) {
      this.refused++;
      return undefined;
    }
    this.mattering++;
    return (pages.lives[row] = new Life(pages.pfn[row]!, undefined));
  }

  /** The life of a page frame that is followed, or that was there last. */
  at(row: number, pfn: number): Life {
    return (row < 0 ? undefined : this.pages.lives[row]) ?? this.last.get(pfn) ?? this.newFollowed(pfn);
  }

  /** The life that a row holds is over. */
  end(row: number): void {
    const life = this.pages.lives[row]!;
    this.pages.lives[row] = undefined;
    if (life.followed === undefined) this.mattering--;
    this.entries.end(life);
  }

  /** An entry of a followed life is to be written, of a folio of this row where `large`. False when there are too many. */
  takesIn(life: Life, row: number, large: boolean): boolean {
    const {pages} = this;
    const followed = life.followed!;
    if (large && !life.over) {
      followed.order = Math.max(followed.order, pages.order[row]!);
      if ((pages.state[row]! & PageState.orderKnown) !== 0) followed.orderKnown = true;
    }
    if (this.full) {
      this.notKept++;
      return false;
    }
    this.followedEntries++;
    return true;
  }

  /** Begins the life of a followed page. */
  follow(row: number, what: number): Life {
    const {pages} = this;
    const pfn = pages.pfn[row]!;
    const seen = (pages.state[row]! & PageState.lifeSeen) !== 0;
    const before = this.last.get(pfn);
    const marksOnly = before !== undefined && !before.over;
    const first = before === undefined || marksOnly;
    const born =
      what === What.allocated || (what === What.set && seen) ? 'alloc' : first && !seen ? 'before-trace' : 'unknown';
    const life = marksOnly ? before : this.newFollowed(pfn);
    life.followed!.born = born;
    return (pages.lives[row] = life);
  }

  private isFollowed(row: number): boolean {
    const {pages} = this;
    const size = (pages.state[row]! & PageState.large) !== 0 ? 1 << pages.order[row]! : 1;
    return this.follows!.touches(pages.pfn[row]!, size);
  }

  private get full(): boolean {
    return this.followedEntries >= FOLLOWED_MAX;
  }

  private newFollowed(pfn: number): Life {
    const life = new Life(pfn, {born: 'before-trace', died: null, end: NaN, order: 0, orderKnown: false});
    // beyond the most entries that are kept there is nothing to show of it
    if (!this.full) this.followed.push(life);
    this.last.set(pfn, life);
    return life;
  }

  // --- what began in followed lives

  /** References, mappings and writebacks that began in a followed life. */
  begunIn(life: Life): readonly Begun[] {
    return this.begun.get(life) ?? [];
  }

  begins(life: Life | undefined, what: Begun): void {
    if (life?.followed === undefined) return;
    const begun = this.begun.get(life);
    if (begun === undefined) this.begun.set(life, [what]);
    else begun.push(what);
  }

  /** What was thought to have begun did not. */
  never(life: Life | undefined, what: Begun): void {
    const begun = life === undefined ? undefined : this.begun.get(life);
    const at = begun === undefined ? -1 : begun.lastIndexOf(what);
    if (at >= 0) begun!.splice(at, 1);
  }

  /** A part of a mapping that was unmapped by itself is a window of its own: it stands for the whole from here on. */
  stands(life: Life, part: DmaWindow): void {
    const begun = this.begun.get(life);
    const at = part.partOf === undefined || begun === undefined ? -1 : begun.indexOf(part.partOf);
    if (at >= 0) begun![at] = part;
  }
}
