/**
 * Pages and their references as Linux counts them, printed as its tracepoints and the probes of `pinscope record` print
 * them, by release (mm/gup.c, mm/swap.c, mm/page-writeback.c). A count changes first and is printed after, as in Linux: what
 * others do in between is in what is printed.
 */
import {Folio, Hold, type Spot, type Truth} from './truth.js';
import type {Deed, World} from './world.js';

export type Release = '5.10' | '6.1' | '6.12' | '6.18';

export interface Build {
  release: Release;
  /** CONFIG_DEBUG_PAGE_REF */
  refs: boolean;
  /** where struct pages begin */
  vmemmap: bigint;
  /** log2 of a page's bytes: 12, 14 or 16 */
  shift: number;
}

export interface Ask {
  write?: boolean;
  longterm?: boolean;
  remote?: boolean;
  /** page tables are walked under locks */
  slow?: boolean;
  /** moves what lies in CMA blocks out of them, as far as nobody else has it; false where that failed */
  evacuate?: () => Deed<boolean>;
  /** brings pages in that are not there, within the call; whether there were any: then it goes on under locks */
  faultIn?: () => Deed<boolean>;
}

/** Pages of a CMA block, where the machine has one; the page of zeros. */
const CMA = 0x1800;
const ZERO = 0x1700;
export const isCma = ({pfn}: Folio): boolean => pfn >= CMA && pfn < CMA + 16;

// eslint-disable-next-line require-yield
function* none(): Deed<boolean> {
  return false;
}

const FOLL = {
  old: {pin: 0x40000, get: 0x4, longterm: 0x10000, remote: 0x2000},
  new: {pin: 0x80000, get: 0x2, longterm: 0x100, remote: 0x40000},
};
const BIAS = 1024;
/** What walks page tables under locks, innermost first. */
const WALK = ['__get_user_pages', '__gup_longterm_locked'];
/** Pages whose addition to the LRU waits, per CPU (lru_add, mm/swap.c). */
const BATCH = 6;

const NAMES = {
  markDirty: ['set_page_dirty', 'folio_mark_dirty'],
  clearDirty: ['clear_page_dirty_for_io', 'folio_clear_dirty_for_io'],
  startWriteback: ['__test_set_page_writeback', '__folio_start_writeback'],
  endWriteback: ['end_page_writeback', 'folio_end_writeback'],
  lastPut: ['__put_page', '__folio_put'],
} as const;

export class Kernel {
  private readonly unused: number[] = [];
  private readonly batches: Folio[][];
  private ofs = 0;
  /** hugetlb's, once they came back */
  private readonly pool: number[] = [];
  private nextHuge = 0x80000;
  private nextPage = 0x3000;
  /** in CMA blocks, so many from here on, where the machine has any */
  private readonly cma: number[] = [];
  private nextBlock = 0x20000;

  /** Pages are faulted in within the call that takes them, and folios of a memfd are looked up with references of their own. */
  thorough = false;

  constructor(
    readonly w: World,
    readonly truth: Truth,
    readonly build: Build,
  ) {
    truth.now = () => w.now;
    this.batches = w.cpus.map(() => []);
    for (let pfn = 0x2000; pfn < 0x2100; pfn++) this.unused.push(pfn);
  }

  get old(): boolean {
    return this.build.release === '5.10' || this.build.release === '6.1';
  }

  /** A page's bytes. */
  get page(): number {
    return 2 ** this.build.shift;
  }

  /** Of a folio that one entry of the middle page table maps: such a table is a page of eight-byte entries. */
  get pmdOrder(): number {
    return this.build.shift - 3;
  }

  private get foll() {
    return this.old ? FOLL.old : FOLL.new;
  }

  pointer(pfn: number): string {
    return `0x${(this.build.vmemmap + BigInt(pfn) * 64n).toString(16)}`;
  }

  // --- printing

  /** Time that a line takes to be made. */
  gap(): number {
    return this.w.between(700, 4000);
  }

  *call(name: string, args: string): Deed {
    this.w.write(name, `(${name}+0x4/0x90) ${args}`);
    yield this.gap();
  }

  *returned(name: string, from: string, args: string): Deed {
    this.w.write(`${name}_ret`, `(${from}+0x2e/0x70 <- ${name}) ${args}`);
    yield this.gap();
  }

  *probe(what: keyof typeof NAMES, folio: Folio): Deed {
    const old = this.build.release === '5.10';
    yield* this.call(NAMES[what][old ? 0 : 1], `${old ? 'page' : 'folio'}=${this.pointer(folio.pfn)}`);
  }

