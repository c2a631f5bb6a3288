/**
 * A mail that shows what a program of bpftrace printed: the mail's own reader knows the columns of the kernel's tools, not
 * those of a program. What is neither event nor stack is left out: header, prose.
 */

import {GREATER, SPACE, TAB, text} from '../bytes.js';
import type {Strip} from './layers.js';
import type {Wrapping} from './unwrap.js';

/** Lines of a program: an event's name and a pair, or what bpftrace itself prints. */
const EVENT =
  /\b(?:page_ref_|try_grab_|gup_put_|put_compound_|folio_|unpin_|pin_user_|get_user_|put_user_|dma_(?:un)?map_|mm_page_|mm_filemap_)\w*.{0,400}(?:=|":|: )|"type": "|^Attach(?:ing|ed) \d|^START vmemmap=|^Lost \d|^@/;
const MAX_LOOK = 600;

const strip: Strip = (buf, start, end) => {
  let pos = start;
  while (pos < end && (buf[pos] === GREATER || (buf[pos] === SPACE && buf[pos + 1] === GREATER))) pos++;
  if (pos > start && pos < end && buf[pos] === SPACE) pos++;
  if (pos === end || buf[pos] === TAB || (buf[pos] === SPACE && buf[pos + 1] === SPACE)) return pos;
  return EVENT.test(text(buf, pos, Math.min(end, pos + MAX_LOOK))) ? pos : end;
};

/** How such a mail is read. */
export const QUOTED: Wrapping = {
  encoding: 'utf-8',
  mark: 0,
  cleaning: {escapes: false, html: false, blanks: false},
  page: false,
  layers: [{id: 'mark', title: 'quotes', share: 0, make: () => strip}],
  graph: undefined,
  excerpt: 'a mail shows an excerpt: what was left out is not known',
  severalFiles: false,
  evidence: ['a mail: its lines without quotes, those that are events or stacks'],
};
