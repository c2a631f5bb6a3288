/**
 * Each kernel generation's way to pin and unpin (mm/gup.c, 5.7 to 6.12), on small and large folios: the same right use is
 * clean and the same misuse is found.
 */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {type Grab, SmallKernel, type Traced, type Version} from './small-kernel.js';

const P = 0x2fb0;
const THP = 0x600;
const VERSIONS: readonly Version[] = ['5.7', '5.10', '6.1', '6.12'];

function later(k: SmallKernel): void {
  k.wait(50_000);
  k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
}

describe.each(VERSIONS)('a small page on %s', (version) => {
  describe.each([{slow: false}, {slow: true}])('pinned with %o', (grab: Grab) => {
    function used(deeds: (k: SmallKernel) => void, traced: Traced = {}): SmallKernel {
      const k = new SmallKernel({version, ...traced});
      k.anon(P);
      k.pin(P, grab);
      deeds(k);
      later(k);
      return k;
    }

    it.each([true, false])('is clean in the right order (probes: %s)', async (probes) => {
      const k = used(
        (kernel) => {
          kernel.map(P);
          kernel.unmap(P);
          kernel.unpin(P);
          kernel.munmap(P);
        },
        {probes},
      );
      const report = await analyzeText(k.text());
      expect(report.findings).toEqual([]);
      expect(report.summary.pins).toBe(3); // the others are bash's
    });

    it('shows an early unpin', async () => {
      const k = used((kernel) => {
        kernel.map(P);
        kernel.unpin(P);
        kernel.unmap(P);
        kernel.munmap(P);
      });
      expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb0']);
    });

    it('shows a put of the pin', async () => {
      const k = used((kernel) => {
        kernel.put(P);
        kernel.munmap(P);
      });
      expect(await toldOf(k.text())).toEqual(['put-on-pin error sure 0x2fb0']);
    });

    it('shows an unpin too many', async () => {
      const k = used((kernel) => {
        kernel.unpin(P);
        kernel.unpin(P);
      });
      expect((await analyzeText(k.text())).findings.map((f) => [f.rule, f.verdict])).toEqual([
        ['unpin-without-pin', 'sure'],
      ]);
    });
  });
});

describe('FOLL_* numbers', () => {
  it.each([
    ['6.1', 'old'],
    ['6.12', 'new'],
  ] as const)('of %s are told from the flags of the grabs alone', async (version, numbering) => {
    const k = new SmallKernel({version, refs: false});
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    const report = await analyzeText(k.text());
    expect(report.kernel.signals.join()).toContain(numbering === 'old' ? '6.2 and earlier' : '6.3 and later');
    expect(report.findings.map((f) => f.rule)).toEqual(['unpin-while-dma']);
  });

  it('do not make a remote get of 6.12 (0x40000) a pin of 6.1, once one side is known', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.get(P, {remote: true, slow: true});
    k.map(P);
    k.unmap(P);
    k.munmap(P);
    expect((await analyzeText(k.text())).summary.pins).toBe(2); // bash's
  });

  it('are those of --kernel where it is given', async () => {
    const k = new SmallKernel({version: '6.1', refs: false});
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    expect(await toldOf(k.text(), {kernel: '6.1'})).toEqual(['unpin-while-dma error sure 0x2fb0']);
  });
});

