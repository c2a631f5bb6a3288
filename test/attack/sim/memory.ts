/** Memory of programs: ranges of pages that their threads use at once, and what the kernel does to them meanwhile. */
import {type Ask, isCma, type Kernel} from './kernel.js';
import type {Disk} from './storage.js';
import {Folio, type Hold, type Spot} from './truth.js';
import type {Deed} from './world.js';

/** In the place of a page that is not there. */
function nothing(pfn: number): Folio {
  const none = new Folio(pfn, 0);
  none.free = true;
  return none;
}

export class Region {
  spots: Spot[] = [];
  mapped = true;
  /** pages of hugetlb's pool */
  pooled = false;
  /** nobody touches it before it is held */
  lazy = false;
  /** where a page of its file that was reclaimed is read in from */
  disk: Disk | undefined;
  /** spots whose page was given back, or reclaimed: the next who looks finds a new one */
  readonly gone = new Set<number>();
  /** who walks its page tables now, or changes them */
  private walkers = 0;
  private changed = false;

  constructor(
    readonly k: Kernel,
    public va: number,
    readonly kind: 'anon' | 'file' | 'shmem',
    /** of its folios */
    readonly order: number,
  ) {}

  /** Faults its pages in. */
  *fill(folios: number): Deed {
    for (let i = 0; i < folios; i++) {
      if (this.pooled) {
        const folio = yield* this.k.huge();
        for (let j = 0; j < folio.size; j++) this.spots.push({folio, pfn: folio.pfn + j});
        continue;
      }
      if (this.lazy) {
        for (let j = 0; j < 2 ** this.order; j++) {
          this.spots.push({folio: nothing(0), pfn: 0});
          this.gone.add(this.spots.length - 1);
        }
        continue;
      }
      const folio =
        this.kind === 'anon' ? yield* this.k.anon(this.order) : yield* this.k.filePage(this.kind, this.order);
      for (let j = 0; j < folio.size; j++) this.spots.push({folio, pfn: folio.pfn + j});
    }
  }

  get folios(): Folio[] {
    return [...new Set(this.spots.map(({folio}) => folio))];
  }

  /** Pins or gets of pages [at, at + n); none where it was unmapped. */
  *gup(kind: 'pin' | 'get', at: number, n: number, ask: Ask): Deed<Hold[]> {
    while (this.changed) yield {sleep: 30_000, idle: true};
    if (!this.mapped) return [];
    this.walkers++;
    const faults = (): Deed => this.faultIn(at, n, ask.write === true);
    if (!this.k.thorough) yield* faults();
    const spots = this.spots.slice(at, at + n);
    const evacuate = (): Deed<boolean> => this.evacuate(spots);
    const within = function* (this: Region): Deed<boolean> {
      yield* faults();
      const before = spots.splice(0, n, ...this.spots.slice(at, at + n));
      return before.some(({pfn}, i) => spots[i]!.pfn !== pfn);
    };
    const faultIn = this.k.thorough ? {faultIn: within.bind(this)} : {};
    const holds = yield* this.k.gup(kind, this.va + at * this.k.page, spots, {...ask, evacuate, ...faultIn});
    this.walkers--;
    return holds;
  }

  /** Pages of CMA blocks are copied to others, each of which the caller isolated and nobody else may hold (mm/migrate.c). */
  private *evacuate(spots: Spot[]): Deed<boolean> {
    const {k} = this;
    if (this.walkers > 1) return false;
    this.changed = true;
    let all = true;
    for (const [j, spot] of spots.entries()) {
      const {folio} = spot;
      if (!isCma(folio)) continue;
      const movable =
        this.kind === 'anon' && folio.mapped === 1 && folio.flags.has('lru') && !folio.flags.has('swapcache');
      if (!movable || folio.locked || folio.flags.has('writeback') || folio.count !== 2) {
        all = false;
        continue;
      }
      folio.locked = true;
      folio.mapped = 0;
      yield* k.ref('page_ref_mod_and_test', folio, -1);
      const target = yield* k.alloc(0, k.w.random.chance(0.4), false);
      target.kind = 'anon';
      target.mapping = folio.mapping;
      for (const flag of folio.flags) target.flags.add(flag);
      target.mapped = 1;
      yield* k.get(target);
      spots[j] = {folio: target, pfn: target.pfn};
      this.spots[this.spots.indexOf(spot)] = spots[j];
      yield* k.put(target);
      folio.locked = false;
    }
    this.changed = false;
    return all;
  }