  private state(folio: Folio): string {
    const {count, mapped, flags, mapping} = folio;
    const names = flags.size > 0 ? [...flags].join('|') : 'none';
    const mapcount = this.old ? mapped : mapped - 1;
    const mt = isCma(folio) ? 4 : 1;
    return `pfn=0x${folio.pfn.toString(16)} flags=${names} count=${count} mapcount=${mapcount} mapping=${mapping} mt=${mt}`;
  }

  private kmem(folio: Folio): string {
    const pfn = this.build.release === '5.10' ? String(folio.pfn) : `0x${folio.pfn.toString(16)}`;
    return `page=00000000b9111fae pfn=${pfn} order=${folio.order}`;
  }

  // --- counts

  /** Changes the count, then prints it. Answers whether it got to 0. */
  *ref(event: string, folio: Folio, val: number, print = true): Deed<boolean> {
    if (folio.free && this.truth.strict) throw new Error(`${event} of a free page 0x${folio.pfn.toString(16)}`);
    folio.count += val;
    const gone = folio.count === 0;
    if (!this.build.refs || !print) return gone;
    yield this.w.between(50, 600);
    const ret = event === 'page_ref_mod_unless' ? ' ret=1' : event.endsWith('_test') ? ` ret=${gone ? 1 : 0}` : '';
    this.w.write(event, `${this.state(folio)} val=${val}${ret}`);
    yield this.gap();
    return gone;
  }

  *get(folio: Folio): Deed {
    yield* this.ref('page_ref_mod', folio, 1);
  }

  *put(folio: Folio, n = 1, how: 'alone' | 'batch' = 'alone'): Deed {
    if (!(yield* this.ref('page_ref_mod_and_test', folio, -n))) return;
    if (how === 'alone') yield* this.probe('lastPut', folio);
    yield* this.release(folio);
  }

  *freeze(folio: Folio, expected: number): Deed<boolean> {
    const ok = folio.count === expected;
    if (ok) folio.count = 0;
    if (this.build.refs) this.w.write('page_ref_freeze', `${this.state(folio)} val=${expected} ret=${ok ? 1 : 0}`);
    yield this.gap();
    return ok;
  }

  *unfreeze(folio: Folio, count: number): Deed {
    folio.count = count;
    if (this.build.refs) this.w.write('page_ref_unfreeze', `${this.state(folio)} val=${count}`);
    yield this.gap();
  }

  /** The page allocator has it back. */
  *release(folio: Folio): Deed {
    this.truth.freed(folio);
    if (folio.pooled) {
      this.pool.push(folio.pfn);
      yield this.gap();
      return;
    }
    this.w.write('mm_page_free', this.kmem(folio));
    if (isCma(folio)) this.cma.push(folio.pfn);
    else if (this.breaksBlocks && this.backIn(folio)) yield 0;
    else if (folio.order === 0) this.unused.push(folio.pfn);
    else this.blocks.push(folio.pfn);
    yield this.gap();
  }

  /** Blocks of free pages are broken, and made whole again. */
  breaksBlocks = false;
  /** by its first page: what is handed out of a block that is broken */
  private readonly broken = new Map<number, Set<{pfn: number; order: number}>>();

  /** A folio comes back: to the broken block that it is of; or it is a block, and broken from here on. Answers whether. */
  private backIn({pfn, order}: Folio): boolean {
    const {random} = this.w;
    const block = pfn - (pfn % this.blockPages);
    const out = this.broken.get(block);
    if (out === undefined) {
      const breaks = order > 0 && pfn === block && random.chance(0.7);
      if (breaks) this.broken.set(block, new Set());
      return breaks;
    }
    for (const one of out) if (one.pfn === pfn) out.delete(one);
    if (out.size === 0 && random.chance(0.5)) {
      this.broken.delete(block);
      this.blocks.push(block);
    }
    return true;
  }

  /** A part of a broken block; undefined where there is none. */
  private part(order: number): number | undefined {
    const {random} = this.w;
    if (this.broken.size === 0 || order === this.pmdOrder || !random.chance(0.7)) return undefined;
    const [block, out] = random.of([...this.broken]);
    const size = 2 ** order;
    // most near its beginning, so that they meet the folios there
    const pfn =
      block + size * random.below(Math.max(1, Math.floor((random.chance(0.7) ? 32 : this.blockPages) / size)));
    for (const one of out) if (one.pfn < pfn + size && pfn < one.pfn + 2 ** one.order) return undefined;
    out.add({pfn, order});
    return pfn;
  }

