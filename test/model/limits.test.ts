/** Inputs made to be slow or large: work and memory stay bounded, what is left out is said, and what is kept is right. */
import {existsSync, readFileSync} from 'node:fs';
import {describe, expect, it} from 'vitest';
import {Gaps} from '../../src/capture/gaps.js';
import {Oldest} from '../../src/base/oldest.js';
import {PageTable} from '../../src/ledger/tables/page-table.js';
import {LIMIT_WORDS} from '../../src/words/limits.js';
import type {Report} from '../../src/results/report.js';
import {analyzeText, told} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const P = 0x2fb0;

function reached(report: Report, id: string): number {
  return report.quality.find((q) => q.id === `limit-${id}`)?.count ?? 0;
}

function line(us: number, text: string, before = '              wl-309     [000] .....'): string {
  return `${before}    ${(us / 1e6).toFixed(6)}: ${text}\n`;
}

const HEAD = '# tracer: nop\n#\n';

describe('the page table', () => {
  it('holds no more than its limit, and counts what it refuses', () => {
    const table = new PageTable(100);
    for (let pfn = 0; pfn < 150; pfn++) expect(table.row(pfn, 1)).toBe(pfn < 100 ? pfn : -1);
    expect([table.size, table.refused]).toEqual([100, 50]);
    expect(table.row(99, 2)).toBe(99);
    expect(table.find(120)).toBe(-1);
  });

  it('is not slowed down by PFNs chosen to hash alike', () => {
    // Inverse of the hash's factor modulo 2^32: products that differ only in bits that choose no slot.
    const inverse = [1, 2, 3, 4, 5].reduce((x) => Math.imul(x, 2 - Math.imul(0x9e3779b1, x)), 0x9e3779b1);
    const chosen = (i: number): number => {
      const high = (i >>> 15) & 0xff;
      return ((Math.imul(((i & 0x7f) << 25) | ((i >>> 7) & 0xff), inverse) ^ high) >>> 0) + 0x100000000 * high;
    };
    const table = new PageTable();
    // With one slot for all of them this takes a minute and more, and the test runs out of its time.
    for (let i = 0; i < 60_000; i++) table.row(chosen(i), 1);
    expect(table.size).toBe(60_000);
    for (let i = 0; i < 60_000; i++) expect(table.pfn[table.find(chosen(i))] === chosen(i)).toBe(true);
  });
});

describe('gaps', () => {
  it('are answered for as a plain list would, in its order, however many there are', () => {
    let seed = 1;
    const next = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit;
    const gaps = new Gaps();
    const list: {from: number; to: number; why: string}[] = [];
    for (let i = 0; i < 2000; i++) {
      const from = next(1_000_000);
      const gap = {from, to: from + next(50), why: String(i)};
      list.push(gap);
      gaps.add(gap.from, gap.to, gap.why);
    }
    for (let i = 0; i < 2000; i++) {
      const from = next(1_000_000);
      const to = from + next(500);
      const plain = list.find((gap) => gap.from <= to && gap.to >= from);
      expect(gaps.within(from, to)?.why).toBe(plain?.why);
    }
  });

  it('that only widen the last one still touch what waits for them', () => {
    const gaps = new Gaps();
    for (let i = 0; i < 10_000; i++) gaps.add(i, i, 'early');
    gaps.add(50_000, 50_001, 'late');
    expect(gaps.within(50_000, 50_000)).toBeDefined();
  });

  it('are not many for a CPU that says again and again that it lost some', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.unpin(P);
    const report = await analyzeText(`${k.text()}${'CPU:1 [LOST 3 EVENTS]\n'.repeat(30_000)}`);
    const lost = report.quality.find((q) => q.id === 'lost-events');
    expect([lost?.count, lost?.cpu]).toEqual([90_000, 1]);
  });
});

describe('the oldest key of a map', () => {
  it('is that which was added first of those that are left', () => {
    const map = new Map<number, string>();
    const oldest = new Oldest<number>();
    for (let i = 0; i < 5; i++) map.set(i, '');
    map.delete(0);
    expect(oldest.of(map)).toBe(1);
    map.delete(1);
    map.set(7, '');
    expect(oldest.of(map)).toBe(2);
    oldest.again();
    expect(oldest.of(map)).toBe(2);
    for (const key of [2, 3, 4]) map.delete(key);
    expect(oldest.of(map)).toBe(7);
  });
});

describe('references of one page', () => {
  /** A page with `n` pins, and then so many unpins. */
  function pins(n: number, unpins = n): string {
    const k = new SmallKernel();
    k.anon(P);
    for (let i = 0; i < n; i++) k.pin(P);
    for (let i = 0; i < unpins; i++) k.unpin(P);
    k.munmap(P);
    return k.text();
  }

  it('beyond the most that are told apart are counted, and their unpins are no mistakes', async () => {
    const report = await analyzeText(pins(1500));
    expect(told(report)).toEqual([]);
    expect(report.summary.pins).toBeGreaterThanOrEqual(1500);
    expect(reached(report, 'references')).toBe(500);
  });

  it('one unpin too many is still one', async () => {
    const report = await analyzeText(pins(1200, 1201));
    expect(told(report)).toContain(`unpin-without-pin error sure 0x${P.toString(16)}`);
  });
});

