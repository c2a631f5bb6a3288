/** dma-after-unmap: an IOMMU fault on an address whose mapping is over. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x2fb0;
const NIC = '0000:05:00.0';

interface Story {
  dir?: string;
  /** `flags=` of the fault: 1 a write */
  flags?: number;
  device?: string;
  at?: string;
  unpin?: 'before' | 'after' | 'never';
  /** between unmap and fault */
  meanwhile?: (k: SmallKernel) => void;
  fault?: boolean;
  /** iommu:map and iommu:unmap are recorded */
  translated?: boolean;
}

/** `iova=0x00000000fffff000 - 0x0000000100000000`: one page */
function range(iova: string): string {
  const [from, to] = [BigInt(`0x${iova}`), BigInt(`0x${iova}`) + 4096n];
  return `iova=0x${from.toString(16).padStart(16, '0')} - 0x${to.toString(16).padStart(16, '0')}`;
}

function map(k: SmallKernel, dir = 'FROM_DEVICE', iova = 'fffff000', pfn = P, translated = true): void {
  const paddr = (pfn * 4096).toString(16).padStart(16, '0');
  if (translated) k.line(`map: IOMMU: ${range(iova)} paddr=0x${paddr} size=4096`);
  k.line(`dma_map_page: ${NIC} dir=${dir} dma_addr=${iova} size=4096 phys_addr=${(pfn * 4096).toString(16)} attrs=`);
}

function unmap(k: SmallKernel, dir = 'FROM_DEVICE', iova = 'fffff000', translated = true): void {
  k.by({irq: true}, () => {
    if (translated) k.line(`unmap: IOMMU: ${range(iova)} size=4096 unmapped_size=4096`);
    k.line(`dma_unmap_page: ${NIC} dir=${dir} dma_addr=${iova} size=4096 attrs=`);
  });
}

function fault(k: SmallKernel, {device = NIC, at = '0x00000000fffff040', flags = 1}: Story = {}): void {
  k.by({task: 'irq/24-AMD-Vi-48', cpu: 1}, () =>
    k.line(`io_page_fault: IOMMU:[nicdrv] ${device} iova=${at} flags=0x${flags.toString(16).padStart(4, '0')}`),
  );
}

/** pin, map, unmap, unpin; 300 us later the device writes to where the page was. */
function story(s: Story = {}): SmallKernel {
  const k = new SmallKernel();
  k.anon(P);
  k.pin(P);
  map(k, s.dir, undefined, undefined, s.translated);
  k.wait(2000);
  if (s.unpin === 'before') k.unpin(P);
  unmap(k, s.dir, undefined, s.translated);
  if (s.unpin === undefined || s.unpin === 'after') k.unpin(P);
  s.meanwhile?.(k);
  k.wait(300);
  if (s.fault !== false) fault(k, s);
  if (s.unpin === 'never') k.unpin(P);
  k.munmap(P);
  return k;
}

const only = async (text: string) => {
  const {findings} = await analyzeText(text);
  return findings.filter((f) => f.rule === 'dma-after-unmap');
};

