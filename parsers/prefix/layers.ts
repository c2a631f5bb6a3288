/**
 * What other tools put before each line of a text:
 *
 *     12:             wrk-701     [001] ...            grep -n;  `12-` grep -C;  `12)`, `#12 `, `Line 12:` of editors
 *          12<TAB>             wrk-701 ...             cat -n, nl;  blanks: less -N, uniq -c
 *     trace.txt:             wrk-701 ...               grep -H;  `trace.txt:12:`, `trace.txt-12-`
 *     Nov 22 10:00:00 host trace[12]: wrk-701 ...      syslog, journalctl
 *     2025-06-02T10:00:00.123456Z wrk-701 ...          ts, kubectl, CI logs;  `[2025-06-02 10:00:00]`, `10:00:00.123 `
 *     + wrk-701 ...                                    diff;  `| `, `# `, `// ` of comments and tables
 *     <TAB>wrk-701 ...                                 indented
 */

import {COLON, isDigit, MINUS, PIPE, skipDigits, SPACE, TAB, text} from '../bytes.js';

/** Where the line proper begins, or -1 where this line has no such prefix. */
export type Strip = (buf: Uint8Array, start: number, end: number) => number;

export interface Layer {
  readonly id: 'number' | 'file' | 'stamp' | 'sender' | 'mark' | 'indent' | 'words';
  /** what it is, for `info` */
  readonly title: string;
  /** a strip of its own for each reader: it may learn as it goes */
  make(): Strip;
  /** the share of all lines that have to have it */
  readonly share: number;
  /** the line proper has to stand exactly where the kernel prints it, where the line as it is can be read too */
  readonly inPlace?: boolean;
}

/** What stands before a line is not longer. */
const MAX_STAMP = 160;
const MAX_FILE = 256;
/** Names of files that are remembered. */
const MAX_FILES = 1000;

const WORDS = /^(?:line|l|#) ?/i;

/** The number before a line and where the line begins; for its check, `value` of the last call. */
export class LineNumber {
  value = 0;

  strip(buf: Uint8Array, start: number, end: number): number {
    let pos = start;
    while (pos < end && (buf[pos] === SPACE || buf[pos] === TAB)) pos++;
    if (pos < end && !isDigit(buf[pos]!)) {
      const word = WORDS.exec(text(buf, pos, Math.min(end, pos + 8)));
      if (!word) return -1;
      pos += word[0].length;
    }
    const stop = skipDigits(buf, pos, end);
    if (stop === pos || stop - pos > 9 || stop >= end) return -1;
    let value = 0;
    for (let i = pos; i < stop; i++) value = value * 10 + buf[i]! - 48;
    this.value = value;
    const after = buf[stop]!;
    if (after === SPACE) {
      // `12 | text`
      return buf[stop + 1] === PIPE ? single(buf, Math.min(stop + 2, end), end) : stop + 1;
    }
    return after === COLON || after === MINUS || after === TAB || after === PIPE || after === RPAREN || after === DOT
      ? single(buf, stop + 1, end)
      : -1;
  }
}

/** After one blank that stands alone: more are those of a line that is padded. */
function single(buf: Uint8Array, pos: number, end: number): number {
  return pos + 1 < end && buf[pos] === SPACE && buf[pos + 1] !== SPACE ? pos + 1 : pos;
}

const RPAREN = 41;
const DOT = 46;

const number: Layer = {
  id: 'number',
  title: 'a line number (grep -n, cat -n, less -N)',
  share: 0.8,
  make: () => {
    const line = new LineNumber();
    return (buf, start, end) => line.strip(buf, start, end);
  },
};

/** Tasks are called like paths too. */
const TASK = /^(?:kworker|irq|ksoftirqd|migration|cpuhp|idle_inject|rcu\w*|jbd2|xfs[\w-]*|nvme[\w-]*)\//;

const file: Layer = {
  id: 'file',
  title: "a file's name (grep -H)",
  share: 0.8,
  inPlace: true,
  make: () => {
    const names = new Set<string>();
    return (buf, start, end) => {
      const limit = Math.min(end, start + MAX_FILE);
      let pos = start;
      while (pos < limit && buf[pos]! > SPACE && buf[pos] !== COLON) pos++;
      if (pos < limit && pos > start && buf[pos] === COLON) {
        const name = text(buf, start, pos);
        if (TASK.test(name)) return -1;
        if (names.size < MAX_FILES) names.add(name);
        return numbered(buf, pos + 1, end, COLON);
      }
      // context lines have dashes, and names may have them too
      for (const name of names) {
        const stop = start + name.length;
        if (stop < end && buf[stop] === MINUS && text(buf, start, stop) === name)
          return numbered(buf, stop + 1, end, MINUS);
      }
      return -1;
    };
  },
};

function numbered(buf: Uint8Array, start: number, end: number, mark: number): number {
  const stop = skipDigits(buf, start, end);
  return stop > start && stop < end && buf[stop] === mark ? stop + 1 : start;
}

function pattern(id: Layer['id'], title: string, share: number, regex: RegExp): Layer {
  return {
    id,
    title,
    share,
    make: () => (buf, start, end) => {
      const m = regex.exec(text(buf, start, Math.min(end, start + MAX_STAMP)));
      // lengths in bytes: a host's name may have letters of more than one
      return m ? start + Buffer.byteLength(m[0]) : -1;
    },
  };
}

const stamp = pattern(
  'stamp',
  "a log's date or time of day (ts, syslog, kubectl)",
  0.8,
  /^\[?(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4})?|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?|\d{10}\.\d{3,9})\]?:?[ \t]/,
);
const sender = pattern(
  'sender',
  'the sender of a log line (host, program, container)',
  0.8,
  /^(?:[\w.-]{1,64} [^\s:[\]]{1,64}(?:\[\d{1,10}\])?: |[^\s:[\]|]{1,64}(?:\[\d{1,10}\])?: |(?:stdout|stderr) [FP] |\[[^\]\s]{1,128}\] |[^\s|]{1,64} {1,32}\| )/,
);
const mark = pattern(
  'mark',
  'a mark before each line (diff, a comment, a table)',
  0.6,
  /^[ \t]{0,8}(?:[+|*-]|#|\/\/|;|│) ?/,
);
const indent = pattern('indent', 'a tab', 0.6, /^\t{1,8}/);

/** In the order in which they are tried: a time of day is one before it is a number or a file's name with a colon. */
export const LAYERS: readonly Layer[] = [stamp, number, file, sender, mark, indent];
