/** What `pinscope history` makes of excerpts as people paste them. */
import {beforeAll, describe, expect, inject, it} from 'vitest';
import type {HistoryReport, LifeEntry} from '../../src/results/history.js';
import {against, pinscope} from './pinscope.js';

beforeAll(() => expect(inject('buildFailure')).toBe(''));

function history(pfn: string, text: string): HistoryReport {
  const {stdout, stderr} = pinscope(['history', '--pfn', pfn, '--json', '-'], text);
  if (stdout === '') throw new Error(stderr);
  const report = JSON.parse(stdout) as HistoryReport;
  expect(against('pinscope.history.2.json', report)).toBe('');
  return report;
}

const entries = (report: HistoryReport, page = 0): LifeEntry[] =>
  report.pages[page]?.generations.flatMap((generation) => generation.entries) ?? [];
const ref = (rest: string): string => `flags=uptodate|lru mapcount=1 mapping=0000000000000000 mt=1 ${rest}`;
const PIN = `             wrk-701     [001] d..2   500.100001: page_ref_mod: pfn=0x4a10 count=1026 ${ref('val=1024')}\n`;
const UNPIN = `             wrk-701     [001] d..2   502.100001: page_ref_mod_and_test: pfn=0x4a10 count=2 ${ref('val=-1024 ret=0')}\n`;

describe('a page that only a free names', () => {
  const text = '     wrk-701     [010] .....   355.369905: mm_page_free: page=00000000dc8c03bd pfn=0x182190 order=2\n';
  it.each(['0x182190', '0x182193'])('has that as its history, asked for as %s', (pfn) => {
    const report = history(pfn, text);
    expect(report.absent).toEqual([]);
    expect(report.pages[0]).toMatchObject({pfn: '0x182190', generations: [{order: 2, died: 'free'}]});
    expect(entries(report)).toMatchObject([{what: 'free', line: 1, note: 'order 2: 4 pages'}]);
  });

  it('begins another life after it', () => {
    const again =
      '     wrk-701     [010] .....   355.5: mm_page_alloc: page=0 pfn=0x182190 order=0 migratetype=1 gfp_flags=GFP_KERNEL\n';
    const [page] = history('0x182190', text + again).pages;
    expect(page?.generations.map(({born, died}) => [born, died])).toEqual([
      ['before-trace', 'free'],
      ['alloc', null],
    ]);
  });

  it('says how PFNs are written only to who did not', () => {
    expect(pinscope(['history', '--pfn', '0x5', '-'], text).stderr).not.toContain('hexadecimal');
    expect(pinscope(['history', '--pfn', '5', '-'], text).stderr).toContain('hexadecimal');
  });
});

describe('mappings of an IOMMU', () => {
  it('inside a dma_map call are that call’s', () => {
    const report = history(
      '0x4a10',
      `${PIN}             wrk-701     [001] .....   500.100010: map: IOMMU: iova=0x00000000fe980000 - 0x00000000fe981000 paddr=0x0000000004a10000 size=4096
             wrk-701     [001] .....   500.100020: dma_map_page: 0000:c2:00.0 dir=FROM_DEVICE dma_addr=fe980000 size=4096 phys_addr=4a10000 attrs=
          <idle>-0       [003] d.h1.   500.500100: unmap: IOMMU: iova=0x00000000fe980000 - 0x00000000fe981000 size=4096 unmapped_size=4096
          <idle>-0       [003] d.h1.   500.500110: dma_unmap_page: 0000:c2:00.0 dir=FROM_DEVICE dma_addr=fe980000 size=4096 attrs=
${UNPIN}`,
    );
    const windows = report.pages[0]!.generations[0]!.windows.filter(({kind}) => kind === 'dma');
    expect(windows).toMatchObject([{start_line: 3, end_line: 5, end_known: 'unmap'}]);
    expect(entries(report)[1]?.note).toContain('inside the dma_map_*() call');
  });

  it('end page by page where they are unmapped so', () => {
    const map = (t: string, rest: string): string => `              vm-457     [002] .....   10.${t}: ${rest}\n`;
    const report = history(
      '0x4a10,0x4a11',
      map('000020', 'map: IOMMU: iova=0x0000000000000000 - 0x0000000000002000 paddr=0x0000000004a10000 size=8192') +
        map('100010', 'unmap: IOMMU: iova=0x0000000000001000 - 0x0000000000002000 size=4096 unmapped_size=4096') +
        map('200010', 'unmap: IOMMU: iova=0x0000000000000000 - 0x0000000000001000 size=4096 unmapped_size=4096'),
    );
    const ends = report.pages.map((page) => page.generations[0]!.windows.map(({end_line}) => end_line));
    expect(ends).toEqual([[3], [2]]);
  });
});

describe('what is read of files', () => {
  const line = (ino: string, pfn: number): string =>
    `   wrk-701 (  701) [010] .... 2940.190402: mm_filemap_add_to_page_cache: dev 8:2 ino ${ino} page=0000000000000000 pfn=${pfn} ofs=0\n`;
  it('is an inode to its end, or none', () => {
    const report = history(
      '0x2eb9f4-0x2eb9f6',
      line('0x60ffe', 3062260) + line('71abc', 3062261) + line('71zz', 3062262),
    );
    expect(report.pages.map((page) => page.generations[0]?.file?.ino)).toEqual([
      String(0x60ffe),
      String(0x71abc),
      undefined,
    ]);
  });
});

