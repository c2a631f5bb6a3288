import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel, type Traced} from './small-kernel.js';

const P = 0x2fb0;

/** Pinned, mapped, unpinned, unmapped, freed. `between` comes between unpin and unmap. */
function early(traced: Traced = {}, between: (k: SmallKernel) => void = () => {}): SmallKernel {
  const k = new SmallKernel(traced);
  k.anon(P);
  k.pin(P);
  k.map(P);
  k.unpin(P);
  between(k);
  k.unmap(P);
  k.munmap(P);
  return k;
}

describe('unpin-while-dma', () => {
  it('tells of an unpin before the unmap, with the lines that prove it', async () => {
    const report = await analyzeText(early().text());
    const [finding] = report.findings;
    expect(report.findings).toHaveLength(1);
    expect(finding).toMatchObject({rule: 'unpin-while-dma', severity: 'error', verdict: 'sure', device: 'pinbug.0'});
    expect(finding!.evidence.map((e) => e.role)).toEqual(['pin', 'dma-map', 'unpin', 'unpin', 'dma-unmap']);
    const texts = finding!.evidence.map((e) => e.text);
    expect(texts[1]).toContain('dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000');
    expect(texts[3]).toContain('page_ref_mod_and_test: pfn=0x2fb0');
    expect(finding!.counts).toEqual({before: {raw: 1025, pins: 1, refs: 2}, after: {raw: 1, pins: 0, refs: 1}});
  });

  it.each([
    ['page_ref events without probes', {probes: false}],
    ['probes without page_ref events', {refs: false}],
  ])('is sure with %s', async (_, traced) => {
    expect(await toldOf(early(traced).text())).toEqual(['unpin-while-dma error sure 0x2fb0']);
  });

  describe('of a huge page of which a ring keeps one pin (io_coalesce_buffer())', () => {
    const H = 0x4800;
    function registered(times = 1): SmallKernel {
      const k = new SmallKernel();
      k.anon(H, 9);
      for (let i = 0; i < times; i++) {
        k.pin(H, {n: 512, sub: H, longterm: true});
        k.unpin(H, {n: 511, sub: H + 1});
        k.wait(1000);
      }
      return k;
    }

    it('tells of it on a page that is not the first one', async () => {
      const k = registered();
      k.map(H + 100);
      k.unpin(H);
      k.wait(500);
      k.unmap(H + 100);
      const {findings} = await analyzeText(k.text());
      expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['unpin-while-dma', 'error', 'possible']]);
    });

    it('is not sure that the page is of the pin that is left: who wanted the first page alone drops the others too', async () => {
      const k = new SmallKernel();
      k.anon(H, 9);
      k.pin(H, {n: 2, sub: H, longterm: true});
      k.unpin(H, {sub: H + 1});
      k.map(H + 1, 'TO_DEVICE');
      k.unpin(H, {sub: H});
      k.unmap(H + 1, 'TO_DEVICE');
      const {findings} = await analyzeText(k.text());
      expect(findings.filter((f) => f.verdict === 'sure')).toEqual([]);
    });

    it('is silent while another registration of it is there', async () => {
      const k = registered(2);
      for (let i = 100; i < 106; i++) k.map(H + i);
      k.by({task: 'kworker/u8:2-31', cpu: 1}, () => k.putPinned(H));
      k.wait(500);
      for (let i = 100; i < 106; i++) k.unmap(H + i);
      k.by({task: 'kworker/u8:2-31', cpu: 1}, () => k.putPinned(H));
      expect(await toldOf(k.text())).toEqual([]);
    });
  });

  it('is a warning while a get_user_pages reference still holds the page', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.get(P);
    k.unpin(P);
    k.unmap(P);
    k.put(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma warning sure 0x2fb0']);
  });

  it('is only possible when the mapping may be for a get_user_pages reference that was held as well', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.get(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    k.put(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma warning possible 0x2fb0']);
  });

  it('sees an unpin in an interrupt or by a worker as well, without blaming the interrupted task for the pin', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.by({task: '<idle>-0', cpu: 1, irq: true}, () => k.unpin(P));
    k.unmap(P);
    k.munmap(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-while-dma', 'sure']]);
    expect(findings[0]!.tasks.map((t) => [t.role, t.comm])).toEqual([
      ['pin', 'wl'],
      ['unpin', '<idle>'],
    ]);
  });

  describe('is silent when', () => {
    it('the unmap comes first', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.map(P);
      k.unmap(P);
      k.unpin(P);
      k.munmap(P);
      const report = await analyzeText(k.text());
      expect(report.findings).toEqual([]);
      expect(report.near_misses).toMatchObject([{rule: 'unpin-while-dma', device: 'pinbug.0', count: 1}]);
    });

    it('two pins are held and one is dropped in flight', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.by({task: 'other-400', cpu: 1}, () => k.pin(P));
      k.map(P);
      k.by({task: 'other-400', cpu: 1}, () => k.unpin(P));
      k.unmap(P);
      k.unpin(P);
      k.munmap(P);
      expect(await toldOf(k.text())).toEqual([]);
    });

    it("others get and put the page during the pin's DMA", async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.map(P);
      k.by({task: 'other-400', cpu: 1}, () => {
        k.get(P);
        k.put(P);
      });
      k.unmap(P);
      k.unpin(P);
      k.munmap(P);
      expect(await toldOf(k.text())).toEqual([]);
    });

    it("the mapping is the page's own writeback", async () => {
      const k = new SmallKernel();
      k.file(P);
      k.markDirty(P);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE');
      k.unmap(P, 'TO_DEVICE');
      k.writeOut(P, () => k.unpin(P));
      // that it was written back while pinned for reading is a note of another rule
      expect(await toldOf(k.text())).toEqual(['writeback-while-pinned note sure 0x2fb0']);
    });

    it('the pin is dropped in an interrupt or by a worker after the unmap, as direct I/O does', async () => {
      for (const who of [
        {task: '<idle>-0', cpu: 1, irq: true},
        {task: 'kworker/1:1-29', cpu: 1},
      ]) {
        const k = new SmallKernel();
        k.anon(P);
        k.pin(P);
        k.map(P, 'FROM_DEVICE', '0000:00:03.0');
        k.by({...who, irq: true}, () => k.unmap(P, 'FROM_DEVICE', '0000:00:03.0'));
        k.wait(5000);
        k.by(who, () => k.unpin(P));
        k.munmap(P);
        expect(await toldOf(k.text())).toEqual([]);
      }
    });

    it('the page of the mapping was freed and its PFN is another page by now', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.map(P);
      k.unmap(P);
      k.unpin(P);
      k.munmap(P);
      k.by({task: 'other-400', cpu: 1}, () => {
        k.anon(P);
        k.pin(P);
        k.unpin(P);
        k.munmap(P);
      });
      expect(await toldOf(k.text())).toEqual([]);
    });

    it('the device is never seen to unmap (dma_need_unmap() is false there)', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', '0000:00:07.0');
      k.unpin(P);
      k.munmap(P);
      // unmap events are recorded: another device does
      k.anon(P + 1);
      k.pin(P + 1);
      k.map(P + 1);
      k.unmap(P + 1);
      k.unpin(P + 1);
      k.munmap(P + 1);
      expect(await toldOf(k.text())).toEqual([]);
    });

    it('the map failed', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.line('dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=ffffffffffffffff size=4096 phys_addr=2fb0000 attrs=');
      k.unpin(P);
      k.anon(P + 1);
      k.map(P + 1);
      k.unmap(P + 1);
      k.munmap(P + 1);
      k.munmap(P);
      expect(await toldOf(k.text())).toEqual([]);
    });

    it('two devices map the page and the unpin comes after both unmaps, in whatever order', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.map(P, 'TO_DEVICE', 'a.0');
      k.map(P, 'TO_DEVICE', 'b.0');
      k.unmap(P, 'TO_DEVICE', 'b.0');
      k.unmap(P, 'TO_DEVICE', 'a.0');
      k.unpin(P);
      k.munmap(P);
      expect(await toldOf(k.text())).toEqual([]);
    });
  });

  describe('is only possible when', () => {
    it('events were lost between unpin and unmap: another pin could have been taken', async () => {
      const text = early({}, (k) => {
        k.by({task: 'other-400', cpu: 1}, () => k.alloc(0x500));
        k.lose(1, 12);
        k.by({task: 'other-400', cpu: 1}, () => k.alloc(0x501));
      }).text();
      const [finding] = (await analyzeText(text)).findings;
      expect(finding).toMatchObject({rule: 'unpin-while-dma', verdict: 'possible'});
      expect(finding!.reason).toMatch(/^12 events of CPU 1 were lost \(line \d+\)$/);
    });

    it('unpin and unmap have equal times on two CPUs', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.map(P);
      k.wait(1000);
      k.step_us = 0;
      k.putPinned(P);
      k.by({task: '<idle>-0', cpu: 1, irq: true}, () => k.unmap(P));
      k.step_us = 10;
      k.wait(10);
      k.munmap(P);
      const [finding] = (await analyzeText(k.text())).findings;
      expect(finding).toMatchObject({rule: 'unpin-while-dma', verdict: 'possible'});
      expect(finding!.reason).toContain('equal times on two CPUs');
    });

    it('the pin is older than the trace', async () => {
      const k = early();
      const lines = k.text().split('\n');
      const map = lines.findIndex((line) => line.includes('dma_map_page'));
      const known = lines.findIndex((line) => line.includes('try_grab_folio_fast:'));
      // the same trace begun after the pin
      const late = [...lines.slice(0, known - 1).filter((l) => !l.includes('wl-309')), ...lines.slice(map)].join('\n');
      const [finding] = (await analyzeText(late)).findings;
      expect(finding).toMatchObject({rule: 'unpin-while-dma', verdict: 'possible'});
      expect(finding!.reason).toBe('its pin was taken before the trace began, or was not seen');
    });

    it("the unmap of a device that does unmap is not seen before the trace's end", async () => {
      const k = new SmallKernel();
      k.anon(P + 1);
      k.map(P + 1, 'FROM_DEVICE');
      k.unmap(P + 1, 'FROM_DEVICE');
      k.munmap(P + 1);
      k.anon(P);
      k.pin(P);
      k.map(P);
      k.unpin(P);
      k.wait(1000);
      k.anon(P + 2);
      const findings = (await analyzeText(k.text())).findings;
      expect(findings).toMatchObject([
        {rule: 'unpin-while-dma', verdict: 'possible', reason: 'the unmap of the mapping was not seen', end_ns: null},
      ]);
    });

    it('an IOMMU mapping is all that shows the DMA', async () => {
      const k = new SmallKernel();
      k.anon(P);
      k.pin(P);
      k.line('map: IOMMU: iova=0x00000000fffbf000 - 0x00000000fffc0000 paddr=0x0000000002fb0000 size=4096');
      k.unpin(P);
      k.line('unmap: IOMMU: iova=0x00000000fffbf000 - 0x00000000fffc0000 size=4096 unmapped_size=4096');
      k.munmap(P);
      expect(await toldOf(k.text())).toEqual(['unpin-while-dma error possible 0x2fb0']);
    });
  });

  it('lets the order of lines decide on one CPU, at equal times', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.step_us = 0;
    k.unmap(P);
    k.unpin(P);
    k.step_us = 10;
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

/** Read with direct I/O into a mapped file that is synced meanwhile: 7.3, a folio of four pages, every page of it pinned and mapped. */
const SYNCED_FOLIO = `# tracer: nop
# pinscope-record: clock=mono
# pinscope-record: kernel=7.3.4+deb13-amd64
# pinscope-record: machine=x86_64
# pinscope-record: vmemmap_base=0xffe0f80900000000
            work-212 (    212) [000] .....   17.324946: mm_page_alloc: page=00000000fdb11036 pfn=0x38d0 order=2 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP
            work-212 (    212) [000] .....   17.325374: mm_filemap_add_to_page_cache: dev 259:0 ino 11 pfn=0x38d0 ofs=0 order=2
            work-213 (    212) [001] .....   17.379891: __folio_start_writeback: (__folio_start_writeback+0x4/0x200) folio=0xffe0f809000e3400
            work-212 (    212) [000] .....   17.383016: pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f4aa17f0000 nr=4 gup_flags=0x401 pages=0xff14a5124287b8a8
            work-212 (    212) [000] d....   17.383026: try_grab_folio_fast: (try_grab_folio_fast+0x0/0x270) page=0xffe0f809000e3400 refs=1 flags=0x80401
            work-212 (    212) [000] d....   17.383032: try_grab_folio_fast_ret: (gup_fast_fallback+0x769/0xe00 <- try_grab_folio_fast) folio=0xffe0f809000e3400
            work-212 (    212) [000] d....   17.383038: try_grab_folio_fast: (try_grab_folio_fast+0x0/0x270) page=0xffe0f809000e3440 refs=1 flags=0x80401
            work-212 (    212) [000] d....   17.383040: try_grab_folio_fast_ret: (gup_fast_fallback+0x769/0xe00 <- try_grab_folio_fast) folio=0xffe0f809000e3400
            work-212 (    212) [000] d....   17.383042: try_grab_folio_fast: (try_grab_folio_fast+0x0/0x270) page=0xffe0f809000e3480 refs=1 flags=0x80401
            work-212 (    212) [000] d....   17.383044: try_grab_folio_fast_ret: (gup_fast_fallback+0x769/0xe00 <- try_grab_folio_fast) folio=0xffe0f809000e3400
            work-212 (    212) [000] d....   17.383045: try_grab_folio_fast: (try_grab_folio_fast+0x0/0x270) page=0xffe0f809000e34c0 refs=1 flags=0x80401
            work-212 (    212) [000] d....   17.383047: try_grab_folio_fast_ret: (gup_fast_fallback+0x769/0xe00 <- try_grab_folio_fast) folio=0xffe0f809000e3400
            work-212 (    212) [000] .....   17.383050: pin_user_pages_fast_ret: (iov_iter_extract_pages+0xff/0xb00 <- pin_user_pages_fast) ret=4
            work-212 (    212) [000] .....   17.383091: dma_map_phys: 0000:00:01.0 dir=FROM_DEVICE dma_addr=38d0000 size=16384 phys_addr=38d0000 attrs=
            work-213 (    212) [001] .....   17.383438: dma_map_phys: 0000:00:01.0 dir=TO_DEVICE dma_addr=38d0000 size=16384 phys_addr=38d0000 attrs=
            work-212 (    212) [000] d.h1.   17.383580: dma_unmap_phys: 0000:00:01.0 dir=FROM_DEVICE dma_addr=38d0000 size=16384 attrs=
            work-212 (    212) [000] d.h1.   17.383597: unpin_user_folio: (unpin_user_folio+0x4/0x80) folio=0xffe0f809000e3400 npages=4
            work-213 (    212) [001] d.h1.   17.386435: dma_unmap_phys: 0000:00:01.0 dir=TO_DEVICE dma_addr=38d0000 size=16384 attrs=
            work-213 (    212) [001] d.h1.   17.386486: folio_end_writeback: (folio_end_writeback+0x4/0x40) folio=0xffe0f809000e3400
`;

describe("the writeback's own mapping of a large folio", () => {
  it('is that of the pages behind the first one too', async () => {
    const told = await toldOf(SYNCED_FOLIO);
    expect(told.filter((line) => !line.startsWith('writeback-while-pinned'))).toEqual([]);
    expect(told.length).toBeGreaterThan(0);
  });
});

describe('a mapping by a task that got the page, while another has it pinned', () => {
  it.each([true, false])(
    'is for the get: the unpin of the other is its own affair (page_ref events: %s)',
    async (refs) => {
      const k = new SmallKernel({refs});
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE');
      k.by({task: 'send-500', cpu: 1}, () => {
        k.get(P, {write: false});
        k.map(P, 'TO_DEVICE', 'nic.0');
      });
      k.unmap(P, 'FROM_DEVICE');
      k.unpin(P);
      k.wait(100);
      k.by({task: 'send-500', cpu: 1}, () => {
        k.unmap(P, 'TO_DEVICE', 'nic.0');
        k.put(P);
      });
      k.munmap(P);
      expect((await toldOf(k.text())).filter((line) => line.startsWith('unpin-while-dma'))).toEqual([]);
    },
  );
});

describe('a mapping by the task that pinned, in a trace that shows no gets', () => {
  /** Registered for long, read into by get_user_pages() as up to 6.4, and let go while that runs; `room`: whether that has a reference. */
  async function told(room: boolean): Promise<string[]> {
    const k = new SmallKernel({version: '6.1', probes: false});
    k.anon(P);
    k.pin(P);
    if (room) k.ref('page_ref_mod_unless', P, 1);
    k.map(P, 'FROM_DEVICE');
    k.unpin(P);
    k.wait(300);
    k.by({irq: true}, () => k.unmap(P, 'FROM_DEVICE'));
    if (room) k.put(P);
    k.munmap(P);
    return await toldOf(k.text());
  }

  it("is the pin's own for sure only where the page's count leaves no room for a get", async () => {
    expect(await told(false)).toEqual(['unpin-while-dma error sure 0x2fb0']);
    expect(await told(true)).toEqual(['unpin-while-dma error possible 0x2fb0']);
  });
});