  private free: number[] | undefined;

  private get blocks(): number[] {
    return (this.free ??= Array.from({length: 6}, (_, n) => 0x10000 + n * this.blockPages));
  }

  /** Of the largest folio: each begins at a multiple of its size, as the buddy allocator gives it out. */
  private get blockPages(): number {
    return 2 ** Math.max(9, this.pmdOrder);
  }

  /** Pages that were just freed are handed out again first, mostly (per-CPU lists). */
  *alloc(order = 0, silent = false, movable = true): Deed<Folio> {
    const {w} = this;
    const cma = order === 0 && movable && this.cma.length > 0 && w.random.chance(0.2);
    const from = cma ? this.cma : order === 0 ? this.unused : this.blocks;
    if (from.length === 0) from.push(order === 0 ? this.nextPage++ : (this.nextBlock += this.blockPages));
    const part = this.breaksBlocks && !cma ? this.part(order) : undefined;
    const pfn = part ?? (w.random.chance(0.6) ? from.pop()! : from.splice(w.random.below(from.length), 1)[0]!);
    const folio = new Folio(pfn, order);
    folio.flags.add('uptodate');
    if (order > 0) folio.flags.add('head');
    if (silent) return folio;
    const set = (): void => {
      if (this.build.refs) w.write('page_ref_set', `${this.state(folio)} val=1`);
    };
    if (this.build.release !== '6.18') set();
    w.write('mm_page_alloc', `${this.kmem(folio)} migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP`);
    yield this.gap();
    if (this.build.release === '6.18') set();
    return folio;
  }

  /** The page is to be put on the LRU: a batch of this CPU holds it until it is drained. */
  *lruAdd(folio: Folio): Deed {
    const batch = this.batches[this.w.cpu]!;
    yield* this.w.within('folio_add_lru', this.get(folio));
    batch.push(folio);
    if (batch.length < BATCH) return;
    yield* this.w.within(['folio_batch_add_and_move', 'folio_add_lru'], this.drain(batch));
  }

  *drain(batch = this.batches[this.w.cpu]!): Deed {
    for (const folio of batch.splice(0)) {
      folio.flags.add('lru');
      yield* this.put(folio, 1, 'batch');
    }
  }

  /** Movable pages may lie in CMA blocks from here on. */
  haveCma(): void {
    for (let pfn = CMA; pfn < CMA + 16; pfn++) this.cma.push(pfn);
  }

  /** A huge page of hugetlb's pool: it leaves and enters it with its count alone (dequeue_hugetlb_folio_node_exact(), mm/hugetlb.c). */
  *huge(): Deed<Folio> {
    const folio = new Folio(this.pool.pop() ?? (this.nextHuge += 2 ** this.pmdOrder), this.pmdOrder);
    folio.pooled = true;
    folio.pmd = true;
    folio.kind = 'anon';
    folio.flags.add('uptodate').add('head');
    if (this.build.refs) this.w.write(this.old ? 'page_ref_set' : 'page_ref_unfreeze', `${this.state(folio)} val=1`);
    yield this.gap();
    folio.mapping = '00000000261e2897';
    folio.mapped = 1;
    return folio;
  }

  /** The page of zeros that reads of memory never written to find; it is everybody's, and never freed. */
  get zero(): Folio {
    if (this.zeroPage === undefined) {
      this.zeroPage = new Folio(ZERO, 0);
      this.zeroPage.zero = true;
      this.zeroPage.writable = false;
      this.zeroPage.flags.add('reserved');
    }
    return this.zeroPage;
  }

  private zeroPage: Folio | undefined;

  // --- what user memory is made of

  /** A fault on anonymous memory. */
  anon(order = 0): Deed<Folio> {
    const fault = order === this.pmdOrder ? 'do_huge_pmd_anonymous_page' : 'do_anonymous_page';
    return this.w.within([fault, '__handle_mm_fault', 'handle_mm_fault'], this.newAnon(order));
  }

  private *newAnon(order: number): Deed<Folio> {
    const folio = yield* this.alloc(order);
    folio.kind = 'anon';
    folio.mapping = '00000000261e2897';
    folio.flags.add('swapbacked');
    folio.pmd = order === this.pmdOrder;
    folio.mapped = order === 0 || folio.pmd ? 1 : folio.size;
    if (folio.mapped > 1) yield* this.ref('page_ref_mod', folio, folio.mapped - 1);
    yield* this.lruAdd(folio);
    return folio;
  }

