/** The laws that a complete capture obeys, in words. */
import type {Law} from '../capture/audit.js';

export const LAW_WORDS: Record<Law, string> = {
  'return-has-entry': 'each return of a probed grab has its entry',
  'grabs-sum-to-return': 'the grabs inside a pin_user_pages call sum to what it returns',
  'drops-sum-to-call': 'the drops inside an unpin_user_pages call sum to its pages',
  'free-until-allocated': 'a free page is not pinned before it is handed out',
  'call-returns': 'a call of the pin_user_pages family returns before its task calls again',
  'allocated-then-freed': 'a page is not handed out again before it was freed',
  'unmap-has-map': 'an unmap of a page has its map',
  'unmapped-before-mapped-again': 'an address of a device is unmapped before it is mapped again for somebody else',
  'unpinned-then-freed': 'a small page is unpinned before it is freed',
  'writeback-then-end': 'a page does not go under writeback again before it has ended',
  'counts-add-up': 'printed counts follow from the changes before them',
  'cpu-in-order': 'the events of a CPU stand in order of time',
};
