import {randomInt} from 'node:crypto';
import {PageFlag} from '../../events/event.js';
import type {ReferenceKind} from '../../base/reference.js';
import type {DmaLink} from './dma.js';
import type {Life} from './life.js';
import type {Reference} from './references.js';
import type {Writeback} from './writeback.js';

/**
 * The table of pages: one row for every PFN that a trace names, in columns of typed arrays.
 *
 * A PFN is a place, not a page: `generation` counts the pages that lived there. A row holds what is true now; what was
 * is in the entries of its life (for pages that matter) or gone. Open addressing with linear probing: four times as fast as a
 * Map<number, object>, and 60 bytes a page.
 */

/** Migratetype of a CMA pageblock where CONFIG_CMA is set (include/linux/mmzone.h); without CMA, 4 is "isolate". */
export const MIGRATE_CMA = 4;

/** Bits of `state`. */
export const PageState = {
  /** the allocation (or a free before it) was seen: everything that happened to this generation is in the trace */
  lifeSeen: 1 << 0,
  /** freed, and not handed out again as far as seen */
  free: 1 << 1,
  underWriteback: 1 << 2,
  /** the start of this writeback was a probe; otherwise a flag seen in a page_ref event (a bound, not an instant) */
  writebackExact: 1 << 3,
  /** known to be of a file (filemap event) */
  file: 1 << 4,
  /** known to be anonymous or shmem (PG_swapbacked) */
  swapBacked: 1 << 5,
  /** last known: dirty; meaningless unless dirtyKnown */
  dirty: 1 << 6,
  dirtyKnown: 1 << 7,
  /** a page_ref count disagreed with the replay on the last event: a race of two CPUs or a lost event */
  mismatch: 1 << 8,
  /** order was said (kmem, filemap) rather than inferred */
  orderKnown: 1 << 9,
  /** part of a compound page (PG_head seen, or order > 0 of a user page) */
  large: 1 << 10,
  /** had mappings (mapcount at least one) at some time in this generation */
  wasMapped: 1 << 11,
  /** pins that began before the trace were already derived from the first count */
  pinsDerived: 1 << 12,
  /** an unpin was seen that no pin of this generation explains: its pins may predate the trace */
  pinsUnknown: 1 << 13,
  /** swap-backed before it was mapped: shmem, in the page cache */
  shmem: 1 << 14,
  /** some of its pins or gets are in its counts only: there were too many to list (Limit `references`) */
  unlisted: 1 << 15,
  /** pins, or gets, of this large folio were dropped that may have been others than those taken for them: whose pages are left is not known */
  pinsMixed: 1 << 16,
  getsMixed: 1 << 17,
} as const;

/** "Not known" in the count columns. */
export const UNKNOWN_COUNT = -0x80000000;

const FIRST_CAPACITY = 1 << 9;
/** Most pages followed: 32 GiB of small pages, and 1.4 GB of memory here. Events of further ones are counted. */
export const PAGES_MAX = 1 << 23;
/** Longest way through taken slots that chance gives; PFNs made to hash alike give longer ones. */
const PROBES_MAX = 512;

export class PageTable {
  /** rows in use */
  size = 0;
  /** times that a page beyond `limit` was asked for */
  refused = 0;
  /** not 0 once PFNs were met that hash alike: what their hash is mixed with, so that none can be chosen to */
  private seed = 0;
  private slots = new Int32Array(FIRST_CAPACITY * 2).fill(-1);
  private mask = FIRST_CAPACITY * 2 - 1;
  private capacity = FIRST_CAPACITY;

  pfn = new Float64Array(FIRST_CAPACITY);
  state = new Int32Array(FIRST_CAPACITY);
  order = new Int8Array(FIRST_CAPACITY);
  generation = new Int32Array(FIRST_CAPACITY);
  /** time the generation began, or the first event seen of it */
  since = new Float64Array(FIRST_CAPACITY);
  /** CPU that allocated it, where it was free until then; -1 not known */
  sinceCpu = new Int16Array(FIRST_CAPACITY);
  lastTime = new Float64Array(FIRST_CAPACITY);
  /** replayed raw `_refcount`; UNKNOWN_COUNT */
  expect = new Int32Array(FIRST_CAPACITY);
  /** as last printed; UNKNOWN_COUNT */
  count = new Int32Array(FIRST_CAPACITY);
  /** as last printed; UNKNOWN_COUNT */
  mapcount = new Int32Array(FIRST_CAPACITY);
  /** PageFlag bits as last printed */
  flags = new Int32Array(FIRST_CAPACITY);
  /** live pins and gets on this row (a folio's are on its head), in references */
  pins = new Int32Array(FIRST_CAPACITY);
  gets = new Int32Array(FIRST_CAPACITY);
  /** how many entries `references` has; not those that PageState.unlisted is about */
  listed = new Int16Array(FIRST_CAPACITY);
  /** live pins and gets of a page (a folio's are on its head), newest first */
  references: (Reference | undefined)[] = [];
  /** live DMA windows over a page, newest first; on the row of the sub-page itself */
  dma: (DmaLink | undefined)[] = [];
  /** what happened to a page that matters or is followed */
  lives: (Life | undefined)[] = [];
  /** the writeback a page is under */
  writebacks: (Writeback | undefined)[] = [];
  /** migratetype as last printed, -1 */
  migratetype = new Int8Array(FIRST_CAPACITY);