  /** A page of a file, read in or new, and mapped. */
  *filePage(kind: 'file' | 'shmem', order = 0, readIn?: (folio: Folio) => Deed): Deed<Folio> {
    const folio = yield* this.alloc(order);
    folio.kind = kind;
    folio.mapping = kind === 'file' ? '00000000fdefbca1' : '00000000aa11bb22';
    if (kind === 'shmem') folio.flags.add('swapbacked');
    folio.writable = kind === 'shmem';
    yield* this.ref('page_ref_mod', folio, folio.size);
    const where = kind === 'file' ? 'dev 259:0 ino c' : 'dev 0:1 ino 404';
    const tail = this.build.release === '5.10' ? '' : ` order=${order}`;
    const pfn =
      this.build.release === '5.10' ? `page=00000000b9111fae pfn=${folio.pfn}` : `pfn=0x${folio.pfn.toString(16)}`;
    this.w.write('mm_filemap_add_to_page_cache', `${where} ${pfn} ofs=${(this.ofs += 65536)}${tail}`);
    yield this.gap();
    if (kind === 'file') {
      folio.flags.add('private');
      yield* this.get(folio);
    }
    if (readIn !== undefined) yield* readIn(folio);
    folio.mapped = folio.size;
    // the reference of the allocation goes; each page table entry has one
    yield* this.ref('page_ref_mod', folio, folio.size - 1);
    yield* this.lruAdd(folio);
    return folio;
  }

  /** A task's page tables let go of pages: munmap(), or its end. */
  zap(folios: readonly Folio[]): Deed {
    return this.w.within(
      ['folios_put_refs', 'free_pages_and_swap_cache', 'tlb_flush_mmu', 'zap_pte_range', 'unmap_page_range'],
      this.unmap(folios),
    );
  }

  private *unmap(folios: readonly Folio[]): Deed {
    for (let i = 0; i < folios.length; i += 14) {
      const some = folios.slice(i, i + 14);
      const refs = some.map((folio) => (folio.order === 0 || folio.pmd ? 1 : folio.size));
      some.forEach((folio, j) => (folio.mapped = Math.max(0, folio.mapped - refs[j]!)));
      if (!this.old) {
        const first = [0, 1, 2, 3].map((j) => (some[j] ? this.pointer(some[j].pfn) : '0x0'));
        yield* this.call('folios_put_refs', `nr=${some.length} f={${first.join(',')}}`);
      }
      for (const [j, folio] of some.entries()) yield* this.put(folio, refs[j]!, 'batch');
    }
  }

  /** The file is cut: its page cache lets go. */
  *truncate(folio: Folio): Deed {
    if (folio.flags.delete('private')) yield* this.put(folio);
    this.leaveCache(folio);
    yield this.gap();
    yield* this.put(folio, folio.size);
  }

  leaveCache(folio: Folio): void {
    const where = folio.kind === 'file' ? 'dev 259:0 ino c' : 'dev 0:1 ino 404';
    const pfn =
      this.build.release === '5.10' ? `page=00000000b9111fae pfn=${folio.pfn}` : `pfn=0x${folio.pfn.toString(16)}`;
    const tail = this.build.release === '5.10' ? '' : ` order=${folio.order}`;
    this.w.write('mm_filemap_delete_from_page_cache', `${where} ${pfn} ofs=65536${tail}`);
    folio.kind = 'kernel';
    folio.mapping = '0000000000000000';
  }

  // --- dirtying and writeback

  *lock(folio: Folio): Deed {
    while (folio.locked) yield {sleep: 20_000};
    folio.locked = true;
  }

  unlock(folio: Folio): void {
    folio.locked = false;
  }

  /** `holds`: of whom it is marked for what a device wrote */
  *markDirty(folio: Folio, holds: readonly Hold[] = []): Deed {
    yield* this.probe('markDirty', folio);
    for (const hold of holds) if (hold.cleaned) hold.marked = true;
    folio.flags.add('dirty');
  }

  /** A store to a page that the kernel watches: page_mkwrite() of ext4 marks it, then the fault does. */
  writeFault(folio: Folio): Deed {
    return this.w.within(['do_wp_page', '__handle_mm_fault', 'handle_mm_fault'], this.store(folio));
  }

  private *store(folio: Folio): Deed {
    if (folio.writable) return;
    if (folio.kind === 'file') {
      yield* this.lock(folio);
      yield* this.markDirty(folio);
      this.unlock(folio);
      yield* this.markDirty(folio);
    }
    folio.writable = true;
  }

