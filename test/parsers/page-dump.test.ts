/** Dumps of pages in kernel logs and mails: decoded, told, and part of the page's history. */
import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import {decoded} from '../../parsers/dmesg/page-dump.js';
import type {LineForm} from '../../parsers/form.js';
import {expectSame, readWith, type Seen} from './collect.js';

describe('a count in words', () => {
  it.each([
    [-1023, 'refcount -1023 = 1 reference - 1 pin: one unpin of what was only got'],
    [-1024, '= 0 references - 1 pin: one unpin'],
    [-2046, '= 2 references - 2 pins: 2 unpins'],
    [-1, '1 put more than references'],
    [0, '0 references, no pin'],
    [3, '3 references, no pin'],
    [1023, '= 1 pin - 1 reference: a pin that was dropped with put_page()'],
    [1024, '= 1 pin + 0 references'],
    [1026, '= 1 pin + 2 references'],
    [2047, '= 2 pins - 1 reference: a pin that was dropped with put_page()'],
    [3075, '= 3 pins + 3 references'],
  ])('%i', (count, words) => expect(decoded(count)).toContain(words));
});

const LOGS: Record<string, [log: string[], pfn: string, words: RegExp]> = {
  'of 6.12': [
    [
      'BUG: Bad page state in process wrk  pfn:4a10',
      'page: refcount:-1023 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x4a10',
      'flags: 0x100000000000001(locked|node=0|zone=1)',
      'raw: 0100000000000000 dead000000000100 dead000000000122 0000000000000000',
      'page dumped because: nonzero _refcount',
    ],
    '0x4a10',
    /^pfn 0x4a10: refcount -1023 = 1 reference - 1 pin.*flags locked; dumped because: nonzero _refcount$/,
  ],
  'of 5.15': [
    [
      'page:00000000ce81ba6f refcount:1027 mapcount:1 mapping:ffff888012345678 index:0x5 pfn:0x4a10',
      'page dumped because: VM_BUG_ON_PAGE(PageTail(page))',
    ],
    '0x4a10',
    /^pfn 0x4a10: refcount 1027 = 1 pin \+ 3 references; mapped once; dumped because: VM_BUG_ON_PAGE/,
  ],
  'of 4.14, which prints no pfn there': [
    [
      'BUG: Bad page state in process wrk  pfn:4a10',
      'page:ffffea0000128400 count:-1 mapcount:0 mapping:          (null) index:0x0',
      'flags: 0x100000000000000()',
      'page dumped because: nonzero _count',
    ],
    '0x4a10',
    /^pfn 0x4a10: refcount -1: 1 put more than references; dumped because: nonzero _count$/,
  ],
  'of a large folio': [
    [
      'page: refcount:2 mapcount:0 mapping:0000000000000000 index:0x7f1 pfn:0x4a00',
      'head: order:9 mapcount:0 entire_mapcount:0 nr_pages_mapped:0 pincount:-1',
      'flags: 0x17ffffc0000040(head|node=0|zone=2|lastcpupid=0x1fffff)',
      'page dumped because: unpinned',
    ],
    '0x4a00',
    /large folio of order 9: refcount 2, no pin; pincount -1: once more unpinned than pinned; flags head; dumped/,
  ],
  'that is cut': [['page: refcount:-1023 mapcount:0 mapping:0 index:0x0 pfn:0x4a10'], '0x4a10', /refcount -1023/],
};
const AROUND: Record<string, (lines: string[]) => string[]> = {
  'a log': (lines) => ['Linux version 6.12.1', ...lines, 'Call Trace:'].map((l, i) => `[  516.12${i}000] ${l}`),
  'a serial console': (lines) => lines,
  syslog: (lines) => ['first', ...lines, 'x', 'y'].map((l) => `Jun  2 10:00:00 host kernel: [  516.120000] ${l}`),
  'a mail': (lines) => [
    'From: a@b.c',
    'Subject: bad page',
    '',
    'Hello,',
    '',
    ...lines.map((l) => `> [  516.120000] ${l}`),
  ],
};

function readText(text: string, sizes?: readonly number[]): {seen: Seen[]; evidence: string[]} {
  const found = detect(Buffer.from(text));
  if (found.outcome !== 'read') throw new Error(`${found.outcome}: ${found.message}`);
  const form = found.form as LineForm;
  return {...readWith((s, o) => form.open(s, o), Buffer.from(text), sizes), evidence: found.evidence};
}

describe.each(Object.entries(LOGS))('the dump %s', (_name, [lines, pfn, words]) => {
  it.each(Object.entries(AROUND))('in %s', (_around, around) => {
    const text = `${around(lines).join('\n')}\n`;
    const {seen} = readText(text);
    const fact = seen.find((s) => s['fact'] === 'page_dump')?.['value'] as string;
    expect(fact.replace(/^line \d+: /, '')).toMatch(words);
    expect(fact).toContain(pfn);
    expect(seen.filter((s) => s['kind'] === 'Marker')).toHaveLength(1);
    fc.assert(
      fc.property(fc.array(fc.integer({min: 1, max: 80}), {minLength: 1, maxLength: 4}), (sizes) => {
        expectSame(readText(text, sizes).seen, seen);
      }),
      {numRuns: 5},
    );
  });
});

it('has the time of the events around it where the log has a trace too', () => {
  const ref = 'page_ref_mod: pfn=0x4a10 flags=none count=1026 mapcount=0 mapping=0 mt=1 val=1024';
  const text = [
    ...LOGS['of 6.12']![0],
    'Dumping ftrace buffer:',
    `     wrk-701       1d..2. 276242022us : ${ref}`,
    '-'.repeat(20),
  ]
    .map((l) => `[  516.120000] ${l}\n`)
    .join('');
  expect(readText(text).seen.filter((s) => 'kind' in s)).toMatchObject([
    {kind: 'Marker', t: 242022000},
    {kind: 'RefMod', t: 242022000},
  ]);
});

it('reads hostile lines in bounded time', () => {
  const started = process.cpuUsage();
  for (const line of [
    `page: refcount:${'9'.repeat(100000)}`,
    `page:${'0'.repeat(100000)}`,
    `head: order:1 ${'pincount:'.repeat(20000)}`,
    `flags: 0x1(${'|'.repeat(100000)}`,
  ]) {
    detect(Buffer.from(`[ 1.0] ${line}\n`.repeat(5)));
  }
  expect(process.cpuUsage(started).user).toBeLessThan(2e6);
});
