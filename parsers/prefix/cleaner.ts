/**
 * What terminals and web pages put into a line: colour codes, HTML entities and tags, the `\n\` that ends the lines of
 * old systrace pages. Cleaned lines are never longer than they were.
 */

import {ascii, LESS, SPACE, startsWith, TAB} from '../bytes.js';

export interface Cleaning {
  /** escape sequences of terminals (ECMA-48) */
  readonly escapes: boolean;
  /** entities, and tags around lines */
  readonly html: boolean;
  /** tabs between columns and no-break spaces, as the blanks that they were */
  readonly blanks: boolean;
}

const ESC = 27;
const AMPERSAND = 38;
const BACKSLASH = 92;
const SEMICOLON = 59;
const BELL = 7;
/** U+00A0 in UTF-8 */
const NO_BREAK = 0xc2;
const NO_BREAK_END = 0xa0;

const ENTITIES = new Map<string, number>([
  ['lt', 60],
  ['gt', 62],
  ['amp', 38],
  ['quot', 34],
  ['apos', 39],
  ['nbsp', 32],
]);
/** `&#x3c;` and the longest name */
const MAX_ENTITY = 8;
const MAX_TAG = 200;
const OLD_PAGE_END = ascii('\\n\\');
const TAGS = [
  'pre',
  'code',
  'span',
  'div',
  'p',
  'br',
  'b',
  'i',
  'a',
  'td',
  'tr',
  'font',
  'blockquote',
  'samp',
  'tt',
  'li',
  'strong',
  'em',
  'html',
  'head',
  'body',
  '!DOCTYPE',
  '!doctype',
].map(ascii);
const ENTITY = /&(?:lt|gt|quot|amp|apos|nbsp|#\d{1,4}|#x[0-9a-f]{1,4});/i;
const TAG = /<\/?(?:pre|code|span|div|br|td|tr|blockquote|font)\b[^>]{0,200}>/i;

/** Whether there is anything to clean. */
export function cleans({escapes, html, blanks}: Cleaning): boolean {
  return escapes || html || blanks;
}

export class Cleaner {
  constructor(private readonly cleaning: Cleaning) {}

  /** What the lines of a head need. */
  static needed(lines: readonly string[]): Omit<Cleaning, 'blanks'> {
    return {
      escapes: lines.some((line) => line.includes('\x1b[')),
      html: lines.some(
        (line) => ENTITY.test(line) || (line.includes('=') && (TAG.test(line) || line.endsWith('\\n\\'))),
      ),
    };
  }

  /** Writes `buf[start..end)` cleaned to `out` from `to` on, and answers where it ends there. */
  clean(buf: Uint8Array, start: number, end: number, out: Uint8Array, to: number): number {
    const {escapes, html, blanks} = this.cleaning;
    if (html && end - start >= 3 && startsWith(buf, end - 3, end, OLD_PAGE_END)) end -= 3;
    if (!escapes && !html && !blanks) {
      out.set(buf.subarray(start, end), to);
      return to + end - start;
    }
    for (let pos = start; pos < end;) {
      const c = buf[pos]!;
      let next = pos;
      if (blanks) {
        const broken = c === NO_BREAK && pos + 1 < end && buf[pos + 1] === NO_BREAK_END;
        // a tab before a line is its own
        if (broken || (c === TAB && pos > start)) {
          out[to++] = SPACE;
          pos += broken ? 2 : 1;
          continue;
        }
      }
      if (c === ESC && escapes) next = afterEscape(buf, pos, end);
      else if (c === LESS && html) next = afterTag(buf, pos, end);
      else if (c === AMPERSAND && html) {
        const stop = entityEnd(buf, pos, end);
        const char = stop < 0 ? undefined : entity(buf, pos + 1, stop);
        if (char !== undefined) {
          out[to++] = char;
          pos = stop + 1;
          continue;
        }
      }
      if (next > pos) pos = next;
      else {
        out[to++] = c;
        pos++;
      }
    }
    return to;
  }
}

/** After the sequence at `pos`: `ESC [ ... letter`, `ESC ] ... BEL`, or two bytes. */
function afterEscape(buf: Uint8Array, pos: number, end: number): number {
  const kind = buf[pos + 1];
  let at = Math.min(pos + 2, end);
  if (kind === 91) {
    while (at < end && (buf[at]! < 64 || buf[at]! > 126)) at++;
    return Math.min(at + 1, end);
  }
  if (kind === 93) {
    while (at < end && buf[at] !== BELL && buf[at] !== BACKSLASH) at++;
    return Math.min(at + 1, end);
  }
  return at;
}

/** After the tag at `pos`; `pos` if it is none: `<idle>-0` and `<...>` are tasks. */
function afterTag(buf: Uint8Array, pos: number, end: number): number {
  const name = buf[pos + 1] === 47 ? pos + 2 : pos + 1;
  for (const tag of TAGS) {
    if (!startsWith(buf, name, end, tag)) continue;
    let at = name + tag.length;
    if (buf[at] !== 62 && buf[at] !== 32 && buf[at] !== 47) continue;
    const limit = Math.min(end, pos + MAX_TAG);
    while (at < limit && buf[at] !== 62) at++;
    if (at < limit) return at + 1;
  }
  return pos;
}

function entityEnd(buf: Uint8Array, pos: number, end: number): number {
  const limit = Math.min(end, pos + MAX_ENTITY + 1);
  for (let at = pos + 1; at < limit; at++) if (buf[at] === SEMICOLON) return at;
  return -1;
}

/** The character of `lt`, `#60`, `#x3c`; undefined for those that are no ASCII. */
function entity(buf: Uint8Array, start: number, end: number): number | undefined {
  const name = String.fromCharCode(...buf.subarray(start, end));
  const known = ENTITIES.get(name.toLowerCase());
  if (known !== undefined) return known;
  const m = /^#(?:(\d{1,4})|[xX]([0-9a-fA-F]{1,4}))$/.exec(name);
  if (!m) return undefined;
  const code = m[1] === undefined ? parseInt(m[2]!, 16) : Number(m[1]);
  if (code === 0xa0) return 32;
  return code >= 32 && code < 127 ? code : undefined;
}