  /** write() on a file system that marks pages one by one, as btrfs does: it looks the page up, and marks it once. */
  *writeTo(folio: Folio): Deed {
    yield* this.ref('page_ref_mod_unless', folio, 1);
    yield* this.lock(folio);
    yield* this.markDirty(folio);
    this.unlock(folio);
    yield* this.put(folio);
  }

  *startWriteback(folio: Folio): Deed {
    yield* this.probe('clearDirty', folio);
    // folio_mkclean() found entries that were stored through
    if (this.thorough && folio.kind === 'file' && folio.writable && folio.mapped > 0)
      yield* this.w.within(NAMES.clearDirty[this.build.release === '5.10' ? 0 : 1], this.markDirty(folio));
    folio.flags.delete('dirty');
    if (folio.kind === 'file') folio.writable = false;
    yield* this.probe('startWriteback', folio);
    folio.flags.add('writeback');
    this.truth.writebackStarts(folio);
  }

  endWriteback(folio: Folio): Deed {
    return this.w.within(['folio_end_writeback', 'bio_endio', 'blk_mq_end_request'], this.wroteBack(folio));
  }

  private *wroteBack(folio: Folio): Deed {
    yield* this.probe('endWriteback', folio);
    yield* this.get(folio);
    folio.flags.delete('writeback');
    this.truth.writebackEnds(folio);
    yield* this.put(folio);
  }

  // --- GUP

  /** pin_user_pages_fast() or get_user_pages_fast() of neighbouring pages; a hold for each that was taken. */
  gup(kind: 'pin' | 'get', va: number, spots: readonly Spot[], ask: Ask = {}): Deed<Hold[]> {
    const call = `${kind}_user_pages_${ask.remote ? 'remote' : 'fast'}`;
    return this.w.within(
      [this.old ? 'internal_get_user_pages_fast' : 'gup_fast_fallback', call],
      this.takeAll(kind, va, spots, ask),
    );
  }

  private *takeAll(kind: 'pin' | 'get', va: number, spots: readonly Spot[], ask: Ask): Deed<Hold[]> {
    const {foll} = this;
    const {write = false, longterm = false, remote = false} = ask;
    const base = (write ? 1 : 0) | (longterm ? foll.longterm : 0);
    const flags = base | foll[kind] | (remote ? foll.remote : 0);
    const call = `${kind}_user_pages_${remote ? 'remote' : 'fast'}`;
    const where = `start=0x${va.toString(16)} nr=${spots.length} gup_flags=0x${base.toString(16)}`;
    yield* this.call(call, remote ? where : `${where} pages=0xffff888005834000`);
    const holds: Hold[] = [];
    let {slow = false} = ask;
    if (ask.faultIn !== undefined && (yield* this.w.within(WALK, ask.faultIn()))) slow = true;
    if (!remote && !slow) {
      this.w.atomic();
      while (holds.length < spots.length) {
        const n = this.extent(spots, holds.length);
        const {folio, pfn} = spots[holds.length]!;
        if (write && !folio.writable) break;
        if (longterm && isCma(folio) && (yield* this.refuseFast(folio, pfn, flags))) break;
        const taken = yield* this.grabFast(kind, folio, pfn, n, flags, write);
        if (this.w.random.chance(0.02)) {
          // the entry changed meanwhile: let go again, and walk under locks
          if (kind === 'pin') yield* this.gupPut(folio, n, taken);
          else yield* this.putHolds(folio, taken);
          break;
        }
        holds.push(...taken);
      }
      this.w.atomicEnd();
    }
    const fast = holds.length;
    for (;;) {
      while (holds.length < spots.length) {
        const {folio, pfn} = spots[holds.length]!;
        if (write) yield* this.w.within(WALK, this.writeFault(folio));
        const n = this.extent(spots, holds.length);
        holds.push(...(yield* this.grabSlow(kind, folio, pfn, 1, flags, write)));
        if (n > 1) holds.push(...(yield* this.grabSlow(kind, folio, pfn + 1, n - 1, flags, write)));
      }
      if (!longterm || !holds.slice(fast).some(({folio}) => isCma(folio))) break;
      // check_and_migrate_movable_pages(): all that the slow path pinned is let go, those in CMA blocks move, and again
      const some = holds.splice(fast);
      for (const {folio} of some) if (isCma(folio)) yield* this.get(folio);
      yield* this.unpinPages(some);
      const moved = yield* this.w.within(['migrate_pages', '__gup_longterm_locked'], ask.evacuate?.() ?? none());
      for (const {folio} of some) if (isCma(folio) && !folio.free) yield* this.put(folio);
      if (moved !== true) {
        yield* this.returned(call, 'iov_iter_extract_pages', `ret=${fast > 0 ? fast : -12}`);
        return holds;
      }
    }
    yield* this.returned(call, 'iov_iter_extract_pages', `ret=${holds.length}`);
    return holds;
  }

