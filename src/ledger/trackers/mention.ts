/**
 * Which pages the text of a mark names: trace_marker, trace_printk, a tracepoint of one's own.
 *
 *     about to unpin pfn=0x4a10                `pfn:4a10`, `PFN 4a10`, `pfns 0x4a10, 0x4a11`
 *     folio ffffea0000128400 goes back         `page=0xffffea0000128400`, `struct page *ffffea0000128400`
 *     page 0x4a10 looks wrong                  a page with a number that is no pointer
 */
import {PFN_LIMIT} from '../../events/believable.js';

/** A mark is a line: more of it is not looked at. */
const MAX_TEXT = 1000;
/** Pages of one mark. */
const MAX_PAGES = 16;

export interface Named {
  /** the page frame, or one of two where the digits may be decimal or hexadecimal */
  pfns: readonly number[];
  /** a pointer to its struct page: high and low half */
  pointer?: readonly [hi: number, lo: number];
}

const NUMBER = '(?:0x)?[0-9a-f]{1,16}';
const WORD = new RegExp(
  `\\b(pfns?|page|folio)(?:[ =:*]{1,3}|\\[\\d{1,4}\\] ?= ?)\\(?(${NUMBER}(?:[,;] ?${NUMBER}){0,15})(?![\\w.])`,
  'gi',
);

/** The pages that a text names. */
export function pagesNamed(text: string): Named[] {
  const named: Named[] = [];
  for (const [, word = '', list = ''] of text.slice(0, MAX_TEXT).matchAll(WORD)) {
    for (const item of list.split(/[,;] ?/)) {
      const one = /^pfn/i.test(word) ? frame(item) : place(item);
      if (one !== undefined && named.length < MAX_PAGES) named.push(one);
    }
  }
  return named;
}

/** `0x4a10`, `4a10`, and `18960`, which kernels before 5.15 print in decimal. */
function frame(digits: string): Named | undefined {
  const prefixed = /^0x/i.test(digits);
  const hex = Number.parseInt(digits, 16);
  const readings = prefixed || !/^\d+$/.test(digits) ? [hex] : [Number(digits), hex];
  const pfns = [...new Set(readings)].filter((pfn) => pfn < PFN_LIMIT);
  return pfns.length === 0 ? undefined : {pfns};
}

/** Of a page or folio: a pointer, or a frame that is clearly hexadecimal. */
function place(digits: string): Named | undefined {
  const bare = digits.replace(/^0x/i, '');
  if (/^[89a-f][0-9a-f]{15}$/i.test(bare)) {
    return {pfns: [], pointer: [Number.parseInt(bare.slice(0, 8), 16), Number.parseInt(bare.slice(8), 16)]};
  }
  return bare.length < digits.length ? frame(digits) : undefined;
}
