/** free-while-dma, put-while-dma, free-while-pinned: the page or its last plain reference goes while something lasts. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x2fb0;
const THP = 0x600;

describe('free-while-dma', () => {
  it('tells of a free under a live mapping, and names the early unpin as its kin', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.munmap(P);
    k.unmap(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict, f.related])).toEqual([
      ['unpin-while-dma', 'error', 'sure', ['F2']],
      ['free-while-dma', 'error', 'sure', ['F1']],
    ]);
    expect(findings[1]!.evidence.map((e) => e.role)).toEqual(['pin', 'dma-map', 'free', 'dma-unmap']);
  });

  it('tells of a page that is handed out again although its free was not seen', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.by({task: 'next-500', cpu: 1}, () => k.anon(P));
    k.unmap(P);
    k.munmap(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => f.rule)).toEqual(['unpin-while-dma', 'free-while-dma']);
    expect(findings[1]!.message).toContain('handed out again to next/500');
  });

  it('tells of a free under a mapping made under a plain reference', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.map(P);
    k.put(P);
    k.munmap(P);
    k.unmap(P);
    expect(await toldOf(k.text())).toEqual([
      'free-while-dma error sure 0x2fb0',
      'put-while-dma error possible 0x2fb0',
      'dma-without-pin note sure 0x2fb0',
    ]);
  });

  it("is silent about a driver's own buffers, which nobody pinned", async () => {
    const k = new SmallKernel();
    k.alloc(P, 0, 0);
    k.map(P);
    k.put(P);
    k.unmap(P);
    k.anon(P + 1);
    k.pin(P + 1);
    k.unpin(P + 1);
    k.munmap(P + 1);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is only possible when events were lost between the free and the unmap', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.munmap(P);
    k.lose(1, 12);
    k.by({task: 'bash-77', cpu: 1}, () => k.alloc(0x500));
    k.unmap(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([
      ['unpin-while-dma', 'possible'],
      ['free-while-dma', 'possible'],
    ]);
    expect(findings[1]!.reason).toContain('12 events of CPU 1 were lost');
  });

  it('is only possible when free and unmap have equal times on two CPUs', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.wait(1000);
    k.step_us = 0;
    k.munmap(P);
    k.by({task: '<idle>-0', cpu: 1, irq: true}, () => k.unmap(P));
    k.step_us = 10;
    k.anon(P + 1);
    expect(await toldOf(k.text())).toEqual([
      'unpin-while-dma error sure 0x2fb0',
      'free-while-dma error possible 0x2fb0',
    ]);
  });

  it('ends the trouble of a PFN with the page: what the next page there does is its own', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unmap(P);
    k.unpin(P);
    k.munmap(P);
    k.alloc(P, 0, 0);
    k.map(P, 'TO_DEVICE', 'nic.0');
    k.unmap(P, 'TO_DEVICE', 'nic.0');
    k.put(P);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('put-while-dma', () => {
  /** Plainly got, mapped, put, unmapped: the API of before 5.6. */
  function early(): SmallKernel {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.map(P);
    k.put(P);
    k.unmap(P);
    k.munmap(P);
    return k;
  }

  it('tells of the put after which the count leaves no room for the reference', async () => {
    const {findings} = await analyzeText(early().text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([
      // a driver with an mmu notifier may put at once (pin_user_pages.rst, case 3): no event tells
      ['put-while-dma', 'error', 'possible'],
      ['dma-without-pin', 'note', 'sure'],
    ]);
    expect(findings[0]!.evidence.map((e) => e.role)).toEqual(['get', 'dma-map', 'put', 'dma-unmap']);
  });

  it('is not run, rather than clean, without page_ref events', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.get(P);
    k.map(P);
    k.unmap(P);
    const report = await analyzeText(k.text());
    const status = report.rules.find((r) => r.id === 'put-while-dma');
    expect(status).toMatchObject({status: 'not-run'});
    expect(status!.advice).toContain('CONFIG_DEBUG_PAGE_REF');
  });

  it('is silent while others get and put, and the reference itself stays', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.map(P);
    k.by({task: 'reclaim-50', cpu: 1}, () => {
      k.ref('page_ref_mod_unless', P, 1);
      k.put(P);
    });
    k.unmap(P);
    k.put(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['dma-without-pin note sure 0x2fb0']);
  });

  it('is silent while a pin protects the page', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.get(P);
    k.map(P);
    k.put(P);
    k.unmap(P);
    k.unpin(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is only possible when events were lost under the mapping', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.map(P);
    k.by({task: 'bash-77', cpu: 1}, () => {
      k.alloc(0x500);
      k.lose(1, 12);
      k.alloc(0x501);
    });
    k.put(P);
    k.unmap(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toContain('put-while-dma error possible 0x2fb0');
  });
});

describe('free-while-pinned', () => {
  /** A huge page whose pin is put as if it were plain: the count gets to 0 with a pin left. */
  function put(refs = true): SmallKernel {
    const k = new SmallKernel({refs});
    k.announce('unpin_user_page', 'unpin_user_folio');
    k.anon(THP, 9);
    k.pin(THP, {sub: THP + 3});
    k.put(THP);
    k.munmap(THP);
    return k;
  }

  it('tells of a large folio that is freed with a pin left, and of the put that did it', async () => {
    expect(await toldOf(put().text())).toEqual(['put-on-pin error sure 0x603', 'free-while-pinned error sure 0x603']);
  });

  it('is only possible with probes alone: one that was missed leaves no mark', async () => {
    const k = put(false);
    expect(await toldOf(k.text())).toEqual(['free-while-pinned error possible 0x603']);
  });

  it('is only possible when events were lost since the pin', async () => {
    const k = new SmallKernel();
    k.anon(THP, 9);
    k.pin(THP);
    k.by({task: 'bash-77', cpu: 1}, () => {
      k.alloc(0x500);
      k.lose(1, 12);
      k.alloc(0x501);
    });
    k.put(THP);
    k.munmap(THP);
    expect((await toldOf(k.text())).filter((f) => f.startsWith('free-while-pinned'))).toEqual([
      'free-while-pinned error possible 0x600',
    ]);
  });

  it('is silent when the folio was unpinned, sub-page by sub-page or at once', async () => {
    for (const each of [true, false]) {
      const k = new SmallKernel();
      k.anon(THP, 9);
      k.pin(THP, {n: 4, sub: THP + 2});
      if (each) for (let i = 0; i < 4; i++) k.unpin(THP, {sub: THP + 2 + i});
      else k.unpin(THP, {n: 4, sub: THP + 2});
      k.munmap(THP);
      expect(await toldOf(k.text())).toEqual([]);
    }
  });

  it('does not take a small page for freed pinned: there the event of the unpin is missing, not the unpin', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.munmap(P);
    k.line(`mm_page_free: page=00000000b9111fae pfn=0x2fb0 order=0`);
    expect((await toldOf(k.text())).filter((f) => f.startsWith('free-while-pinned'))).toEqual([]);
  });
});