  /** The row of a PFN, or -1. */
  find(pfn: number): number {
    const {slots, mask, pfn: pfns, seed} = this;
    let i = (seed === 0 ? hash(pfn) : mixed(pfn, seed)) & mask;
    for (;;) {
      const row = slots[i]!;
      if (row < 0) return -1;
      if (pfns[row] === pfn) return row;
      i = (i + 1) & mask;
    }
  }

  constructor(private readonly limit = PAGES_MAX) {}

  /** The row of a PFN; makes one if there is none. -1 when there are as many as are followed (`refused` counts). */
  row(pfn: number, t: number): number {
    const {slots, mask, pfn: pfns, seed} = this;
    const first = (seed === 0 ? hash(pfn) : mixed(pfn, seed)) & mask;
    let i = first;
    for (;;) {
      const row = slots[i]!;
      if (row < 0) break;
      if (pfns[row] === pfn) return row;
      i = (i + 1) & mask;
    }
    if (this.size >= this.limit) {
      this.refused++;
      return -1;
    }
    if (((i - first) & mask) > PROBES_MAX && seed === 0) {
      this.seed = randomInt(1, 2 ** 31);
      this.fill();
      return this.row(pfn, t);
    }
    if (this.size === this.capacity) {
      this.grow();
      return this.row(pfn, t);
    }
    const row = this.size++;
    slots[i] = row;
    this.pfn[row] = pfn;
    this.reset(row, t);
    this.dma[row] = undefined;
    this.lives[row] = undefined;
    this.generation[row] = 0;
    this.order[row] = 0;
    return row;
  }

  /** Begins a new generation on a row: nothing of the old one is carried over. The DMA links stay (a device does not forget). */
  reset(row: number, t: number): void {
    this.state[row] = 0;
    this.since[row] = t;
    this.sinceCpu[row] = -1;
    this.lastTime[row] = t;
    this.expect[row] = UNKNOWN_COUNT;
    this.count[row] = UNKNOWN_COUNT;
    this.mapcount[row] = UNKNOWN_COUNT;
    this.flags[row] = 0;
    this.pins[row] = 0;
    this.gets[row] = 0;
    this.listed[row] = 0;
    this.references[row] = undefined;
    this.writebacks[row] = undefined;
    this.migratetype[row] = -1;
  }

  /**
   * The row of the folio that holds a PFN: itself, or the head of a compound page known to reach over it.
   * -1 when nothing is known of the PFN.
   */
  findFolio(pfn: number): number {
    const own = this.find(pfn);
    if (own >= 0 && (this.state[own]! & PageState.large) !== 0) return own;
    const head = this.findHead(pfn);
    return head >= 0 ? head : own;
  }

  /** The same for a row: that of the folio it belongs to. */
  folioOf(row: number): number {
    if ((this.state[row]! & PageState.large) !== 0) return row;
    const head = this.findHead(this.pfn[row]!);
    return head >= 0 ? head : row;
  }

  /** Whether any compound page was ever seen. */
  get anyLarge(): boolean {
    return this.largest > 0;
  }

  /** The row of a compound page's head whose order reaches over a PFN that is not its head; -1. */
  findHead(pfn: number): number {
    if (this.reached[blockOf(pfn)] === 0) return -1;
    for (let order = 1; order <= this.largest; order++) {
      const size = 1 << order;
      const head = Math.floor(pfn / size) * size;
      if (head === pfn) continue;
      const row = this.find(head);
      if (
        row >= 0 &&
        this.order[row]! >= order &&
        (this.state[row]! & (PageState.large | PageState.free)) === PageState.large
      )
        return row;
    }
    return -1;
  }

  /** the largest order ever seen */
  private largest = 0;
  /** blocks of 4 MiB that a compound page was ever seen to reach into: most lookups of a head end here */
  private readonly reached = new Uint8Array(BLOCKS);

  /** Marks a row as the head of a compound page of an order. */
  setLarge(row: number, order: number, known: boolean): void {
    this.state[row]! |= PageState.large | (known ? PageState.orderKnown : 0);
    if (order > this.order[row]! || known) this.order[row] = order;
    const reach = Math.min(order, MAX_ORDER);
    if (reach > this.largest) this.largest = reach;
    const first = this.pfn[row]!;
    const end = first + 2 ** reach;
    for (let pfn = first; pfn < end; pfn += BLOCK_PAGES) this.reached[blockOf(pfn)] = 1;
    this.reached[blockOf(end - 1)] = 1;
  }

  /** What is known of a page: `is(row, 'lifeSeen')`. */
  is(row: number, what: keyof typeof PageState): boolean {
    return (this.state[row]! & PageState[what]) !== 0;
  }

  /** The page is clean, as far as its dirtying and cleaning are traced. */
  isClean(row: number): boolean {
    return (this.state[row]! & (PageState.dirty | PageState.dirtyKnown)) === PageState.dirtyKnown;
  }

