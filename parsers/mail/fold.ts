/**
 * Lines cut at a column, wherever it falls: copied out of a terminal, out of a pager, through `fold`.
 *
 *               wl-392     [001] .....    19.459952: gup_put_folio: (gup_put_folio+0x0/0x
 *     90) folio=0xffffec5e40094880 refs=1 flags=0x80000
 */
import {EQUALS, SPACE} from '../bytes.js';
import {headLines} from '../head-lines.js';
import {frameStart} from '../loose-lines.js';

/** Terminals are not narrower. */
const NARROWEST = 60;
/** RFC 2045: encoded lines are no longer. */
const QUOTED_PRINTABLE = 76;
/** So many lines have the full width, */
const FEW = 4;
/** and this share of all. */
const SHARE = 0.01;
/** So many of the lines after them begin no event: one was as long by chance. */
const MOST = 0.9;

/** The width at which the lines of a head were cut; 0: they were not. `stands`: whether a line has an event's columns. */
export function foldOf(head: Uint8Array, stands: (buf: Uint8Array, start: number, end: number) => boolean): number {
  let width = 0;
  let lines = 0;
  let full = 0;
  headLines(head, (start, end) => {
    lines++;
    if (end - start > width) [width, full] = [end - start, 0];
    if (end - start === width) full++;
  });
  if (width < NARROWEST || full < FEW || full < lines * SHARE) return 0;
  let cut = 0;
  let events = 0;
  // ending in anything but a pair: events of one length that somebody wrote below end as they all do
  let words = 0;
  // ending as quoted-printable breaks lines
  let soft = 0;
  // events shorter than that which go on: broken between words
  let broken = 0;
  let before: 'full' | 'event' | 'other' = 'other';
  headLines(head, (start, end) => {
    const event = stands(head, start, end);
    const goesOn = !event && end > start && frameStart(head, start, end) < 0;
    if (goesOn && before === 'full') cut++;
    if (goesOn && before === 'event') broken++;
    const isFull = end - start === width;
    if (isFull && head[end - 1] === EQUALS) soft++;
    before = isFull ? 'full' : event ? 'event' : 'other';
    if (isFull && event) events++;
    if (isFull && !endsInPair(head, start, end)) words++;
  });
  if (width <= QUOTED_PRINTABLE && soft >= full * MOST) return 0;
  return cut >= full * MOST - 1 && events * 4 >= full && broken * 4 <= full && words * 10 >= full ? width : 0;
}

function endsInPair(buf: Uint8Array, start: number, end: number): boolean {
  let pos = end;
  while (pos > start && buf[pos - 1]! > SPACE) if (buf[--pos] === EQUALS) return true;
  return false;
}