  /** How many of the pages from the `i`th on one page table entry maps. */
  private extent(spots: readonly Spot[], i: number): number {
    const {folio, pfn} = spots[i]!;
    if (!folio.pmd) return 1;
    let n = 1;
    while (spots[i + n]?.folio === folio && spots[i + n]!.pfn === pfn + n) n++;
    return n;
  }

  /** The function by which the fast path takes a reference. */
  private get fastGrab(): string {
    const before = {'5.10': 'try_grab_compound_head', '6.1': 'try_grab_folio'}[this.build.release as '5.10' | '6.1'];
    return before ?? 'try_grab_folio_fast';
  }

  /** The fast path leaves alone what a long-term pin must not hold: before it takes it, up to 6.6 or so, or right after. */
  private *refuseFast(folio: Folio, pfn: number, flags: number): Deed<boolean> {
    const {fastGrab} = this;
    yield* this.call(fastGrab, `page=${this.pointer(pfn)} refs=1 flags=0x${flags.toString(16)}`);
    if (!this.old) {
      yield* this.ref('page_ref_mod_unless', folio, 1);
      yield* this.put(folio);
    }
    if (this.build.release !== '5.10') yield* this.returned(fastGrab, 'gup_fast_fallback', 'folio=0x0');
    return true;
  }

  private grabFast(
    kind: 'pin' | 'get',
    folio: Folio,
    pfn: number,
    n: number,
    flags: number,
    write: boolean,
  ): Deed<Hold[]> {
    const names = {
      '5.10': ['try_grab_compound_head', 'gup_pgd_range'],
      '6.1': ['try_grab_folio', 'gup_pgd_range'],
    }[this.build.release as '5.10' | '6.1'];
    const grab = this.fast(kind, folio, pfn, n, flags, write);
    return this.w.within(names ?? ['try_grab_folio_fast', 'gup_fast_pte_range', 'gup_fast_pgd_range'], grab);
  }

  private *fast(
    kind: 'pin' | 'get',
    folio: Folio,
    pfn: number,
    n: number,
    flags: number,
    write: boolean,
  ): Deed<Hold[]> {
    const {fastGrab} = this;
    const page = this.pointer(this.old || !folio.pmd ? pfn : folio.pfn);
    const hex = `flags=0x${flags.toString(16)}`;
    yield* this.call(fastGrab, `page=${page} refs=${n} ${hex}`);
    const holds = this.take(kind, folio, pfn, n, write);
    if (this.uncounted(kind, folio)) {
      yield* this.returned(fastGrab, 'gup_fast_fallback', `folio=${this.pointer(folio.pfn)}`);
      return holds;
    }
    yield* this.ref('page_ref_mod_unless', folio, n);
    if (kind === 'pin' && !this.counted(folio)) yield* this.ref('page_ref_mod', folio, (BIAS - 1) * n);
    if (this.build.release !== '5.10')
      yield* this.returned(fastGrab, 'gup_fast_fallback', `folio=${this.pointer(folio.pfn)}`);
    return holds;
  }

  private grabSlow(
    kind: 'pin' | 'get',
    folio: Folio,
    pfn: number,
    n: number,
    flags: number,
    write: boolean,
    walk: readonly string[] = ['follow_page_pte', ...WALK],
  ): Deed<Hold[]> {
    const grab = this.slow(kind, folio, pfn, n, flags, write);
    return this.w.within([this.old ? 'try_grab_page' : 'try_grab_folio', ...walk], grab);
  }

  private *slow(
    kind: 'pin' | 'get',
    folio: Folio,
    pfn: number,
    n: number,
    flags: number,
    write: boolean,
  ): Deed<Hold[]> {
    const hex = `flags=0x${flags.toString(16)}`;
    // up to 6.8 each page is grabbed by itself
    if (this.old && n > 1) {
      const holds: Hold[] = [];
      for (let i = 0; i < n; i++) holds.push(...(yield* this.slow(kind, folio, pfn + i, 1, flags, write)));
      return holds;
    }
    if (this.old) yield* this.call('try_grab_page', `page=${this.pointer(pfn)} ${hex}`);
    else yield* this.call('try_grab_folio', `folio=${this.pointer(folio.pfn)} refs=${n} ${hex}`);
    const holds = this.take(kind, folio, pfn, n, write);
    if (!this.uncounted(kind, folio))
      yield* this.ref('page_ref_mod', folio, kind === 'pin' && !this.counted(folio) ? BIAS * n : n);
    if (!this.old) yield* this.returned('try_grab_folio', 'follow_page_pte', 'ret=0');
    return holds;
  }

