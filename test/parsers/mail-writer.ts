/** What mail programs do to text, for tests. */

/** Breaks a line at blanks so that no piece is longer than `width`, except words that are. Leading blanks stay. */
export function wrapAt(line: string, width: number): string[] {
  const indent = /^ */.exec(line)![0];
  const pieces: string[] = [];
  let piece = '';
  // words keep the blanks between them
  for (const word of line.slice(indent.length).split(/(?<=\S) (?=\S)/)) {
    const longer = piece === '' ? (pieces.length === 0 ? indent : '') + word : `${piece} ${word}`;
    if (longer.length > width && piece !== '') {
      pieces.push(piece);
      piece = word;
    } else piece = longer;
  }
  pieces.push(piece);
  return pieces;
}

/** RFC 2045, 6.7: lines of at most 76 characters. */
export function encodeQuotedPrintable(lines: readonly string[]): string[] {
  const out: string[] = [];
  for (const line of lines) {
    let piece = '';
    for (const char of line) {
      const code = char.charCodeAt(0);
      const token =
        char === '=' || code < 32 || code > 126 ? `=${code.toString(16).toUpperCase().padStart(2, '0')}` : char;
      if (piece.length + token.length > 75) {
        out.push(`${piece}=`);
        piece = '';
      }
      piece += token;
    }
    out.push(piece);
  }
  return out;
}

/** RFC 2045, 6.8: lines of 76 characters, whatever they fall on. */
export function encodeBase64(lines: readonly string[]): string[] {
  const text = Buffer.from(`${lines.join('\n')}\n`, 'latin1').toString('base64');
  return text.match(/.{1,76}/g) ?? [];
}
