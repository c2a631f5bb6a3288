/**
 * Which kind of reference a function takes or drops, for changes that have a call stack. Names of 5.10 to 6.18; the
 * innermost frame that is known decides.
 */
import {isTracer} from '../../base/frames.js';

const TAKEN: Record<string, string> = {
  // mm/swap.c: a page waits in a per-CPU batch for the LRU lock
  __folio_batch_add_and_move: 'lru-batch',
  folio_batch_add_and_move: 'lru-batch',
  folio_add_lru: 'lru-batch',
  lru_cache_add: 'lru-batch',
  folio_mark_accessed: 'lru-batch',
  mark_page_accessed: 'lru-batch',
  folio_rotate_reclaimable: 'lru-batch',
  mlock_folio: 'lru-batch',
  // mm/filemap.c, mm/shmem.c, mm/swap_state.c
  __filemap_add_folio: 'page-cache',
  __add_to_page_cache_locked: 'page-cache',
  shmem_add_to_page_cache: 'page-cache',
  add_to_swap_cache: 'page-cache',
  // fs/buffer.c, fs/iomap
  create_empty_buffers: 'private',
  folio_create_empty_buffers: 'private',
  ifs_alloc: 'private',
  iomap_page_create: 'private',
  folio_attach_private: 'private',
  attach_page_private: 'private',
  folio_end_writeback: 'writeback',
  end_page_writeback: 'writeback',
  // mm/memory.c, mm/migrate.c, mm/huge_memory.c
  copy_page_range: 'mapping',
  copy_pte_range: 'mapping',
  copy_present_ptes: 'mapping',
  set_pte_range: 'mapping',
  finish_fault: 'mapping',
  filemap_map_pages: 'mapping',
  insert_page: 'mapping',
  remove_migration_pte: 'mapping',
  // look-ups, which let go again
  next_uptodate_folio: 'transient',
  next_uptodate_page: 'transient',
  filemap_get_entry: 'transient',
  filemap_get_read_batch: 'transient',
  filemap_get_folios_tag: 'transient',
  filemap_get_folios: 'transient',
  find_get_entries: 'transient',
  find_lock_entries: 'transient',
  isolate_migratepages_block: 'transient',
  isolate_lru_folios: 'transient',
  folio_isolate_lru: 'transient',
};

const DROPPED: Record<string, string> = {
  folio_batch_move_lru: 'lru-batch',
  pagevec_lru_move_fn: 'lru-batch',
  __pagevec_lru_add: 'lru-batch',
  mlock_folio_batch: 'lru-batch',
  filemap_free_folio: 'page-cache',
  page_cache_free_page: 'page-cache',
  shmem_delete_from_page_cache: 'page-cache',
  delete_from_swap_cache: 'page-cache',
  try_to_free_buffers: 'private',
  folio_detach_private: 'private',
  detach_page_private: 'private',
  ifs_free: 'private',
  iomap_page_release: 'private',
  folio_end_writeback: 'writeback',
  end_page_writeback: 'writeback',
  free_pages_and_swap_cache: 'mapping',
  free_page_and_swap_cache: 'mapping',
  __tlb_batch_free_encoded_pages: 'mapping',
  tlb_batch_pages_flush: 'mapping',
  zap_pte_range: 'mapping',
  unmap_page_range: 'mapping',
  try_to_unmap_one: 'mapping',
  try_to_migrate_one: 'mapping',
  filemap_map_pages: 'transient',
  next_uptodate_folio: 'transient',
};

/** Functions that let go of whatever they are given: their caller tells. */
const PASSED = new Set(['folios_put_refs', 'release_pages', '__folio_put', 'folio_put', 'put_page', 'folio_get']);
/** Beyond so many frames a function no longer speaks for what its callee's callee did. */
const DEEP = 4;

/** Symbols from the innermost one that says something about who acts. */
export function actors(symbols: readonly string[]): string[] {
  const at = symbols.findIndex((s) => !PASSED.has(s) && !isTracer(s));
  return at < 0 ? [] : symbols.slice(at);
}

/** The kind, or undefined when no frame near the change is known. */
export function kindByStack(symbols: readonly string[], taken: boolean): string | undefined {
  const table = taken ? TAKEN : DROPPED;
  for (const symbol of actors(symbols).slice(0, DEEP)) {
    if (Object.hasOwn(table, symbol)) return table[symbol];
  }
  return undefined;
}
