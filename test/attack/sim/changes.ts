/** More of what the kernel does to memory that is in use: parts given back, folios split, page cache reclaimed and read in again. */
import type {Kernel} from './kernel.js';
import type {Region} from './memory.js';
import {Folio} from './truth.js';
import type {Deed} from './world.js';

/** madvise(MADV_DONTNEED) of some pages: whoever holds them keeps the old ones, the next who looks finds new ones; or mremap(). */
export function* giveBack(k: Kernel, region: Region): Deed {
  const {random} = k.w;
  if (region.kind !== 'anon' || region.order > 0 || !(yield* region.lock())) return;
  if (random.chance(0.3)) region.va += 0x100000000;
  else {
    const at = random.below(region.spots.length);
    const some = region.spots
      .slice(at, at + 1 + random.below(6))
      .map(({folio}, i) => ({folio, i: at + i}))
      .filter(({folio, i}) => !region.gone.has(i) && !folio.free && folio.mapped > 0 && !folio.flags.has('swapcache'));
    for (const {i} of some) region.giveBack(i);
    yield* k.zap(some.map(({folio}) => folio));
  }
  region.unlock();
}

/** Reclaim takes a clean page out of the page cache, unless somebody holds it (shrink_folio_list(), mm/vmscan.c). */
export function* reclaim(k: Kernel, region: Region): Deed {
  if (region.kind !== 'file' || region.order > 0 || !(yield* region.lock())) return;
  const i = k.w.random.below(region.spots.length);
  const {folio} = region.spots[i]!;
  const {flags} = folio;
  const busy = folio.free || region.gone.has(i) || folio.locked || folio.mapped !== 1 || !flags.has('lru');
  if (busy || flags.has('dirty') || flags.has('writeback')) return region.unlock();
  folio.locked = true;
  yield* k.ref('page_ref_mod_unless', folio, 1);
  if (folio.count === (flags.has('private') ? 4 : 3)) {
    folio.mapped = 0;
    yield* k.put(folio);
    if (flags.delete('private')) yield* k.put(folio);
    if (yield* k.freeze(folio, 2)) {
      k.leaveCache(folio);
      region.gone.add(i);
      folio.locked = false;
      yield* k.release(folio);
      return region.unlock();
    }
    folio.mapped = 1;
    yield* k.get(folio);
  }
  folio.locked = false;
  region.unlock();
  yield* k.put(folio);
}

/**
 * A page has bad memory: it is unmapped, leaves its file, and keeps a reference for good, whoever else holds it (memory_failure(),
 * mm/memory-failure.c). It is never freed.
 */
export function* poison(k: Kernel, region: Region): Deed {
  if (region.kind === 'shmem' || region.order > 0 || !(yield* region.lock())) return;
  const i = k.w.random.below(region.spots.length);
  const {folio} = region.spots[i]!;
  const {flags} = folio;
  const busy =
    folio.free || folio.zero || region.gone.has(i) || folio.locked || folio.mapped !== 1 || !flags.has('lru');
  if (busy || flags.has('writeback') || flags.has('swapcache')) return region.unlock();
  folio.locked = true;
  yield* k.ref('page_ref_mod_unless', folio, 1);
  flags.add('hwpoison');
  folio.mapped = 0;
  yield* k.put(folio);
  if (region.kind === 'file') {
    if (flags.delete('private')) yield* k.put(folio);
    k.leaveCache(folio);
    yield* k.put(folio);
  }
  region.giveBack(i);
  folio.locked = false;
  region.unlock();
}

/** Compaction moves a page of a file: its count is frozen, and no event tells that it left its file, or that the other entered it (mm/migrate.c). */
export function* moveFilePage(k: Kernel, region: Region): Deed {
  if (region.kind !== 'file' || region.order > 0 || !(yield* region.lock())) return;
  const i = k.w.random.below(region.spots.length);
  const {folio} = region.spots[i]!;
  const {flags} = folio;
  const busy = folio.free || region.gone.has(i) || folio.locked || folio.mapped !== 1 || !flags.has('lru');
  if (busy || flags.has('writeback')) return region.unlock();
  folio.locked = true;
  yield* k.ref('page_ref_mod_unless', folio, 1);
  folio.mapped = 0;
  yield* k.put(folio);
  const kept = flags.has('private') ? 3 : 2;
  if (yield* k.freeze(folio, kept)) {
    const target = yield* k.alloc(0, k.w.random.chance(0.4));
    target.kind = 'file';
    target.mapping = folio.mapping;
    target.writable = folio.writable;
    for (const flag of flags) target.flags.add(flag);
    target.locked = true;
    yield* k.get(target);
    yield* k.unfreeze(folio, kept - 1);
    if (kept === 3) {
      yield* k.put(folio);
      yield* k.get(target);
    }
    folio.kind = 'kernel';
    target.mapped = 1;
    yield* k.get(target);
    region.spots[i] = {folio: target, pfn: target.pfn};
    yield* k.put(target);
    target.locked = false;
  } else {
    folio.mapped = 1;
    yield* k.get(folio);
    folio.locked = false;
  }
  region.unlock();
  yield* k.put(folio);
}

/**
 * A large folio is made single pages, unless somebody holds it: unmapped, frozen, each page given its own count, mapped again
 * (split_huge_page_to_list(), mm/huge_memory.c). No page is allocated for it.
 */
export function* split(k: Kernel, region: Region): Deed {
  if (region.kind !== 'anon' || region.order === 0 || region.pooled || !(yield* region.lock())) return;
  const folio = region.folios.find((f) => f.order > 0 && !f.free && f.flags.has('lru') && !f.locked);
  if (folio === undefined) return region.unlock();
  folio.locked = true;
  const entries = folio.pmd ? 1 : folio.size;
  yield* k.ref('page_ref_mod_unless', folio, 1);
  // can_split_folio()
  if (folio.count === entries + 1 && folio.mapped === entries && folio.windows.size === 0) {
    folio.mapped = 0;
    for (let i = 0; i < entries; i++) yield* k.put(folio);
    if (yield* k.freeze(folio, 1)) {
      const pages = Array.from({length: folio.size}, (_, i) => pageOf(folio, i));
      for (const page of pages.slice(1).toReversed()) yield* k.unfreeze(page, 1);
      if (k.build.release === '6.18') yield* k.unfreeze(pages[0]!, 1);
      else yield* k.ref('page_ref_mod', pages[0]!, 1);
      folio.free = true; // its pages go on under their own names
      region.replace(folio, pages);
      for (const page of pages) {
        page.mapped = 1;
        yield* k.get(page);
      }
      for (const page of pages.slice(1)) yield* k.put(page);
      region.unlock();
      return yield* k.put(pages[0]!);
    }
    folio.mapped = entries;
    yield* k.ref('page_ref_mod', folio, entries);
  }
  folio.locked = false;
  region.unlock();
  yield* k.put(folio);
}

function pageOf(folio: Folio, i: number): Folio {
  const page = new Folio(folio.pfn + i, 0);
  page.kind = folio.kind;
  page.mapping = folio.mapping;
  page.count = 0;
  for (const flag of folio.flags) if (flag !== 'head') page.flags.add(flag);
  return page;
}