  /** is_zero_folio(): a pin changes nothing */
  private uncounted(kind: 'pin' | 'get', folio: Folio): boolean {
    return kind === 'pin' && folio.zero && !this.old;
  }

  /** memfd_pin_folios(): one pin for each folio, which keeps all its pages (mm/gup.c, since 6.11). */
  pinFolios(folios: readonly Folio[]): Deed<Hold[]> {
    return this.w.within('memfd_pin_folios', this.ofMemfd(folios));
  }

  private *ofMemfd(folios: readonly Folio[]): Deed<Hold[]> {
    const holds: Hold[] = [];
    const {w, thorough} = this;
    if (thorough)
      for (const folio of folios)
        yield* w.within('filemap_get_folios_contig', this.ref('page_ref_mod_unless', folio, 1));
    for (const folio of folios) {
      const [hold] = yield* this.grabSlow('pin', folio, folio.pfn, 1, this.foll.pin | this.foll.longterm, true, []);
      hold!.pages = folio.size;
      holds.push(hold!);
    }
    if (thorough)
      for (const folio of folios)
        yield* w.within(['folios_put_refs', '__folio_batch_release'], this.put(folio, 1, 'batch'));
    return holds;
  }

  unpinFolios(holds: readonly Hold[]): Deed {
    return this.w.within('unpin_folios', this.letFoliosGo(holds));
  }

