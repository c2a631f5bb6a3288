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
  [
    [0xc1, 0x1f, 0xfc, 0xc1],
    {what: 'a trace of LTTng (CTF)', advice: `LTTng has no events of page references. ${RECORD}`},
  ],
  [
    [0x75, 0xd1, 0x1f, 0xc1],
    {what: 'the metadata of a trace of LTTng (CTF)', advice: `LTTng has no events of page references. ${RECORD}`},
  ],
  ['Rar!\x1a\x07', {what: 'a rar archive', advice: UNPACK}],
  ['\x89LZO', {what: 'a file compressed by lzop', advice: 'Unpack it: lzop -d'}],
  ['\x7fELF', {what: 'a program, a module or a core dump (ELF)', advice: `Not what it printed. ${RECORD}`}],
  [
    'KDUMP   ',
    {
      what: 'a dump of kernel memory (kdump)',
      advice: 'Its ring buffer can be taken out of it: the crash extension trace.so, `trace show`.',
    },
  ],
  ['%PDF-', {what: 'a PDF document', advice: 'Give the text of the trace in it.'}],
  ['{\\rtf', {what: 'an RTF document', advice: 'Save it as plain text.'}],
  ['SQLite format 3', {what: 'an SQLite database', advice: 'Give the trace that it was made from.'}],
  [[0xd4, 0xc3, 0xb2, 0xa1], {what: 'a capture of network packets', advice: `It holds no pages. ${RECORD}`}],
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
  [/^ *Performance counter stats for /m, {what: 'output of perf stat', advice: `It counts events. ${RECORD}`}],
  [
    /^# Overhead +\S/m,
    {
      what: 'output of perf report',
      advice: 'It sums samples up. Give perf.data itself, or print it: perf script --ns --show-lost-events',
    },
  ],
  [
    /^FUNC +COUNT\n|^Tracing \d+ functions? (?:matching|for) /m,
    {what: 'output of funccount or stackcount of bcc', advice: `It counts calls. ${RECORD}`},
  ],
  [
    /^(?:\[pid +)?\d* *(?:\d\d:\d\d:\d\d(?:\.\d+)? )?\w+\(.*\) += -?(?:0x)?[\da-f?]+/m,
    {what: 'output of strace', advice: `System calls do not name page frames. ${RECORD}`},
  ],
  [
    /^nr_foll_pin_(?:acquired|released) \d/m,
    {
      what: '/proc/vmstat',
      advice: `nr_foll_pin_acquired less nr_foll_pin_released is how many pins are held; who holds them only a trace tells. ${RECORD}`,
    },
  ],
  [/^name: \w+\nID: \d+\nformat:/, {what: 'the format of an event (tracefs)', advice: `It is no trace. ${RECORD}`}],
  [/^(?:[a-z_]\w*:[a-z_]\w*\n){2}/, {what: 'a list of events', advice: `They can be recorded. ${RECORD}`}],
  [
    /^\s*<(?:!doctype html|html)\b/i,
    {what: 'a web page with no trace in it', advice: 'Give the file that the page shows, or the text of the trace.'},
  ],
  [
    /^crash> |^ +PAGE +PHYSICAL +MAPPING/m,
    {
      what: 'output of crash',
      advice:
        'A page in a dump has counts, but no history. The ring buffer of the dump: the crash extension trace.so, `trace show`.',
    },
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