  /** A spot has no page any more. */
  giveBack(i: number): void {
    const {pfn} = this.spots[i]!;
    this.spots[i] = {folio: nothing(pfn), pfn};
    this.gone.add(i);
  }

  /** Single pages instead of a folio. */
  replace(folio: Folio, pages: readonly Folio[]): void {
    this.spots = this.spots.map((spot) => {
      const page = spot.folio === folio ? pages[spot.pfn - folio.pfn]! : undefined;
      return page === undefined ? spot : {folio: page, pfn: page.pfn};
    });
  }

  /** Somebody follows its page tables: nobody changes them until he leaves. */
  enter(): void {
    this.walkers++;
  }

  leave(): void {
    this.walkers--;
  }

  /** Alone with the page tables. False where it was unmapped. */
  *lock(): Deed<boolean> {
    while (this.changed || this.walkers > 0) yield {sleep: 30_000, idle: true};
    if (!this.mapped) return false;
    this.changed = true;
    return true;
  }

  unlock(): void {
    this.changed = false;
  }

  /** Pages that fork() left shared are copied before they are held for anybody, those swapped out come back. */
  private *faultIn(at: number, n: number, write: boolean): Deed {
    const {k} = this;
    for (let i = at; i < at + n; i++) {
      if (this.gone.has(i) || (write && this.spots[i]!.folio.zero)) {
        yield* this.faultNew(i);
        continue;
      }
      const old = this.spots[i]!.folio;
      if (old.zero) continue;
      if (this.kind !== 'anon' || old.order > 0) continue;
      while (this.faulting.has(i)) yield {sleep: 10_000};
      this.faulting.add(i);
      while (old.count === 0 && !old.free) yield {sleep: 1000}; // frozen: it is about to be freed
      if (old.free) {
        const folio = yield* k.anon();
        this.spots[i] = {folio, pfn: folio.pfn};
      } else if (old.mapped === 0) {
        yield* k.ref('page_ref_mod_unless', old, 1);
        yield* k.lock(old);
        old.mapped = 1;
        yield* k.get(old);
        if (!old.flags.has('writeback') && old.flags.delete('swapcache')) yield* k.put(old);
        k.unlock(old);
        yield* k.put(old);
      } else if (old.mapped > 1) {
        const folio = yield* k.anon();
        this.spots[i] = {folio, pfn: folio.pfn};
        old.mapped--;
        yield* k.put(old);
      }
      this.faulting.delete(i);
    }
  }

  private *faultNew(i: number): Deed {
    const {k, disk} = this;
    const size = this.lazy ? 2 ** this.order : 1;
    const first = i - (i % size);
    while (this.faulting.has(first)) yield {sleep: 10_000};
    if (!this.gone.has(i) && !this.spots[i]!.folio.zero) return;
    this.faulting.add(first);
    const folio =
      this.kind === 'file'
        ? yield* k.filePage('file', 0, (page) => disk!.readIn(page))
        : yield* k.anon(this.lazy ? this.order : 0);
    for (let j = 0; j < size; j++) {
      this.spots[first + j] = {folio, pfn: folio.pfn + j};
      this.gone.delete(first + j);
    }
    this.faulting.delete(first);
  }

  private readonly faulting = new Set<number>();

  *munmap(): Deed {
    if (!(yield* this.lock())) return;
    this.mapped = false;
    const folios = this.folios.filter((folio) => !folio.free);
    yield* this.k.zap(folios.filter(({mapped}) => mapped > 0));
    for (const folio of folios)
      if (!folio.free && folio.mapped === 0 && !folio.locked && !folio.flags.has('writeback'))
        if (folio.flags.delete('swapcache')) yield* this.k.put(folio);
    if (this.kind !== 'anon')
      for (const folio of folios) {
        while (folio.flags.has('writeback')) yield {sleep: 50_000};
        yield* this.k.truncate(folio);
      }
    this.changed = false;
  }
}

