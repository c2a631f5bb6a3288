/** A line recovered from a mail. */
import {SPACE} from '../bytes.js';

/** A recovered line, waiting for its rest or for a time. */
export interface Recovered {
  bytes: Uint8Array;
  line: number;
  offset: number;
  what: 'event' | 'frame' | 'loss' | 'snip';
}

/** A copy that stays, without blanks at its end. */
export function copy(buf: Uint8Array, start: number, end: number): Uint8Array {
  while (end > start && buf[end - 1] === SPACE) end--;
  return new Uint8Array(buf.subarray(start, end));
}
