/**
 * Lines of which the end is missing: torn where two programs wrote one file or a disk was full, cut at a terminal's width or by
 * `cut -c`. What is left of such a line looks like a line: `refs=1` of `refs=16`, a list of which the rest is gone.
 *
 *     page_ref_mod_and_test: pfn=0x4a10 flags=uptodate|lru count=2 mapcount=0 map
 *     gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea00012
 *     dma_map_sg: 0000:00:03.0 dir=FROM_DEVICE nents=3/3 ents_dma={123000,456
 */
import {EventKind as K} from '../../src/events/event.js';
import {ascii, EQUALS, find, LBRACE, LPAREN, RBRACE, RPAREN, SPACE, startsWith, UNDERSCORE} from '../bytes.js';

const keys = (...names: string[]): Uint8Array[] => names.map((name) => ascii(`${name}=`));
const RESULT = keys('ret');
const MAPPING = keys('attrs');
const PFN = keys('pfn');
const PAGE = ascii('page=');
/** The last field that each tracepoint prints, of any release; of raw fields, whose order is that of the record, one of them. */
const LAST: Partial<Record<number, readonly Uint8Array[]>> = {
  [K.RefSet]: keys('val'),
  [K.RefMod]: keys('val'),
  [K.RefUnfreeze]: keys('val'),
  [K.RefModAndTest]: RESULT,
  [K.RefModAndReturn]: RESULT,
  [K.RefModUnless]: RESULT,
  [K.RefFreeze]: RESULT,
  [K.PageAlloc]: keys('gfp_flags'),
  [K.PageFree]: keys('order'),
  [K.PageFreeBatched]: keys('order', 'cold'),
  [K.CacheAdd]: keys('ofs', 'index'),
  [K.CacheDelete]: keys('ofs', 'index'),
  [K.DmaMap]: MAPPING,
  [K.DmaUnmap]: MAPPING,
  [K.DmaMapSg]: MAPPING,
  [K.DmaUnmapSg]: MAPPING,
  [K.IommuMap]: keys('size'),
  [K.IommuUnmap]: keys('size'),
};

/** Whether the last field of a page_ref event of that kind is what the change answered. */
export function answers(kind: number): boolean {
  return kind >= K.RefModAndTest && kind <= K.RefFreeze;
}

/** Whether the end of a tracepoint's payload is missing, by the kind that its name tells. */
export function isTornEvent(kind: number, buf: Uint8Array, start: number, end: number): boolean {
  // a probe that somebody called so
  if (start < end && buf[start] === LPAREN) return false;
  // this record holds no more than the number that fields are printed of where the text is not made (-R, `fields`, [FAILED TO PARSE])
  const last = kind === K.PageFreeBatched && !startsWith(buf, start, end, PAGE) ? PFN : LAST[kind];
  if (last === undefined) return false;
  return !last.some((key) => {
    const at = find(buf, start, end, key);
    // a list of flags may be empty (attrs=)
    return at >= 0 && (last === MAPPING || at + key.length < end);
  });
}

/** The same of a probe's, which prints its place in brackets and then `name=value` only. `words`: who prints it puts no words behind. */
export function isTornProbe(buf: Uint8Array, start: number, end: number, words: boolean): boolean {
  if (start === end) return true;
  let pos = start;
  if (buf[pos] === LPAREN) {
    while (pos < end && buf[pos] !== RPAREN) pos++;
    if (pos === end) return true;
  }
  let open = false;
  let word = pos;
  for (; pos < end; pos++) {
    const c = buf[pos];
    if (c === LBRACE) open = true;
    else if (c === RBRACE) open = false;
    else if (c === SPACE && !open) word = pos + 1;
  }
  return open || (words && word < end && isName(buf, word, end)) || buf[end - 1] === EQUALS;
}

/** A word of letters alone: the beginning of an argument's name. */
function isName(buf: Uint8Array, start: number, end: number): boolean {
  for (let pos = start; pos < end; pos++) {
    const c = buf[pos]!;
    if (c !== UNDERSCORE && (c < 97 || c > 122)) return false;
  }
  return true;
}
