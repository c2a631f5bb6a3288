/** A short run of the fuzzer, and what longer ones found. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import {expect, it} from 'vitest';
import {analyzeText} from '../rules/analyze-text.js';

const run = promisify(execFile);

it('survives damaged captures of every form', async () => {
  const {stdout} = await run(process.execPath, ['scripts/fuzz.mjs', '--seed', '1', '--cases', '10']);
  expect(stdout).toMatch(/^10 cases in .* 0 failed/m);
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
