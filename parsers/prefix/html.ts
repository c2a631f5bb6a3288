/** Pages of systrace and atrace: the trace is the text of one script element, behind some hundred kB of the viewer. */

import {ascii, find, startsWith, text} from '../bytes.js';

const MARKS = [ascii('class="trace-data"'), ascii('linuxPerfData')];
const TRACER = ascii('# tracer:');
const END = ascii('</script');
const PAGE = /^\s{0,64}<(?:!doctype html|html|\?xml)/i;
/** Of a page's lines this much is searched for a mark. */
const MAX_LOOK = 4096;

/** Whether a text is a web page. */
export function isHtml(head: Uint8Array): boolean {
  return PAGE.test(text(head, 0, Math.min(head.length, 128)));
}

/** Whether a page's head holds the beginning of a trace as systrace writes it. */
export function holdsTrace(head: Uint8Array): boolean {
  return MARKS.some((mark) => find(head, 0, head.length, mark) >= 0) || find(head, 0, head.length, TRACER) >= 0;
}

/** Follows a page line by line: which lines are those of the trace. */
export class PageText {
  private within = false;

  /** Whether the line is one of the trace; the lines that begin and end it are not. */
  has(buf: Uint8Array, start: number, end: number): boolean {
    const stop = Math.min(end, start + MAX_LOOK);
    if (this.within) {
      if (find(buf, start, stop, END) < 0) return true;
      this.within = false;
      return false;
    }
    if (startsWith(buf, start, stop, TRACER)) return (this.within = true);
    if (MARKS.some((mark) => find(buf, start, stop, mark) >= 0)) this.within = find(buf, start, stop, END) < 0;
    return false;
  }
}
