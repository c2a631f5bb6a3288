/** A short run of the fuzzer, and what longer ones found. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import {expect, it} from 'vitest';
import {readsRecords} from '../../parsers/form.js';
import {detect} from '../../parsers/detect.js';
import {Followed} from '../../src/readers/history/followed.js';
import {readWith} from '../parsers/collect.js';
import {analyzeText} from '../rules/analyze-text.js';

const run = promisify(execFile);

it('survives damaged captures of every form', async () => {
  const {stdout} = await run(process.execPath, ['scripts/fuzz.mjs', '--seed', '1', '--cases', '4']);
  expect(stdout).toMatch(/^4 cases in .* 0 failed/m);
}, 60_000);

const line = (t: string, rest: string): string => `              wl-309     [000] .....    ${t}: ${rest}\n`;

it.each([
  ['an order of 63', 'mm_page_free: page=00000000c4678d29 pfn=0x2511 order=63'],
  [
    'more references than pages',
    'gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffec5e416e8080 refs=18446744073709551615 flags=0x80000',
  ],
  ['a PFN beyond all memory', 'mm_page_alloc: page=0 pfn=0xffffffffffffff order=0 migratetype=0 gfp_flags=GFP_KERNEL'],
])('counts %s and goes on', async (_, damaged) => {
  const good = line('17.000001', 'mm_page_alloc: page=0 pfn=0x2510 order=0 migratetype=0 gfp_flags=GFP_KERNEL');
  const report = await analyzeText(`# tracer: nop\n${good}${line('17.000002', damaged)}${good.replace('01:', '03:')}`);
  expect(report.quality).toContainEqual(expect.objectContaining({id: 'impossible-numbers', count: 1}));
  expect(report.summary.pages).toBe(1);
});

it('keeps comms that stand beside the line, when events have to be sorted', async () => {
  const record = (text: string): string => `${JSON.stringify({type: 'printf', data: text})}\n`;
  const event = (t: number, comm: string): string =>
    `${t} cpu=1 pid=7 tid=7 comm=${comm} try_grab_folio pfn=0x2510 refs=1 flags=0x80001\n`;
  // a record that begins within a line: its text is put together elsewhere
  const text =
    record(event(1_000_000_000, 'one').slice(0, 30)) +
    record(event(1_000_000_000, 'one').slice(30)) +
    record(event(2_000_000_000, 'tw\\o'));
  const head = record('START vmemmap=0xfffff9abc0000000\n') + record(event(500_000_000, 'early'));
  const report = await analyzeText(head + text);
  expect(report.summary.pins).toBe(3);
});

it('shows the beginning of a line that is too long, wherever a chunk ends', () => {
  const good = line('17.000001', 'mm_page_alloc: page=0 pfn=0x2510 order=0 migratetype=0 gfp_flags=GFP_KERNEL');
  const bytes = Buffer.from(`# tracer: nop\n${good}${'=> '.repeat(400_000)}\n${good}`);
  const found = detect(bytes);
  if (found.outcome !== 'read' || readsRecords(found.form)) throw new Error('is no text');
  const {form} = found;
  const first = [[1 << 22], [7, 5000], [1 << 19]].map(
    (sizes) => readWith((sink, options) => form.open(sink, options), bytes, sizes).reader.counters,
  );
  for (const counters of first) {
    expect(counters.tooLong).toBe(1);
    expect(counters.firstUnrecognised).toEqual([{line: 3, text: '=> '.repeat(100)}]);
  }
});

it('follows pages past events that are not believed', async () => {
  const text =
    `# tracer: nop\n${line('17.000001', 'page_ref_mod: pfn=0x2510 flags= count=9007199254740993 mapcount=0 mapping=0 mt=1 val=1')}` +
    line('17.000002', 'page_ref_mod: pfn=0x2510 flags= count=2 mapcount=0 mapping=0 mt=1 val=1');
  let kept: number[] = [];
  const report = await analyzeText(text, {
    follow: new Followed([{first: 0x2510, last: 0x2510}]),
    read: ({book}) => (kept = book.lives.followed.map((life) => life.kept)),
  });
  expect(report.quality).toContainEqual(expect.objectContaining({id: 'impossible-numbers', count: 1}));
  expect(kept).toEqual([1]);
});