  private *letFoliosGo(holds: readonly Hold[]): Deed {
    const shown = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => (holds[i] ? this.pointer(holds[i].folio.pfn) : '0x0'));
    yield* this.call('unpin_folios', `nr=${holds.length} folios={${shown.join(',')}}`);
    for (const run of this.runs(holds))
      yield* this.gupPut(run[0]!.folio, run.length, run, this.build.release !== '6.18');
  }

  /** folio_add_pin(): one more of a page that is pinned already (fs/direct-io.c, since 6.5). */
  *addPin(of: Hold): Deed<Hold> {
    const {folio} = of;
    yield* this.call('folio_add_pin', `folio=${this.pointer(folio.pfn)}`);
    const [hold] = this.take('pin', folio, of.first, 1, of.write);
    if (!this.uncounted('pin', folio)) yield* this.ref('page_ref_mod', folio, this.counted(folio) ? 1 : BIAS);
    return hold!;
  }

  /** Its pins are counted apart: the reference count moves by one a pin. */
  private counted(folio: Folio): boolean {
    return folio.order >= (this.build.release === '5.10' ? 2 : 1);
  }

  private take(kind: 'pin' | 'get', folio: Folio, pfn: number, n: number, write: boolean): Hold[] {
    return Array.from({length: n}, (_, i) => {
      const hold = new Hold(kind, folio, pfn + i, 1, write);
      this.truth.take(hold);
      return hold;
    });
  }

  /** gup_put_folio(): what every unpin comes to. `shown`: it is a function of its own there. */
  gupPut(folio: Folio, n: number, holds: readonly Hold[], shown = true): Deed {
    const name = this.build.release === '5.10' ? 'put_compound_head' : 'gup_put_folio';
    return this.w.within(shown ? name : [], this.letGo(name, folio, n, holds, shown));
  }

  private *letGo(name: string, folio: Folio, n: number, holds: readonly Hold[], shown: boolean): Deed {
    const arg = this.build.release === '5.10' ? 'page' : 'folio';
    if (shown)
      yield* this.call(name, `${arg}=${this.pointer(folio.pfn)} refs=${n} flags=0x${this.foll.pin.toString(16)}`);
    for (const hold of holds) {
      if (!hold.dropped) this.truth.drop(hold);
      else if (!folio.spoilt) throw new Error('a pin is dropped twice, and no bug says so');
    }
    if (this.uncounted('pin', folio)) return;
    const drop = this.counted(folio) ? n : n * BIAS;
    if (this.build.release !== '5.10') return yield* this.put(folio, drop);
    if (drop > 1) yield* this.ref('page_ref_mod', folio, 1 - drop);
    yield* this.put(folio);
  }

  *putHolds(folio: Folio, holds: readonly Hold[]): Deed {
    for (const hold of holds) {
      this.truth.drop(hold);
      yield* this.put(folio);
    }
  }

  private list(holds: readonly Hold[]): string {
    const shown = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => (holds[i] ? this.pointer(holds[i].first) : '0x0'));
    return `pages={${shown.join(',')}}`;
  }

  /** Neighbours of one folio in a list of pages: they are dropped at once. */
  private runs(holds: readonly Hold[], adjacent = false): Hold[][] {
    const runs: Hold[][] = [];
    for (const hold of holds) {
      const before = runs.at(-1)?.at(-1);
      const joined =
        before?.folio === hold.folio &&
        this.build.release !== '5.10' &&
        (!adjacent || before.first + before.pages === hold.first);
      if (joined) runs.at(-1)!.push(hold);
      else runs.push([hold]);
    }
    return runs;
  }

  unpinPages(holds: readonly Hold[]): Deed {
    return this.w.within('unpin_user_pages', this.unpinList(holds));
  }

  private *unpinList(holds: readonly Hold[]): Deed {
    yield* this.call('unpin_user_pages', `npages=${holds.length} ${this.list(holds)}`);
    for (const run of this.runs(holds)) yield* this.gupPut(run[0]!.folio, run.length, run);
  }

  unpinDirtyLock(holds: readonly Hold[], dirty: boolean): Deed {
    return this.w.within('unpin_user_pages_dirty_lock', this.unpinDirty(holds, dirty));
  }

  private *unpinDirty(holds: readonly Hold[], dirty: boolean): Deed {
    yield* this.call(
      'unpin_user_pages_dirty_lock',
      `npages=${holds.length} make_dirty=${dirty ? 1 : 0} ${this.list(holds)}`,
    );
    yield* this.markAndDrop(holds, dirty);
  }

  /** What unpin_user_pages_dirty_lock() and its kin do for each run of pages of one folio. */
  private *markAndDrop(holds: readonly Hold[], dirty: boolean): Deed {
    for (const run of this.runs(holds)) {
      const {folio} = run[0]!;
      if (dirty && !folio.flags.has('dirty')) {
        yield* this.lock(folio);
        yield* this.markDirty(folio, run);
        this.unlock(folio);
      }
      yield* this.gupPut(folio, run.length, run);
    }
  }

  unpinOne(hold: Hold): Deed {
    return this.w.within('unpin_user_page', this.unpinSingle(hold));
  }

  private *unpinSingle(hold: Hold): Deed {
    yield* this.call('unpin_user_page', `page=${this.pointer(hold.first)}`);
    yield* this.gupPut(hold.folio, 1, [hold], this.build.release !== '6.18');
  }

  /** Physically neighbouring pages, as ib_umem keeps them. */
  unpinRange(holds: readonly Hold[], dirty: boolean): Deed {
    return this.w.within('unpin_user_page_range_dirty_lock', this.unpinNeighbours(holds, dirty));
  }

  private *unpinNeighbours(holds: readonly Hold[], dirty: boolean): Deed {
    yield* this.call(
      'unpin_user_page_range_dirty_lock',
      `page=${this.pointer(holds[0]!.first)} npages=${holds.length} make_dirty=${dirty ? 1 : 0}`,
    );
    yield* this.markAndDrop(holds, dirty);
  }

  /** __bio_release_pages(): pins since 6.5, gets before; a folio and a number, never which of its pages. */
  bioRelease(holds: readonly Hold[], dirty: boolean): Deed {
    const name = this.build.release === '5.10' ? 'bio_release_pages' : '__bio_release_pages';
    return this.w.within(name, this.releasePages(name, holds, dirty));
  }

  private *releasePages(name: string, holds: readonly Hold[], dirty: boolean): Deed {
    yield* this.call(name, `bio=0xffff8bae44ba7200 mark_dirty=${dirty ? 1 : 0}`);
    for (const run of this.runs(holds, true)) {
      const {folio} = run[0]!;
      if (dirty) yield* this.markDirty(folio, run);
      if (run[0]!.kind === 'get') yield* this.putHolds(folio, run);
      else {
        yield* this.call('unpin_user_folio', `folio=${this.pointer(folio.pfn)} npages=${run.length}`);
        yield* this.gupPut(folio, run.length, run, this.build.release !== '6.18');
      }
    }
  }
}