describe('mappings', () => {
  it('of one page that are never undone cost no more than those that are followed', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    for (let i = 0; i < 5000; i++) k.map(P);
    k.unmap(P);
    const report = await analyzeText(k.text());
    expect(report.summary.dma_windows).toBe(5000);
    expect(report.quality.find((q) => q.id === 'open-mappings-forgotten')?.count).toBe(5000 - 64);
  });

  it('of more pages than are followed say so, and the first pages are judged', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    const all = (n: number, each: (i: number) => string): string =>
      Array.from({length: n}, (_, i) => each(i)).join(',');
    const entries = 40;
    const addresses = all(entries, (i) => `0x${(P * 4096 + i * 2 ** 28).toString(16)}`);
    const sizes = all(entries, () => '0x10000000');
    k.line(
      `dma_map_sg: a.0 dir=FROM_DEVICE nents=${entries}/${entries} ents=${entries}/${entries} dma_addrs={${addresses}} sizes={${sizes}} phys_addrs={${addresses}} attrs=`,
    );
    k.unpin(P);
    k.line(`dma_unmap_sg: a.0 dir=FROM_DEVICE phys_addrs={0x${(P * 4096).toString(16)}} attrs=`);
    k.munmap(P);
    const report = await analyzeText(k.text());
    expect(told(report)).toEqual([`unpin-while-dma error sure 0x${P.toString(16)}`]);
    expect(reached(report, 'mapping-pages')).toBe(1);
    expect(report.summary.pages).toBeLessThan(2 ** 18 + 100);
  });

  it('behind an IOMMU take the place of those that had their address', async () => {
    const text = Array.from({length: 1000}, (_, i) =>
      line(2e6 + i, `map: IOMMU: iova=0x100000 - 0x101000 paddr=0x${((P + i) * 4096).toString(16)} size=4096`),
    );
    const report = await analyzeText(
      HEAD + line(1e6, `mm_page_alloc: page=0 pfn=0x1 order=0 migratetype=1 gfp_flags=GFP_KERNEL`) + text.join(''),
    );
    expect(report.summary.pages).toBe(1001);
  });
});

describe('ranges of a million pages', () => {
  it('are not walked through line after line', async () => {
    const free = (us: number): string => line(us, `mm_page_free: page=0 pfn=0x100000 order=20`);
    let text = HEAD + line(1e6, 'mm_page_alloc: page=0 pfn=0x1 order=0 migratetype=1 gfp_flags=GFP_KERNEL');
    for (let i = 0; i < 3000; i++) text += free(2e6 + i);
    // 3000 times 2^20 look-ups would not end in time
    const report = await analyzeText(text);
    expect(reached(report, 'looks')).toBeGreaterThan(0);
  });
});

describe('names', () => {
  it('of more tasks than are told apart are nobody else', async () => {
    let text = HEAD;
    for (let i = 0; i < 100_100; i++)
      text += line(
        1e6 + i,
        'mm_page_alloc: page=0 pfn=0x1 order=0 migratetype=1 gfp_flags=GFP_KERNEL',
        `      t${i}-${i + 1}     [000] .....`,
      );
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    const report = await analyzeText(
      text.replaceAll('mm_page_alloc: page=0 pfn=0x1 order=0', 'page_ref_mod: pfn=0x1 flags= count=1026 val=1024') +
        k.text().split('\n').slice(2).join('\n'),
    );
    expect(reached(report, 'tasks')).toBeGreaterThan(0);
    const [finding] = report.findings.filter((f) => f.rule === 'unpin-while-dma');
    expect(finding?.tasks.map((t) => t.comm)).toEqual(expect.arrayContaining(['(more tasks)']));
    expect(finding?.tasks.some((t) => /^t\d+$/.test(t.comm))).toBe(false);
  });

  it('of more events than are told apart are counted', async () => {
    let text = HEAD + line(1e6, 'mm_page_alloc: page=0 pfn=0x1 order=0 migratetype=1 gfp_flags=GFP_KERNEL');
    for (let i = 0; i < 5000; i++) text += line(2e6 + i, `name_${i}: x=1`);
    expect(reached(await analyzeText(text), 'names')).toBeGreaterThan(800);
  });
});

describe('docs/limits.md', () => {
  const page = readFileSync('docs/limits.md', 'utf8');

  it('names every limit that the quality table can name, and no other', () => {
    const named = new Set([...page.matchAll(/`limit-([a-z-]+)`/g)].map((m) => m[1]));
    expect([...named].toSorted()).toEqual(Object.keys(LIMIT_WORDS).toSorted());
  });

  it('says where each is, and the place is there', () => {
    const places = [...page.matchAll(/\| ([^|]+) \|$/gm)].flatMap((m) => m[1]!.split(', '));
    const files = places.filter((place) => place !== 'where' && !/^-+$/.test(place));
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });
});
