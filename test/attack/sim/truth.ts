/** What really happened: who holds each page for what, which device may touch it, and every moment at which that went wrong. */
export type Direction = 'BIDIRECTIONAL' | 'TO_DEVICE' | 'FROM_DEVICE';

/** One reference taken by pin_user_pages() or get_user_pages(). */
export class Hold {
  dropped = false;
  taken = 0;
  droppedAt = Infinity;
  /** cleaned for writeback while it was held */
  cleaned = false;
  /** who holds it marked the page dirty since */
  marked = false;
  constructor(
    readonly kind: 'pin' | 'get',
    readonly folio: Folio,
    /** the page it was taken of, and how many from there it keeps */
    public first: number,
    public pages: number,
    readonly write: boolean,
  ) {}

  covers(pfn: number): boolean {
    return pfn >= this.first && pfn < this.first + this.pages;
  }
}

export class Folio {
  count = 1;
  mapped = 0;
  /** mapped by one entry of the middle page table */
  pmd = false;
  /** its page table entries allow stores */
  writable = true;
  kind: 'anon' | 'file' | 'shmem' | 'kernel' = 'kernel';
  readonly flags = new Set<string>();
  mapping = '0000000000000000';
  locked = false;
  free = false;
  /** the zero page: pins of it are not counted since 6.5 (is_zero_folio(), mm/gup.c) */
  zero = false;
  /** of hugetlb's pool: it goes back there, not to the page allocator */
  pooled = false;
  /** its counts were spoiled by a bug: what is told of it from here on may be of that */
  spoilt = false;
  readonly holds = new Set<Hold>();
  readonly windows = new Set<Window>();
  constructor(
    readonly pfn: number,
    readonly order: number,
  ) {}

  get size(): number {
    return 2 ** this.order;
  }
}

/** A page of a folio. */
export interface Spot {
  folio: Folio;
  pfn: number;
}

/** A device may touch these pages. */
export interface Window {
  device: string;
  dir: Direction;
  pages: ReadonlySet<number>;
  folios: ReadonlySet<Folio>;
  /** for whose I/O */
  holds: readonly Hold[];
  /** there are events of it */
  traced: boolean;
}

export interface Wrong {
  rule: string;
  pfn: number;
  t: number;
  /** a bug that was planted and must be found; else what correct work may be told of */
  planted: boolean;
}

/** What correct work does too: pages of files are written back whoever holds them. */
const RIGHT: readonly string[] = ['writeback-while-pinned', 'writeback-while-dma', 'dirty-after-writeback'];

export class Truth {
  readonly wrongs: Wrong[] = [];
  readonly spoilt: Folio[] = [];
  /** all that was ever held, written back and mapped */
  readonly held: Hold[] = [];
  readonly writebacks: {folio: Folio; from: number; to: number}[] = [];
  readonly maps: {window: Window; t: number}[] = [];
  /** no bug is planted: what is freed is used by nobody */
  strict = true;
  now: () => number = () => 0;

  /** `planted` bugs are to be found. */
  wrong(rule: string, pfn: number, planted: boolean): void {
    if (this.strict && !RIGHT.includes(rule)) throw new Error(`correct work is ${rule} of 0x${pfn.toString(16)}`);
    this.wrongs.push({rule, pfn, t: this.now(), planted});
  }

  spoil(folio: Folio): void {
    folio.spoilt = true;
    this.spoilt.push(folio);
  }

  take(hold: Hold): void {
    hold.folio.holds.add(hold);
    hold.taken = this.now();
    this.held.push(hold);
    if (hold.folio.flags.has('writeback') && hold.folio.kind === 'file') this.underWriteback(hold);
  }

  drop(hold: Hold): void {
    const {folio} = hold;
    if (hold.dropped) throw new Error('a hold is dropped twice');
    hold.dropped = true;
    hold.droppedAt = this.now();
    folio.holds.delete(hold);
    for (const window of folio.zero ? [] : folio.windows) {
      for (let pfn = hold.first; pfn < hold.first + hold.pages; pfn++) {
        if (!window.pages.has(pfn)) continue;
        // a request may be of others' pages too: only what was mapped under a reference needs one
        if (!window.holds.some((under) => under.kind === hold.kind && under.covers(pfn))) continue;
        const held = [...folio.holds].some((other) => other.kind === hold.kind && other.covers(pfn));
        // held by others still it is but a near miss, unless they let go before the device does
        if (held && !window.holds.includes(hold)) continue;
        this.wrong(hold.kind === 'pin' ? 'unpin-while-dma' : 'put-while-dma', pfn, !held && window.traced);
      }
    }
    if (hold.cleaned && hold.marked)
      for (let i = 0; i < hold.pages; i++) this.wrong('dirty-after-writeback', hold.first + i, false);
  }

  mapped(window: Window): void {
    this.maps.push({window, t: this.now()});
    for (const folio of window.folios) folio.windows.add(window);
  }

  unmapped(window: Window): void {
    for (const folio of window.folios) folio.windows.delete(window);
  }

  freed(folio: Folio): void {
    folio.free = true;
    for (const window of folio.windows)
      if (window.holds.length > 0)
        for (const pfn of window.pages)
          if (pfn >= folio.pfn && pfn < folio.pfn + folio.size) this.wrong('free-while-dma', pfn, window.traced);
    for (const hold of folio.holds)
      for (let i = 0; i < hold.pages; i++) this.wrong('free-while-pinned', hold.first + i, true);
  }

  writebackStarts(folio: Folio): void {
    this.writebacks.push({folio, from: this.now(), to: Infinity});
    if (folio.kind !== 'file') return;
    for (const hold of folio.holds) {
      hold.cleaned = true;
      this.underWriteback(hold);
    }
  }

  writebackEnds(folio: Folio): void {
    this.writebacks.findLast((one) => one.folio === folio)!.to = this.now();
  }

  private underWriteback(hold: Hold): void {
    const rule = hold.kind === 'pin' ? 'writeback-while-pinned' : 'writeback-while-dma';
    for (let pfn = hold.folio.pfn; pfn < hold.folio.pfn + hold.folio.size; pfn++) this.wrong(rule, pfn, false);
  }
}
