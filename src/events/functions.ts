/**
 * Probed functions that are told apart: where several functions do one thing, silence of one says nothing of the others.
 * Numbers stand in `fn` of their events; 0 is any other function, or one that is not told.
 */
export const Fn = {
  /** slow path from 6.12 on, fast path of 5.19 to 6.8 (mm/gup.c) */
  try_grab_folio: 1,
  /** fast path from 6.12 on */
  try_grab_folio_fast: 2,
  /** slow path up to 6.11 */
  try_grab_page: 3,
  /** fast path of 5.7 to 5.18 */
  try_grab_compound_head: 4,
  gup_put_folio: 5,
  put_compound_head: 6,
  unpin_user_page: 7,
  unpin_user_folio: 8,
  unpin_user_pages: 9,
  unpin_user_pages_dirty_lock: 10,
  unpin_user_page_range_dirty_lock: 11,
  unpin_folio: 12,
  unpin_folios: 13,
  /** one more pin of a folio that is pinned, 6.5 and later (fs/direct-io.c, iommufd) */
  folio_add_pin: 14,
} as const;

/** The number of a function by its name; 0 where it is not told apart. */
export function functionNumber(name: string): number {
  return Object.hasOwn(Fn, name) ? Fn[name as keyof typeof Fn] : 0;
}
