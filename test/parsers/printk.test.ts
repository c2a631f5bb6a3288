/** trace_printk() in recordings: a user's mark, as it is in text. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, expect, it} from 'vitest';
import {printed, printkFormats} from '../../parsers/records/printk.js';
import {Followed} from '../../src/readers/history/followed.js';
import {pagesOf} from '../../src/readers/history/report.js';
import type {PageHistory} from '../../src/results/history.js';
import {analyzeFiles} from '../rules/analyze-text.js';
import {traceDat, values, type WrittenFormat} from './trace-dat-writer.js';

const {u32, u64, ascii} = values;
const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-printk-'));
afterAll(() => rmSync(dir, {recursive: true}));

const PAGE_REF: WrittenFormat = {
  system: 'page_ref',
  name: 'page_ref_mod',
  id: 600,
  fields: [
    ['unsigned long pfn', 8, 8],
    ['unsigned long flags', 16, 8],
    ['int count', 24, 4],
    ['int mapcount', 28, 4],
    ['void * mapping', 32, 8],
    ['int mt', 40, 4],
    ['int val', 44, 4],
  ],
};
const PRINT: WrittenFormat = {
  system: 'ftrace',
  name: 'print',
  id: 5,
  fields: [
    ['unsigned long ip', 8, 8],
    ['char buf[]', 16, 0],
  ],
};
const BPRINT: WrittenFormat = {
  system: 'ftrace',
  name: 'bprint',
  id: 6,
  fields: [
    ['unsigned long ip', 8, 8],
    ['const char * fmt', 16, 8],
    ['u32 buf[]', 24, 0],
  ],
};
const BPUTS: WrittenFormat = {
  system: 'ftrace',
  name: 'bputs',
  id: 14,
  fields: [
    ['unsigned long ip', 8, 8],
    ['const char * str', 16, 8],
  ],
};

const IP = 0xffffffff81234567n;
const FMT = 0xffffffff820b216fn;
const PUTS = 0xffffffff820b21ffn;
const FORMATS = `0x${FMT.toString(16)} : "unpin of pfn=0x%lx, %d left of %s\\n"\n0x${PUTS.toString(16)} : "page 0x4a10 is \\"done\\"\\n"\n`;

function ref(count: number, val: number): {id: number; pid: number; payload: Buffer} {
  const payload = Buffer.concat([u64(0x4a10, 0), u32(count, 0), u64(0), u32(1, val >>> 0)]);
  return {id: 600, pid: 701, payload};
}
const printk = (fmt: bigint, ...args: Buffer[]) => ({id: 6, pid: 701, payload: Buffer.concat([u64(IP, fmt), ...args])});

async function marksIn(name: string, bytes: Buffer): Promise<(string | undefined)[]> {
  const file = path.join(dir, name);
  writeFileSync(file, bytes);
  let lives: PageHistory[] = [];
  await analyzeFiles([file], {
    follow: new Followed([{first: 0x4a10, last: 0x4a10}]),
    read: (ledger) => (lives = pagesOf(ledger, [], true)),
  });
  const entries = lives.flatMap((page) => page.generations.flatMap((generation) => generation.entries));
  return entries.map(({what, note}) => (what === 'mark' ? (note ?? '') : what));
}

const left = u64(0x4a10);

it('stands in the history of the page that it names, between the changes around it', async () => {
  const all = [
    ref(1026, 1024),
    printk(FMT, left, u32(3), ascii('fio\0')),
    {id: 5, pid: 701, payload: Buffer.concat([u64(IP), ascii('by hand: pfn 0x4a10\n\0')])},
    {id: 14, pid: 701, payload: u64(IP, PUTS)},
    ref(2, -1024),
  ];
  const address = IP.toString(16);
  expect(await marksIn('marks.dat', traceDat([PRINT, BPRINT, BPUTS, PAGE_REF], FORMATS, all))).toEqual([
    'taken',
    `${address}: unpin of pfn=0x4a10, 3 left of fio`,
    'by hand: pfn 0x4a10',
    `${address}: page 0x4a10 is "done"`,
    'dropped',
  ]);
});

it('changes nothing where its format or its values are not in the recording', async () => {
  const odd = [printk(FMT + 1n, left), printk(FMT), printk(FMT, u32(1))];
  const all = [ref(1026, 1024), ...odd, ref(2, -1024)];
  expect(await marksIn('odd.dat', traceDat([BPRINT, PAGE_REF], FORMATS, all))).toEqual(['taken', 'dropped']);
});

it.each<[string, Buffer[], string]>([
  ['%5d|%-5d|%05d', [u32(7, 8, -9 >>> 0)], '    7|8    |000-9'],
  ['%#x %X %o %u %+d', [u32(255, 171, 8, 0xffffffff, 5)], '0xff AB 10 4294967295 +5'],
  ['%hhd %hd %c%%', [Buffer.from([0xff, 0, 0xfe, 0xff, 65])], '-1 -2 A%'],
  ['%d %lld', [u32(1), u64(1n << 60n)], '1 1152921504606846976'],
  ['%s, %s', [ascii('a\0bc\0')], 'a, bc'],
  [
    '%pI4 %px %d',
    [ascii('10.0.0.1\0'), Buffer.alloc(3), u64(0xffffea0000128400n), u32(4)],
    '10.0.0.1 ffffea0000128400 4',
  ],
  ['%*d %.*s', [u32(4, 7, 2), ascii('ab\0')], '   7 ab'],
  ['%d %d %s', [u32(1)], '1 ? '],
  [`%${'9'.repeat(4)}d`, [u32(1)], '1'.padStart(100)],
])('prints %j as the kernel does', (format, args, text) => {
  const bytes = Buffer.concat(args);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  expect(printed(format, {view, start: 0, end: bytes.length, little: true, long: 8, symbols: null})).toBe(text);
});

it('reads printk_formats with its escapes, and no other line', () => {
  expect([...printkFormats('0x10 : "a\\n\\t\\\\ \\"b\\""\nnonsense\n0x11 : "%d"\n')]).toEqual([
    [16n, 'a\n\t\\ "b"'],
    [17n, '%d'],
  ]);
});