describe('marks of the user', () => {
  const at = (t: string, rest: string): string => `             wrk-701     [001] .....   ${t}: ${rest}\n`;
  it.each([
    ['trace_marker', 'tracing_mark_write: before the unpin of pfn=0x4a10', 'before the unpin of pfn=0x4a10'],
    ['trace_printk', 'my_unpin: holds pfn 0x4a10 now', 'my_unpin: holds pfn 0x4a10 now'],
    ['the form of page dumps', 'xfs_wait: pfn:4a10', 'xfs_wait: pfn:4a10'],
    ['a list', 'my_unpin: pfns 0x1, 0x4a10', 'my_unpin: pfns 0x1, 0x4a10'],
    ['a tracepoint of one’s own', 'my_event: (my_fn+0x0/0x10) pfn=0x4a10', 'my_event: (my_fn+0x0/0x10) pfn=0x4a10'],
    ['a page by number', 'tracing_mark_write: page 0x4a10 again', 'page 0x4a10 again'],
  ])('stand in the history of the page they name: %s', (_name, mark, note) => {
    const report = history('0x4a10', PIN + at('501.000000', mark) + UNPIN);
    expect(entries(report).map((e) => [e.what, e.note?.split(';')[0] ?? null])).toEqual([
      ['taken', null],
      ['mark', note],
      ['dropped', null],
    ]);
  });

  it('by the pointer to its struct page', () => {
    const text = `# vmemmap_base: 0xffffea0000000000\n${PIN}${at('501.000000', 'f: folio ffffea0000128400 done')}${UNPIN}`;
    expect(entries(history('0x4a10', text)).map((e) => e.what)).toEqual(['taken', 'mark', 'dropped']);
  });

  it('in either reading of digits that may be decimal, and it says so', () => {
    const text = PIN + at('501.000000', 'f: pfn=18960') + UNPIN;
    expect(entries(history('0x4a10', text))[1]?.note).toContain('0x4a10 or 0x18960');
  });

  it('before and after all else, and alone', () => {
    const text = at('1.000000', 'f: pfn 0x4a10') + PIN + UNPIN + at('600.000000', 'f: pfn 0x4a10, pfn 0x4a99');
    const report = history('0x4a10,0x4a99', text);
    expect(entries(report, 0).map((e) => e.line)).toEqual([1, 2, 3, 4]);
    expect(entries(report, 1)).toMatchObject([{what: 'mark', line: 4}]);
  });

  it('change nothing else: the stack after one is not the event’s before it', () => {
    const stack = `${at('501.000000', '<stack trace>')} => some_function\n`;
    const [plain, marked] = ['', at('501.000000', 'f: pfn 0x4a10') + stack].map((mark) =>
      entries(history('0x4a10', PIN + mark + UNPIN)).filter((e) => e.what !== 'mark'),
    );
    expect(marked!.map(({kind, frames}) => [kind, frames])).toEqual(plain!.map(({kind, frames}) => [kind, frames]));
  });

  it('are none where they name another page, or a number of pages', () => {
    const text = PIN + at('501.000000', 'f: 18960 pages of pfn 0x4a100, page 4a10 of 5') + UNPIN;
    expect(entries(history('0x4a10', text)).map((e) => e.what)).toEqual(['taken', 'dropped']);
  });
});

describe('folios', () => {
  const line = (rest: string): string => `     <...>-701      3..... 276242042us : ${rest}\n`;
  it('of which only the head is known have at least two pages', () => {
    const report = history(
      '0x4a20',
      line(`page_ref_mod: pfn=0x4a20 flags=uptodate|head count=6 mapcount=0 mapping=0 mt=1 val=1`),
    );
    expect(report.pages[0]?.generations[0]).toMatchObject({order: 1, order_known: false});
    const text = pinscope(
      ['history', '--pfn', '0x4a20,0x4a22', '-'],
      line('page_ref_mod: pfn=0x4a20 flags=uptodate|head count=6 mapcount=0 mapping=0 mt=1 val=1'),
    ).stdout;
    expect(text).toContain('large folio (at least 2 pages)');
    expect(text.replace(/\s+/g, ' ')).toContain('No event of this trace names 0x4a22; the large folio at 0x4a20');
  });

  it('show counts that people set as marks one by one', () => {
    const sets = [777, 666, 777, 98, 99].map((val) =>
      line(`page_ref_set: pfn=0x4a10 flags=none count=1 mapcount=0 mapping=0 mt=0 val=${val}`),
    );
    const text = pinscope(['history', '--pfn', '0x4a10', '-'], sets.join('')).stdout;
    for (const val of [777, 666, 98, 99]) expect(text).toContain(`to ${val}`);
  });
});

describe('tasks that are not printed', () => {
  it.each([
    ['<redacted>', '   <redacted>    [005] ..s.. '],
    ['wrk', '             wrk [005] ..... '],
    ['', '[005] '],
  ])('have no pid: %j', (comm, columns) => {
    const text = [PIN, UNPIN].map((line) => `${columns}${line.slice(line.indexOf('50'))}`).join('');
    expect(entries(history('0x4a10', text)).map((e) => [e.cpu, e.task, e.pid, e.t_ns])).toEqual([
      [5, comm, null, '500100001000'],
      [5, comm, null, '502100001000'],
    ]);
  });
});
