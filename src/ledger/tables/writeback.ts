import type {Deed} from './references.js';

/** A page under writeback: from __folio_start_writeback to folio_end_writeback, or as page_ref flags show it. */
export interface Writeback {
  start: Deed;
  /** the start was a probe; else the first page_ref event that printed the flag: writeback began at or before it */
  exact: boolean;
  /** when an event of the page last printed the flag; -Infinity never */
  flagSeenAt: number;
  /** a mapping for the writeback's own I/O was opened (TO_DEVICE): a second one is somebody else's */
  ownMapping: boolean;
  /** when over */
  end: Deed | undefined;
  /** it began while another was open, whose end was missed or is yet to come: which end is whose is not certain */
  outOfTurn: boolean;
  /** the end is that of another event: the next start, or a flag that is gone */
  endUnseen: boolean;
}