describe('dma-after-unmap', () => {
  it('names the mapping, who unmapped and unpinned it, and how long before', async () => {
    const [f, ...others] = await only(story().text());
    expect(others).toEqual([]);
    expect([f!.severity, f!.verdict, f!.pages.map((p) => p.pfn), f!.device]).toEqual([
      'error',
      'sure',
      ['0x2fb0'],
      NIC,
    ]);
    expect(f!.evidence.map((e) => e.role)).toEqual(['pin', 'dma-map', 'dma-unmap', 'unpin', 'fault']);
    expect(f!.message).toMatch(
      /^PFN 0x2fb0: 0000:05:00\.0 wrote to DMA address 0xfffff040 \d+(?:\.\d+)? us after wl\/309 had unmapped it \(FROM_DEVICE\); wl\/309 dropped its pin .* before/,
    );
    expect(Number(f!.distance_ns)).toBeGreaterThanOrEqual(300_000);
  });

  it('is only possible without iommu:map: a coherent buffer may have had the address since', async () => {
    const [f] = await only(story({translated: false}).text());
    expect([f!.verdict, f!.reason]).toEqual([
      'possible',
      'no iommu:map events: a coherent buffer (dma_alloc_*()) may have had the address since',
    ]);
  });

  it('knows the unpin that came before the unmap, and none that did not come', async () => {
    const told = await only(story({unpin: 'before'}).text());
    expect(told[0]!.message).toContain('dropped its pin');
    const held = await only(story({unpin: 'never'}).text());
    expect([held[0]!.verdict, held[0]!.evidence.map((e) => e.role)]).toEqual([
      'sure',
      ['pin', 'dma-map', 'dma-unmap', 'fault'],
    ]);
  });

  it('finds the page of a list that the IOMMU merged', async () => {
    const k = new SmallKernel();
    const list = 'nents=2/2 ents=1/1 dma_addrs={0xffffe000} sizes={0x2000} phys_addrs={0x2fb0000,0x3fb0000}';
    k.line('map: IOMMU: iova=0x00000000ffffe000 - 0x00000000fffff000 paddr=0x0000000002fb0000 size=4096');
    k.line('map: IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 paddr=0x0000000003fb0000 size=4096');
    k.line(`dma_map_sg: ${NIC} dir=FROM_DEVICE ${list} attrs=`);
    k.wait(2000);
    k.line('unmap: IOMMU: iova=0x00000000ffffe000 - 0x0000000100000000 size=8192 unmapped_size=8192');
    k.line(`dma_unmap_sg: ${NIC} dir=FROM_DEVICE phys_addrs={0x2fb0000,0x3fb0000} attrs=`);
    k.wait(300);
    fault(k, {at: '0x00000000fffff010'});
    expect(await toldOf(k.text())).toEqual(['dma-after-unmap error sure 0x3fb0']);
  });

  it('finds what only iommu:map told, and no device: possible', async () => {
    const k = new SmallKernel();
    k.line('map: IOMMU: iova=0x00000000fff00000 - 0x00000000fff02000 paddr=0x0000000002fb0000 size=8192');
    k.wait(2000);
    k.line('unmap: IOMMU: iova=0x00000000fff00000 - 0x00000000fff02000 size=8192 unmapped_size=8192');
    k.wait(300);
    fault(k, {at: '0x00000000fff01000'});
    const [f] = await only(k.text());
    expect([f?.verdict, f?.pages[0]?.pfn]).toEqual(['possible', '0x2fb1']);
    expect(f?.reason).toContain('names no device');
  });

  it('is silent while the address is mapped: again, or still', async () => {
    expect(await only(story({meanwhile: (k) => map(k, 'TO_DEVICE', 'fffff000', 0x999)}).text())).toEqual([]);
    const k = new SmallKernel();
    map(k, 'TO_DEVICE');
    fault(k);
    unmap(k, 'TO_DEVICE');
    expect(await only(k.text())).toEqual([]);
  });

  it('is a note, of no page, where no mapping of that device had the address', async () => {
    for (const other of [{at: '0x00000000ffffe040'}, {device: '0000:06:00.0'}]) {
      const [f, ...others] = await only(story(other).text());
      expect(others).toEqual([]);
      expect([f!.severity, f!.verdict, f!.pages, f!.evidence.map((e) => e.role)]).toEqual([
        'note',
        'sure',
        [],
        ['fault'],
      ]);
      expect(f!.message).toContain('which no mapping in the trace had');
    }
  });

  it('is silent where a request ended the mapping and no unmap, and not sure of a list printed in part', async () => {
    const k = new SmallKernel();
    k.by({task: 'fio-9'}, () => {
      map(k);
      k.line('block_rq_issue: 259,0 R 4096 () 8192 + 8 be,0,4 [fio]');
    });
    k.wait(500);
    k.by({irq: true}, () => k.line('block_rq_complete: 259,0 R () 8192 + 8 be,0,4 [0]'));
    k.wait(500);
    fault(k);
    expect(await only(k.text())).toEqual([]);
    const list = 'nents=128/200 ents=1/1 [TRUNCATED] dma_addrs={0xffff0000} sizes={0x1000} phys_addrs={0x2fb0000}';
    const cut = new SmallKernel();
    cut.line(`dma_map_sg: ${NIC} dir=FROM_DEVICE ${list} attrs=`);
    cut.line(`dma_unmap_sg: ${NIC} dir=FROM_DEVICE phys_addrs={0x2fb0000} attrs=`);
    fault(cut);
    const [f] = await only(cut.text());
    expect([f?.severity, f?.verdict]).toEqual(['note', 'possible']);
  });

  it('is only possible where events were lost between unmap and fault, not before', async () => {
    const [f] = await only(story({meanwhile: (k) => (k.lose(0, 12), k.line('sched_wakeup: comm=x pid=1'))}).text());
    expect([f!.severity, f!.verdict]).toEqual(['error', 'possible']);
    const k = new SmallKernel();
    k.lose(0, 12);
    map(k);
    k.wait(2000);
    unmap(k);
    k.wait(300);
    fault(k);
    expect((await only(k.text()))[0]!.verdict).toBe('sure');
  });

  it('is only possible where the mapping forbade the access: it may have been made while it was there', async () => {
    const [f] = await only(story({dir: 'TO_DEVICE'}).text());
    expect([f!.verdict, f!.reason]).toEqual(['possible', expect.stringContaining('reported late')]);
    expect((await only(story({dir: 'TO_DEVICE', flags: 0}).text()))[0]!.verdict).toBe('sure');
  });

  it('is only possible of a moment-long mapping of an address that another had before', async () => {
    const [f] = await only(
      story({
        meanwhile: (k) => {
          map(k, 'FROM_DEVICE', 'fffff000', 0x999);
          unmap(k);
        },
      }).text(),
    );
    expect([f!.verdict, f!.pages[0]!.pfn]).toEqual(['possible', '0x999']);
  });

  it('did not run where no fault was recorded, and finds nothing', async () => {
    const report = await analyzeText(story({fault: false}).text());
    expect(report.rules.find(({id}) => id === 'dma-after-unmap')?.status).toBe('not-run');
    expect(report.findings).toEqual([]);
  });

  it('ran where the recorder recorded faults, and there was none', async () => {
    const k = story({fault: false});
    k.line('map: IOMMU: iova=0x00000000fff00000 - 0x00000000fff01000 paddr=0x0000000003fb0000 size=4096');
    const report = await analyzeText(k.text().replace('\n', '\n# pinscope-record: iommu=DMA-FQ\n'));
    expect(report.rules.find(({id}) => id === 'dma-after-unmap')?.status).toBe('ran');
    expect(report.findings).toEqual([]);
  });

  it('takes no time for faults that come by the million, and no page for one out of nowhere', async () => {
    const k = story();
    for (let i = 0; i < 20_000; i++) {
      if (i < 15_000) {
        map(k, 'FROM_DEVICE', (0x10000000 + i * 4096).toString(16));
        unmap(k, 'FROM_DEVICE', (0x10000000 + i * 4096).toString(16));
      } else fault(k, {at: '0x0000000000000000'});
    }
    const began = process.cpuUsage();
    const notes = (await only(k.text())).filter((f) => f.severity === 'note');
    expect(notes.every((f) => f.pages.length === 0)).toBe(true);
    expect(process.cpuUsage(began).user).toBeLessThan(15e6);
  });
});

