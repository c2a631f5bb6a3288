/**
 * Makes text from a trace safe to show. A comm is 15 bytes that its task chose (prctl(PR_SET_NAME), kernel/sys.c), a file
 * may have been edited by anybody, so a trace line can hold escape sequences, markup, newlines and bidi overrides.
 * JSON keeps such text as it is (its own escapes make it harmless); every form for people passes through here.
 */

/**
 * What must never reach a screen as it is: C0 and C1 controls, DEL; bidi marks, embeddings, overrides and isolates;
 * zero-width characters, line and paragraph separators, the byte order mark, interlinear marks and tag characters;
 * halves of surrogate pairs.
 */
const UNSAFE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

const NON_ASCII = /[^\x20-\x7e]/gu;

/** `\x1b`, `\n`, `\u202e`: a visible name of a character, in the way C and JavaScript write it. */
function escaped(char: string): string {
  if (char === '\n') return '\\n';
  if (char === '\r') return '\\r';
  if (char === '\t') return '\\t';
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\u{${code.toString(16)}}`;
}

/** One line of printable text: what could move a cursor, hide or reorder text is written out as an escape. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** The same in ASCII alone, for mail: everything else is written out too. */
export function ascii(text: string): string {
  return text.replace(NON_ASCII, escaped);
}

/** A trace line with its tabs (perf script indents by them) as blanks up to the next column of eight. */
export function untabbed(line: string): string {
  if (!line.includes('\t')) return line;
  let out = '';
  for (const char of line) out += char === '\t' ? ' '.repeat(8 - (out.length % 8)) : char;
  return out;
}

/**
 * Text inside Markdown prose. ASCII punctuation that can start markup is escaped; `@name`, `#1` and bare addresses,
 * which trackers turn into mentions and links after the Markdown is read, are broken by a zero-width space.
 */
export function markdownText(text: string): string {
  return printable(text)
    .replace(/[\\*_[\]<>|~$]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/@/g, '@\u200b')
    .replace(/#(?=\d)/g, '#\u200b')
    .replace(/`/g, '&#96;')
    .replace(/:\/\//g, ':\u200b//')
    .replace(/\b(www)\./gi, '$1\u200b.');
}

/**
 * A Markdown code span in a table's cell that holds `text` whatever it contains: the fence is longer than any run of backticks in
 * it, and `|` is escaped, as a cell needs even inside code (GFM 4.10).
 */
export function markdownCode(text: string): string {
  const plain = printable(text);
  if (plain.trim() === '') return plain === '' ? '' : '` `';
  const body = plain.replace(/\|/g, '\\|');
  let longest = 0;
  for (const run of body.match(/`+/g) ?? []) longest = Math.max(longest, run.length);
  const fence = '`'.repeat(longest + 1);
  const pad = body.startsWith('`') || body.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${body}${pad}${fence}`;
}

/** A fenced block that no line of `lines` can close. */
export function markdownBlock(lines: string[]): string {
  let longest = 2;
  for (const line of lines) for (const run of line.match(/`+/g) ?? []) longest = Math.max(longest, run.length);
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${lines.map((line) => printable(line)).join('\n')}\n${fence}\n`;
}

const ENTITIES: Record<string, string> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'};

/** Text between HTML tags or in a quoted attribute. */
export function htmlText(text: string): string {
  return printable(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}

/**
 * JSON that may stand inside `<script type="application/json">`: no `<`, `>` or `&` is left, so neither `</script>` nor
 * `<!--` can appear, and JSON.parse gives back the same values.
 */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A copy of a JSON value in which every string is printable; for pages that show the strings as text. */
export function printableDeep<T>(value: T): T {
  if (typeof value === 'string') return printable(untabbed(value)) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => printableDeep(item)) as T;
  if (value !== null && typeof value === 'object') {
    const copy: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) copy[printable(key)] = printableDeep(item as unknown);
    return copy as T;
  }
  return value;
}