  /** Whether a page is part of a compound one, by what is known of it and the flags (PageFlag) printed now. */
  isLarge(row: number, flags: number): boolean {
    return (flags & PageFlag.head) !== 0 || (this.state[row]! & PageState.large) !== 0;
  }

  /** Whether a folio holds a reference of a kind that covers a page of it. */
  holds(row: number, kind: ReferenceKind, pfn: number): boolean {
    if ((kind === 'pin' ? this.pins[row]! : this.gets[row]!) <= 0) return false;
    if ((this.state[row]! & PageState.large) === 0) return true;
    for (let r = this.references[row]; r; r = r.next) {
      if (r.kind === kind && r.covers(pfn)) return true;
    }
    return false;
  }

  /**
   * Whether a folio holds a reference of a kind on a page of it: 'maybe' where one is held of the folio, and the page it is
   * of is not known for certain.
   */
  covers(row: number, kind: ReferenceKind, pfn: number): 'yes' | 'maybe' | 'no' {
    if ((kind === 'pin' ? this.pins[row]! : this.gets[row]!) <= 0) return 'no';
    if ((this.state[row]! & PageState.large) === 0) return 'yes';
    const mixed = kind === 'pin' ? PageState.pinsMixed : PageState.getsMixed;
    let maybe = (this.state[row]! & (PageState.unlisted | mixed)) !== 0;
    for (let r = this.references[row]; r; r = r.next) {
      if (r.kind !== kind) continue;
      if (r.sub < 0 || !r.subCertain) maybe = true;
      else if (r.covers(pfn)) {
        if (pfn < r.sub + r.n) return 'yes';
        maybe = true;
      }
    }
    return maybe ? 'maybe' : 'no';
  }

  /** Whether anything about a page could still decide a verdict: references, windows, writeback. */
  matters(row: number): boolean {
    return (
      this.references[row] !== undefined ||
      this.dma[row] !== undefined ||
      this.writebacks[row] !== undefined ||
      (this.state[row]! & PageState.underWriteback) !== 0
    );
  }

  private grow(): void {
    this.capacity *= 2;
    const {capacity} = this;
    this.pfn = copy(this.pfn, new Float64Array(capacity));
    this.state = copy(this.state, new Int32Array(capacity));
    this.order = copy(this.order, new Int8Array(capacity));
    this.generation = copy(this.generation, new Int32Array(capacity));
    this.since = copy(this.since, new Float64Array(capacity));
    this.sinceCpu = copy(this.sinceCpu, new Int16Array(capacity));
    this.lastTime = copy(this.lastTime, new Float64Array(capacity));
    this.expect = copy(this.expect, new Int32Array(capacity));
    this.count = copy(this.count, new Int32Array(capacity));
    this.mapcount = copy(this.mapcount, new Int32Array(capacity));
    this.flags = copy(this.flags, new Int32Array(capacity));
    this.pins = copy(this.pins, new Int32Array(capacity));
    this.gets = copy(this.gets, new Int32Array(capacity));
    this.listed = copy(this.listed, new Int16Array(capacity));
    this.migratetype = copy(this.migratetype, new Int8Array(capacity));
    this.mask = capacity * 2 - 1;
    this.slots = new Int32Array(capacity * 2);
    this.fill();
  }

  /** Gives every row its slot. */
  private fill(): void {
    const {seed} = this;
    this.slots.fill(-1);
    for (let row = 0; row < this.size; row++) {
      let i = (seed === 0 ? hash(this.pfn[row]!) : mixed(this.pfn[row]!, seed)) & this.mask;
      while (this.slots[i]! >= 0) i = (i + 1) & this.mask;
      this.slots[i] = row;
    }
  }
}

/** MAX_PAGE_ORDER is 10 on x86; a 1 GiB hugetlb page is order 18. */
export const MAX_ORDER = 18;
/** Pages of the largest folio. */
export const FOLIO_PAGES_MAX = 2 ** MAX_ORDER;

/** Pages of a block, and blocks told apart: those of 256 GiB; PFNs beyond share theirs. */
const BLOCK_PAGES = 1024;
const BLOCKS = 1 << 16;

function blockOf(pfn: number): number {
  return Math.floor(pfn / BLOCK_PAGES) & (BLOCKS - 1);
}

/** PFNs come in runs: multiply to spread them (Knuth), fold the high part of large ones in. */
function hash(pfn: number): number {
  return Math.imul((pfn | 0) ^ Math.floor(pfn / 0x100000000), 0x9e3779b1) >>> 8;
}

/** A slower one whose outcome cannot be chosen without knowing the seed (the finalizer of MurmurHash3). */
function mixed(pfn: number, seed: number): number {
  let h = Math.imul((pfn | 0) ^ seed, 0x85ebca6b) ^ Math.imul(Math.floor(pfn / 0x100000000) + seed, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function copy<T extends {set(source: ArrayLike<number>): void}>(from: ArrayLike<number>, to: T): T {
  to.set(from);
  return to;
}
