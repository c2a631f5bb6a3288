/**
 * Bytes as pieces that end with a line. split2 looks through all of an unfinished line again with each piece of it: a long
 * line that comes a few bytes at a time would cost its length squared.
 */
import {LF} from '../../parsers/bytes.js';
import {MAX_LINE} from '../../parsers/lines/line-reader.js';

/** What is kept of a line that is too long: enough for the reader to see that it is. */
const KEPT = MAX_LINE + 1;

/** A chunk is valid only until the next is asked for; the pieces are copies. */
export async function* wholeLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let length = 0;
  const hold = (bytes: Uint8Array): void => {
    if (bytes.length === 0 || length >= KEPT) return;
    held.push(Uint8Array.prototype.slice.call(bytes, 0, KEPT - length));
    length += held.at(-1)!.length;
  };
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(LF);
    if (last < 0) {
      hold(chunk);
      continue;
    }
    // Of a line that is cut, what comes before its newline is left out.
    const from = length >= KEPT ? chunk.indexOf(LF) : 0;
    const piece = Buffer.concat([...held, chunk.subarray(from, last + 1)]);
    held = [];
    length = 0;
    hold(chunk.subarray(last + 1));
    yield piece;
  }
  if (length > 0) yield Buffer.concat(held);
}