describe('fault lines of a kernel log', () => {
  const dump = (k: SmallKernel): string[] =>
    k
      .text()
      .split('\n')
      .filter((l) => l !== '' && !l.startsWith('#'))
      .map((l) => `[   40.000001] ${l}`);
  const LINES = {
    'DMAR: [DMA Write NO_PASID] Request device [05:00.0] fault addr 0xfffff000 [fault reason 0x05] PTE Write access is not set':
      'wrote to',
    'DMAR: [DMA Write] Request device [05:00.0] PASID ffffffff fault addr fffff000 [fault reason 05] PTE Write access is not set':
      'wrote to',
    'nicdrv 0000:05:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000a address=0xfffff000 flags=0x0020]':
      'wrote to',
    'AMD-Vi: Event logged [IO_PAGE_FAULT device=05:00.0 domain=0x000a address=0xfffff000 flags=0x0000]': 'read',
    'arm-smmu 15000000.iommu: Unhandled context fault: fsr=0x402, iova=0xfffff000, fsynr=0x10, cbfrsynra=0x880, cb=3':
      'wrote to',
    'arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:05:00.0 sid: 0x100 ssid: 0x0 iova: 0xfffff000 ipa: 0x0':
      'touched',
  };

  it.each(Object.entries(LINES))('%s', async (line, access) => {
    for (const before of [true, false]) {
      const log = ['[   39.000000] Dumping ftrace buffer:', ...dump(story({fault: false}))];
      if (before) log.unshift(`[   38.500000] ${line}`);
      else log.push(`[   41.000000] ${line}`);
      const [f, ...others] = await only(`${log.join('\n')}\n`);
      expect(others).toEqual([]);
      expect([f!.severity, f!.verdict, f!.pages.map((p) => p.pfn)]).toEqual(['error', 'possible', ['0x2fb0']]);
      expect(f!.message).toContain(`${access} DMA address 0xfffff000`);
      expect(f!.evidence.at(before ? 0 : -1)!.text).toContain(line);
      expect(f!.proof.some(({why}) => why?.includes("kernel's log"))).toBe(true);
    }
  });

  it('other lines with such words are other text', async () => {
    const log = [
      '[   39.000000] Dumping ftrace buffer:',
      ...dump(story({fault: false})),
      '[   41.000000] DMAR: [DMA Write NO_PASID] Request device [05:00.0] fault addr',
      '[   41.000000] general protection fault, probably for non-canonical address 0xdead: 0000 [#1]',
    ];
    expect(await only(`${log.join('\n')}\n`)).toEqual([]);
  });
});