describe('a large folio', () => {
  function pinned(version: Version, traced: Traced, grab: Grab, n = 1): SmallKernel {
    const k = new SmallKernel({version, ...traced});
    k.anon(THP, 9);
    k.pin(THP, {n, ...grab});
    return k;
  }

  describe.each(['6.1', '6.12'] as const)('of %s', (version) => {
    it('is pinned by +n: a probe tells it from a get, and which sub-pages', async () => {
      const k = pinned(version, {}, {sub: THP + 16}, 4);
      for (let i = 0; i < 4; i++) k.map(THP + 16 + i);
      k.unpin(THP, {n: 4, sub: THP + 16});
      for (let i = 0; i < 4; i++) k.unmap(THP + 16 + i);
      k.munmap(THP);
      expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x610,0x611,0x612,0x613']);
    });

    it('is clean when unmapped before the unpin', async () => {
      const k = pinned(version, {}, {sub: THP + 16}, 4);
      for (let i = 0; i < 4; i++) k.map(THP + 16 + i);
      for (let i = 0; i < 4; i++) k.unmap(THP + 16 + i);
      k.unpin(THP, {n: 4, sub: THP + 16});
      k.munmap(THP);
      later(k);
      expect(await toldOf(k.text())).toEqual([]);
    });

    it('is clean when one of two pins of different sub-pages is dropped while the other is mapped', async () => {
      const k = pinned(version, {}, {sub: THP + 16});
      k.pin(THP, {sub: THP + 17});
      k.map(THP + 17);
      k.unpin(THP, {sub: THP + 16});
      k.unmap(THP + 17);
      k.unpin(THP, {sub: THP + 17});
      k.munmap(THP);
      later(k);
      expect(await toldOf(k.text())).toEqual([]);
    });
  });

  it('is ambiguous without probes: nothing about it is sure', async () => {
    for (const deeds of [
      (k: SmallKernel) => k.unpin(THP, {n: 4}),
      (k: SmallKernel) => k.put(THP, 4),
      (k: SmallKernel) => k.put(THP),
    ]) {
      const k = pinned('6.12', {probes: false}, {}, 4);
      k.map(THP);
      deeds(k);
      k.unmap(THP);
      k.munmap(THP);
      later(k);
      const {findings} = await analyzeText(k.text());
      expect(findings.filter((f) => f.verdict === 'sure' && f.severity !== 'note')).toEqual([]);
    }
  });
});

describe('split, migration and freeze', () => {
  it('of pages that nobody pins are silent', async () => {
    const k = new SmallKernel();
    // migration: the old page is frozen, the new one takes over, the old one goes (mm/migrate.c)
    k.file(P);
    k.alloc(P + 1);
    k.ref('page_ref_mod', P, 1); // folio_isolate_lru()
    k.put(P, 1);
    expect(k.freeze(P, 3)).toBe(true);
    k.ref('page_ref_mod', P + 1, 1);
    k.unfreeze(P, 2);
    k.put(P, 2);
    // a huge page is split: the head is frozen, every sub-page gets its own count (mm/huge_memory.c)
    k.anon(THP, 9);
    expect(k.freeze(THP, 1)).toBe(true);
    for (let i = 1; i < 4; i++)
      k.line(
        `page_ref_unfreeze: pfn=0x${(THP + i).toString(16)} flags=uptodate|swapbacked count=1 mapcount=0 mapping=00000000261e2897 mt=1 val=1`,
      );
    k.unfreeze(THP, 1);
    later(k);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('fail on a pinned page, and the pin goes on', async () => {
    const k = new SmallKernel();
    k.file(P);
    k.pin(P);
    expect(k.freeze(P, 3)).toBe(false);
    k.map(P, 'FROM_DEVICE');
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    later(k);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('the life of a PFN', () => {
  it('is several pages: nothing of one is paired with another', async () => {
    const k = new SmallKernel();
    for (let life = 0; life < 3; life++) {
      k.by({task: `wl-${300 + life}`}, () => {
        k.anon(P);
        k.pin(P);
        k.map(P);
        k.unmap(P);
        k.unpin(P);
        k.munmap(P);
      });
    }
    const report = await analyzeText(k.text());
    expect(report.findings).toEqual([]);
    expect(report.summary.pins).toBe(5);
  });

  it('is known by page_ref events alone, where kmem events are not recorded', async () => {
    const k = new SmallKernel({kmem: false});
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.munmap(P);
    k.unmap(P);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb0', 'free-while-dma error sure 0x2fb0']);
  });
});
