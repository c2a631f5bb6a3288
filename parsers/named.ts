/** Inputs that are no trace of pages, but something people have at hand: named, with what would help. */

import {ascii, find, startsWith, text} from './bytes.js';

export interface Named {
  what: string;
  advice: string;
}

const RECORD = '`pinscope record` records what is needed (`--print` writes a script for another machine).';
const UNPACK = 'Unpack it, and give the trace in it.';

/** First bytes of archives and other binary files. */
const MAGIC: readonly [string | readonly number[], Named, number?][] = [
  ['PK\x03\x04', {what: 'a zip archive', advice: UNPACK}],
  ['ustar', {what: 'a tar archive', advice: UNPACK}, 257],
  ['BZh', {what: 'a file compressed by bzip2', advice: 'Unpack it: bzip2 -d'}],
  [[0x04, 0x22, 0x4d, 0x18], {what: 'a file compressed by lz4', advice: 'Unpack it: lz4 -d'}],
  ['7z\xbc\xaf', {what: 'a 7z archive', advice: UNPACK}],
  [
    'SIMPLEPERF',
    {what: 'a simpleperf recording', advice: `It samples stacks, and holds no page references. ${RECORD}`},
  ],
  ['TRACE:\n', {what: 'compressed output of atrace -z', advice: 'Run atrace without -z, or give the systrace page.'}],
];

/** First lines of texts. */
const TEXTS: readonly [RegExp, Named][] = [
  [
    /^\s*\d+\.\d{3} (?:\( *[\d.]* ms\): )?\S.{0,20}?\/\d+ \w+:\w+\(/m,
    {
      what: 'output of perf trace',
      advice:
        'It prints no CPU and shortens lists. Record instead, and give the recording:\n  perf record -a -e page_ref:* -e dma:* -- COMMAND\n  pinscope analyze perf.data',
    },
  ],
  [
    /^Page allocated via order \d+, mask /m,
    {what: 'page_owner (who allocated each page)', advice: `It tells of allocations, not of references. ${RECORD}`},
  ],
  [
    /^\s*(?:\{\s*"traceEvents"|\[\s*\{\s*"(?:name|ph|pid|cat|ts)")/,
    {what: 'a trace in the JSON of Chrome and Perfetto viewers', advice: `Its events name no pages. ${RECORD}`},
  ],
  [
    /^\s*\{\s*(?:"type": ?"\w+",\s*)?"schema": ?"pinscope\.|\n<meta name="generator" content="pinscope |^pinscope \d+\.\d+|^# pinscope report|"type": ?"input".{0,40}pinscope/,
    {what: "a report of pinscope's own", advice: 'Give the trace that it was made from: its name is in the report.'},
  ],
  [
    /^\[\d\d:\d\d:\d\d\.\d{9}\] \(\+/m,
    {what: 'output of babeltrace', advice: `LTTng has no events of page references. ${RECORD}`},
  ],
  [
    /^(?:Cmdline|Arch|Event): .+\n(?:.*\n){0,6}(?:Samples|Overhead)/m,
    {what: 'a report of simpleperf', advice: `It counts samples. ${RECORD}`},
  ],
  [
    /^(?:TIME +)?PID +TID +COMM +FUNC/m,
    {
      what: 'output of trace of bcc, with no line that names a page',
      advice:
        'Print the page, and the time: trace -t -C \'unpin_user_page(struct page *page) "unpin_user_page page=0x%llx", page\'',
    },
  ],
];

/** What an input is by its first bytes; undefined where nothing is known of it. */
export function named(head: Uint8Array): Named | undefined {
  for (const [magic, what, at = 0] of MAGIC) {
    const bytes = typeof magic === 'string' ? Uint8Array.from(magic, (c) => c.charCodeAt(0)) : Uint8Array.from(magic);
    if (startsWith(head, at, head.length, bytes)) return what;
  }
  const first = text(head, 0, Math.min(head.length, 8192));
  return TEXTS.find(([pattern]) => pattern.test(first))?.[1];
}

const EMPTY_DUMP = ascii('(ftrace buffer empty)');

/** Whether a kernel's log says that its ring buffer was empty. */
export function saysEmpty(head: Uint8Array): boolean {
  return find(head, 0, head.length, EMPTY_DUMP) >= 0;
}
