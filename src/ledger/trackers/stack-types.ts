/**
 * Which kind of reference a change of a count is of, by its call stack: proven where all frames from the change to the function
 * that takes, or unpins, are of the walk of page tables that belongs to it (mm/gup.c, mm/huge_memory.c, mm/hugetlb.c of 4.9 to
 * 7.2). A page fault within pin_user_pages() takes references for page tables and LRU batches, its migration for itself, and
 * the stack of an interrupt goes on with that of the task it interrupted: those frames stand between.
 *
 *     page_ref_mod_unless: pfn=0x61e7 ... val=1 ret=1
 *      => trace_event_raw_event_page_ref_mod_and_test_template
 *      => __page_ref_mod_unless
 *      => try_get_folio
 *      => try_grab_folio_fast
 *      => gup_fast_fallback
 *      => pin_user_pages_fast
 */
import type {ReferenceKind} from '../../base/reference.js';

const WALK =
  /^(?:try_(?:get|grab)_|gup_|__gup_longterm|follow_|hugetlb_follow_page_mask|lockless_pages_from_mm|internal_(?:get|pin)_user_pages|__get_user_pages)/;
/** A wrapper calls pin_user_pages_fast() last: of that no frame is left then (lib/iov_iter.c of 6.5 and later). */
const PINS = /^(?:pin_user_pages|iov_iter_extract_|memfd_pin_folios)/;
const GETS = /^(?:get_user_pages|iov_iter_get_pages|__iov_iter_get_pages)/;
const LETS_GO = /^(?:gup_put_folio|put_compound_head|put_page_refs|bio_release_page$)/;
/** __bio_release_pages() puts plain references up to 6.4: what it calls tells. */
const UNPINS = /^unpin_(?:user_|folio)/;

/** The kind of what was taken; undefined where the stack does not prove one. */
export function takenBy(symbols: readonly string[]): ReferenceKind | undefined {
  const by = symbols.slice(changed(symbols)).find((symbol) => !WALK.test(symbol));
  if (by === undefined) return undefined;
  return PINS.test(by) ? 'pin' : GETS.test(by) ? 'get' : undefined;
}

/** Whether pins were dropped: by an unpin, or by a walk that lets go again of what it pinned. */
export function unpinnedBy(symbols: readonly string[]): boolean {
  const frames = symbols.slice(changed(symbols));
  const by = frames.find((symbol) => !LETS_GO.test(symbol));
  if (by === undefined) return false;
  return UNPINS.test(by) || (by !== frames[0] && takenBy(frames) === 'pin');
}

/** The frame of who changed the count: the first after what prints it. */
function changed(symbols: readonly string[]): number {
  return symbols.findIndex((symbol) => symbol.startsWith('__page_ref_')) + 1;
}
