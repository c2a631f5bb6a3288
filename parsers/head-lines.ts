/** The lines of the first bytes of an input, for sniffing. */

import {CR, LF} from './bytes.js';

/** No form needs more lines than this to be known by. */
const MAX_LINES = 4000;
/** A longer line tells nothing about a form. */
const MAX_LENGTH = 8192;

/**
 * Calls `look` with each whole line of `head`, without its end, and its number from 1. The last line counts as whole
 * only if it is the only one: the head may end anywhere. Lines too long to be looked at are left out. Not more than `most`.
 */
export function headLines(
  head: Uint8Array,
  look: (start: number, end: number, line: number) => void,
  most: number = MAX_LINES,
): void {
  let start = 0;
  for (let line = 1; line <= most && start < head.length; line++) {
    let newline = head.indexOf(LF, start);
    if (newline < 0) {
      if (line > 1) return;
      newline = head.length;
    }
    const end = newline > start && head[newline - 1] === CR ? newline - 1 : newline;
    if (end - start <= MAX_LENGTH) look(start, end, line);
    start = newline + 1;
  }
}