/** A child is made, lives for a while and ends: pages that may be pinned are copied for it (copy_present_page(), since 5.9). */
export function* fork(k: Kernel, region: Region): Deed {
  if (region.kind !== 'anon' || region.order > 0 || !(yield* region.lock())) return;
  const shared: Folio[] = [];
  for (const {folio} of region.spots) {
    if (folio.free || folio.mapped === 0 || folio.flags.has('swapcache')) continue;
    if ([...folio.holds].some(({kind}) => kind === 'pin') || (k.build.refs && folio.count >= 1024)) {
      yield* k.get(folio);
      shared.push(yield* k.anon());
      yield* k.put(folio);
    } else {
      folio.mapped++;
      yield* k.get(folio);
      shared.push(folio);
    }
  }
  region.unlock();
  k.w.spawn(
    k.w.task('child'),
    (function* () {
      yield {sleep: k.w.between(200_000, 2_000_000)};
      for (const folio of shared) if (k.w.random.chance(0.2)) yield* k.probe('markDirty', folio);
      yield* k.zap(shared);
    })(),
  );
}

/** Compaction: a page is copied to another, unless somebody holds it (folio_migrate_mapping(), mm/migrate.c). */
export function* migrate(k: Kernel, region: Region): Deed {
  if (!(yield* region.lock())) return;
  const i = k.w.random.below(region.spots.length);
  const {folio} = region.spots[i]!;
  if (folio.order === 0 && region.kind === 'anon' && folio.mapped === 1 && folio.flags.has('lru') && !folio.locked) {
    yield* k.ref('page_ref_mod_unless', folio, 1);
    folio.locked = true;
    folio.mapped = 0;
    yield* k.ref('page_ref_mod_and_test', folio, -1);
    if (folio.count === 1 && !folio.flags.has('writeback')) {
      const target = yield* k.alloc(0, k.w.random.chance(0.4));
      target.kind = 'anon';
      target.mapping = folio.mapping;
      for (const flag of folio.flags) target.flags.add(flag);
      target.mapped = 1;
      yield* k.get(target);
      region.spots[i] = {folio: target, pfn: target.pfn};
      yield* k.put(target);
      folio.locked = false;
      yield* k.put(folio);
    } else {
      folio.mapped = 1;
      yield* k.get(folio);
      folio.locked = false;
      yield* k.put(folio);
    }
  }
  region.unlock();
}

/** The page table of a huge page is made one of single pages (__split_huge_pmd_locked(), mm/huge_memory.c). */
export function* splitPmd(k: Kernel, region: Region): Deed {
  if (!(yield* region.lock())) return;
  for (const folio of region.folios) {
    if (!folio.pmd || folio.pooled) continue;
    folio.pmd = false;
    folio.mapped = folio.size;
    yield* k.ref('page_ref_mod', folio, folio.size - 1);
    break;
  }
  region.unlock();
}

/** Reclaim writes an anonymous page to swap, and frees it if nobody took it back meanwhile (mm/vmscan.c). */
export function* swapOut(k: Kernel, region: Region, disk: Disk): Deed {
  if (!(yield* region.lock())) return;
  const {folio} = k.w.random.of(region.spots);
  const idle =
    region.kind === 'anon' &&
    folio.order === 0 &&
    !folio.free &&
    folio.mapped === 1 &&
    folio.flags.has('lru') &&
    !folio.locked &&
    !folio.flags.has('swapcache') &&
    !folio.flags.has('writeback');
  if (!idle) return region.unlock();
  folio.locked = true;
  yield* k.ref('page_ref_mod_unless', folio, 1);
  // pageout() leaves alone what others hold
  if (folio.count !== 2) {
    folio.locked = false;
    region.unlock();
    return yield* k.put(folio);
  }
  folio.flags.add('swapcache');
  yield* k.get(folio);
  folio.mapped = 0;
  yield* k.ref('page_ref_mod_and_test', folio, -1);
  region.unlock();
  folio.flags.add('dirty');
  folio.locked = false;
  yield* disk.writeOut(folio);
  while (folio.flags.has('writeback')) yield {sleep: 100_000};
  yield {sleep: k.w.between(10_000, 400_000)};
  yield* k.lock(folio);
  if (folio.mapped === 0 && folio.flags.has('swapcache') && folio.holds.size === 0 && (yield* k.freeze(folio, 2))) {
    folio.flags.delete('swapcache');
    k.unlock(folio);
    return yield* k.release(folio);
  }
  k.unlock(folio);
  yield* k.put(folio);
}
