import type {Deed} from './references.js';

/** A page under writeback: from __folio_start_writeback to folio_end_writeback, or as page_ref flags show it. */
export interface Writeback {
  start: Deed;
  /** the start was a probe; else the first page_ref event that printed the flag: writeback began at or before it */
  exact: boolean;
  /**
   * It began while the page was dirty still: of blocks of it, of which btrfs writes one after the other and cleans the folio with the last
   * (btrfs_subpage_set_writeback(), btrfs_subpage_clear_dirty(), fs/btrfs/subpage.c).
   */
  ofBlocks: boolean;
  /** when an event of the page last printed the flag; -Infinity never */
  flagSeenAt: number;
  /** PFN of the first page for whose writing a mapping was opened (TO_DEVICE); -1: none. A second mapping is somebody else's */
  ownPage: number;
  /** the further ones, of a large folio */
  ownPages: Set<number> | undefined;
  /** when over */
  end: Deed | undefined;
  /** it began while another was open, whose end was missed or is yet to come: which end is whose is not certain */
  outOfTurn: boolean;
  /** the end is that of another event: the next start, or a flag that is gone */
  endUnseen: boolean;
  /** entry of its start, 0 none */
  entry: number;
}
