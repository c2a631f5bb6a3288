/** Text that is not UTF-8: what Windows' editors and shells write (`trace.txt` out of PowerShell's `>` is UTF-16). */

import {startsWith} from '../bytes.js';

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

const UTF8_BOM = Uint8Array.of(0xef, 0xbb, 0xbf);
/** Bytes looked at where no mark tells the encoding. */
const LOOK = 2048;
/** So many of all second bytes are 0 in UTF-16 of a Latin alphabet. */
const SHARE = 0.9;

/** The encoding of a text that begins with `head`, and how many bytes its byte order mark takes. */
export function encodingOf(head: Uint8Array): {encoding: Encoding; mark: number} {
  if (startsWith(head, 0, head.length, UTF8_BOM)) return {encoding: 'utf-8', mark: 3};
  if (head[0] === 0xff && head[1] === 0xfe) return {encoding: 'utf-16le', mark: 2};
  if (head[0] === 0xfe && head[1] === 0xff) return {encoding: 'utf-16be', mark: 2};
  const pairs = Math.min(head.length, LOOK) >> 1;
  if (pairs < 8) return {encoding: 'utf-8', mark: 0};
  let low = 0;
  let high = 0;
  for (let i = 0; i < pairs; i++) {
    const [a, b] = [head[2 * i]!, head[2 * i + 1]!];
    if (a > 0 && b === 0) low++;
    else if (a === 0 && b > 0) high++;
  }
  if (low > pairs * SHARE) return {encoding: 'utf-16le', mark: 0};
  if (high > pairs * SHARE) return {encoding: 'utf-16be', mark: 0};
  return {encoding: 'utf-8', mark: 0};
}

/** Makes UTF-8 of chunks of another encoding, wherever they are cut. What is damaged becomes U+FFFD. */
export class Transcoder {
  private readonly decoder;

  constructor(encoding: Encoding) {
    this.decoder = new TextDecoder(encoding, {ignoreBOM: true});
  }

  /** The next bytes as UTF-8; a character that the chunk cuts comes with the next one. */
  push(chunk: Uint8Array): Uint8Array {
    return Buffer.from(this.decoder.decode(chunk, {stream: true}), 'utf8');
  }

  end(): Uint8Array {
    return Buffer.from(this.decoder.decode(), 'utf8');
  }
}
