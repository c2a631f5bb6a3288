/** Where no context is printed, what an interrupt does stands between the lines of a task's call, under that task's name. */
import {expect, it} from 'vitest';
import {analyzeText} from '../rules/analyze-text.js';

const HEAD = 'folio=0xffffea0000410000';
const count = (n: number): string =>
  `pfn=0x10400 flags=uptodate|head|swapbacked|lru count=${n} mapcount=15 mapping=00000000261e2897 mt=1`;

it('a grab whose change comes after an interrupt unpinned another page of the folio is a pin', async () => {
  let t = 0;
  const line = (who: string, cpu: number, event: string): string =>
    `${who.padStart(20)}     [00${cpu}]    10.${String((t += 3)).padStart(6, '0')}: ${event}`;
  const text = [
    '# tracer: nop',
    '#',
    '# pinscope-record: vmemmap_base=0xffffea0000000000',
    line(
      'app-303',
      2,
      'page_ref_set: pfn=0x10400 flags=uptodate|head count=1 mapcount=-1 mapping=0000000000000000 mt=1 val=1',
    ),
    line(
      'app-303',
      2,
      'mm_page_alloc: page=00000000b9111fae pfn=0x10400 order=4 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP',
    ),
    line('app-303', 2, `page_ref_mod: ${count(16)} val=15`),
    line(
      'fio-320',
      3,
      'try_grab_folio_fast: (try_grab_folio_fast+0x4/0x90) page=0xffffea0000410300 refs=1 flags=0x80001',
    ),
    line('fio-320', 3, `page_ref_mod_unless: ${count(17)} val=1 ret=1`),
    line('fio-320', 3, `try_grab_folio_fast_ret: (gup_fast_fallback+0x2e/0x70 <- try_grab_folio_fast) ${HEAD}`),
    line('uring-310', 0, `try_grab_folio: (try_grab_folio+0x4/0x90) ${HEAD} refs=1 flags=0x80001`),
    // the interrupt: fio's I/O is over
    line('uring-310', 0, `unpin_user_folio: (unpin_user_folio+0x4/0x90) ${HEAD} npages=1`),
    line('uring-310', 0, `gup_put_folio: (gup_put_folio+0x4/0x90) ${HEAD} refs=1 flags=0x80000`),
    line('uring-310', 0, `page_ref_mod_and_test: ${count(16)} val=-1 ret=0`),
    line('uring-310', 0, `page_ref_mod: ${count(17)} val=1`),
    line('uring-310', 0, 'try_grab_folio_ret: (follow_page_pte+0x2e/0x70 <- try_grab_folio) ret=0'),
    line('<idle>-0', 1, `unpin_user_folio: (unpin_user_folio+0x4/0x90) ${HEAD} npages=1`),
    line('<idle>-0', 1, `gup_put_folio: (gup_put_folio+0x4/0x90) ${HEAD} refs=1 flags=0x80000`),
    line('<idle>-0', 1, `page_ref_mod_and_test: ${count(16)} val=-1 ret=0`),
    '',
  ].join('\n');
  const {findings, summary} = await analyzeText(text);
  expect(findings.map(({rule}) => rule)).toEqual([]);
  expect(summary.pins).toBe(2);
});
