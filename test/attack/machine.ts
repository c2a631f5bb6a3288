/**
 * The small kernel with disks, a network card and what else correct work needs that is not a bug: scatterlists, bounce
 * buffers, interrupts on another CPU, requests that end through a bio (mm/gup.c, block/bio.c, kernel/dma/mapping.c).
 */
import {type Direction, SmallKernel, type Traced} from '../rules/small-kernel.js';

/** What is recorded, and of which release. */
export const STYLES = {
  /** page_ref events, probes and DMA events */
  counted: {version: '6.12'},
  /** no page_ref events, as distributions build it */
  probed: {version: '6.12', refs: false},
  /** DMA by probes too */
  old: {version: '6.1', refs: false},
} as const satisfies Record<string, Traced>;

export type Style = keyof typeof STYLES;

export const NVME = '0000:00:03.0';
export const NIC = 'nic.0';
export const RDMA = 'mlx.0';

export class Machine extends SmallKernel {
  constructor(readonly style: Style) {
    super(STYLES[style]);
    // Somebody's ordinary reads and writes: each device is seen to map, unmap and complete.
    this.by({task: 'other-400'}, () => {
      [NVME, NIC, RDMA, 'pinbug.0'].forEach((device, i) => {
        const pfn = 0x9001 + i;
        this.anon(pfn);
        this.pin(pfn);
        this.map(pfn, 'FROM_DEVICE', device);
        this.wait(100);
        this.interrupt(() => {
          this.unmap(pfn, 'FROM_DEVICE', device);
          this.unpin(pfn);
        });
        this.mapSg([pfn], 'TO_DEVICE', device);
        this.unmapSg([pfn], 'TO_DEVICE', device);
        this.munmap(pfn);
      });
      this.file(0x9100);
      this.markDirty(0x9100);
      this.writeOut(0x9100);
    });
    this.wait(1000);
    this.task = 'app-500';
  }

  /** Something of others goes on after it: the trace does not end with the scene. */
  later(): void {
    this.wait(500_000);
    this.by({task: 'other-400'}, () => {
      this.anon(0x9200);
      this.munmap(0x9200);
    });
  }

  /** In an interrupt on a CPU that was idle. */
  interrupt(deeds: () => void, cpu = 1): void {
    this.by({task: '<idle>-0', cpu, irq: true}, deeds);
  }

  /** The flusher of the disk, on the other CPU. */
  flusher(deeds: () => void): void {
    this.by({task: 'kworker/u4:1-30', cpu: 1}, deeds);
  }

  /** Everything a request does when it ends: unmap, then unpin by the bio. */
  complete(pfn: number, dir: Direction, device = NVME): void {
    this.interrupt(() => {
      this.unmap(pfn, dir, device);
      this.unpin(pfn);
    });
  }

  /** dma_map_sg(), a page an entry. The probe of 6.1 prints the first two. */
  mapSg(pfns: readonly number[], dir: Direction, device = NVME): void {
    this.line(
      this.version === '6.12' ? `dma_map_sg: ${this.list(pfns, dir, device)}` : this.entries('map', pfns, dir, device),
    );
  }

  unmapSg(pfns: readonly number[], dir: Direction, device = NVME): void {
    if (this.version !== '6.12') return this.line(this.entries('unmap', pfns, dir, device));
    this.line(`dma_unmap_sg: ${device} dir=${dir} phys_addrs={${addresses(pfns)}} attrs=`);
  }

  /** A mapping whose bus address is a bounce buffer's (swiotlb) */
  mapBounced(pfn: number, dir: Direction, device = NVME, meanwhile: () => void = () => {}): void {
    this.line(
      `swiotlb_bounced: dev_name: ${device} dma_mask=ffffffff dev_addr=${(pfn * 4096).toString(16)} size=4096 NORMAL`,
    );
    meanwhile();
    this.line(
      `dma_map_page: ${device} dir=${dir} dma_addr=7f000000 size=4096 phys_addr=${(pfn * 4096).toString(16)} attrs=`,
    );
  }

  unmapBounced(dir: Direction, device = NVME): void {
    this.line(`dma_unmap_page: ${device} dir=${dir} dma_addr=7f000000 size=4096 attrs=`);
  }

  /** pin_user_pages_fast() of a range that one PMD maps: the grab names the folio's head, the call its address. */
  pinByPmd(head: number, sub: number, n: number): void {
    const start = (0x7fe711600000 + (sub - head) * 4096).toString(16);
    this.line(
      `pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x${start} nr=${n} gup_flags=0x1 pages=0xffff888025ccde80`,
    );
    this.pin(head, {n, sub: head, bare: true});
    this.line(`pin_user_pages_fast_ret: (iov_iter_extract_pages+0x2e/0x70 <- pin_user_pages_fast) ret=${n}`);
  }

  /** The same where each page has its own PTE: a grab a page. */
  pinByPtes(head: number, sub: number, n: number): void {
    for (let i = 0; i < n; i++) this.pin(head, {sub: sub + i, bare: true});
  }

  /** __bio_release_pages(): the folio and a number, never which of its pages (6.12) */
  bioUnpin(head: number, n: number): void {
    this.line(`unpin_user_folio: (unpin_user_folio+0x4/0x20) folio=${this.pointer(head)} npages=${n}`);
    this.putPinned(head, n);
  }

  /** An attempt of reclaim or migration that finds more references than it expects. */
  tryToFreeze(pfn: number): void {
    this.ref('page_ref_mod', pfn, 1);
    this.freeze(pfn, 2);
    this.put(pfn);
  }

  /** A page that stands there without having been allocated: of a device, or the zero page. */
  reserved(pfn: number): void {
    this.pages.set(pfn, {
      count: 1,
      mapped: 0,
      order: 0,
      flags: new Set(['uptodate', 'reserved']),
      mapping: '0000000000000000',
      mt: 1,
    });
  }

  /** A page of shared memory, mapped by the task: the page cache and the mapping hold it, and no filemap event tells (mm/shmem.c). */
  shmem(pfn: number): void {
    this.alloc(pfn);
    const page = this.pages.get(pfn)!;
    page.mapping = '00000000fdefbca1';
    page.flags.add('locked').add('swapbacked');
    this.ref('page_ref_mod', pfn, 1);
    page.flags.delete('locked');
    page.flags.add('lru');
    page.mapped = 1;
  }

  /** A page that many processes have mapped, older than the trace. */
  shared(pfn: number, mapped: number): void {
    const flags = new Set(['uptodate', 'lru', 'swapbacked']);
    this.pages.set(pfn, {count: mapped + 1, mapped, order: 0, flags, mapping: '00000000fdefbca1', mt: 1});
  }

  /** One of them ends. */
  unmapOne(pfn: number): void {
    this.pages.get(pfn)!.mapped--;
    this.put(pfn);
  }

  /** A mapping at an address of the device's own, behind an IOMMU */
  mapAt(address: number, pfn: number, dir: Direction, device = NVME): void {
    const phys = (pfn * 4096).toString(16);
    this.line(`dma_map_page: ${device} dir=${dir} dma_addr=${address.toString(16)} size=4096 phys_addr=${phys} attrs=`);
  }

  unmapAt(address: number, dir: Direction, device = NVME): void {
    this.line(`dma_unmap_page: ${device} dir=${dir} dma_addr=${address.toString(16)} size=4096 attrs=`);
  }

  /** A store or a write(): the page is taken, marked as often as the file system does in it, and put. */
  dirtied(pfn: number, marks: number): void {
    this.ref('page_ref_mod_unless', pfn, 1);
    for (let i = 0; i < marks; i++) this.markDirty(pfn);
    this.put(pfn);
  }

  /** The count moves and its event is printed later, as when an interrupt comes between the two. */
  unprinted(pfn: number, change: number): void {
    this.pages.get(pfn)!.count += change;
  }

  private list(pfns: readonly number[], dir: Direction, device: string): string {
    const n = `${pfns.length}/${pfns.length}`;
    const sizes = pfns.map(() => '0x1000').join(',');
    return `${device} dir=${dir} nents=${n} ents=${n} dma_addrs={${addresses(pfns)}} sizes={${sizes}} phys_addrs={${addresses(pfns)}} attrs=`;
  }

  private entries(what: 'map' | 'unmap', pfns: readonly number[], dir: Direction, device: string): string {
    const shown = pfns.slice(0, 2).map((pfn, i) => `page${i}=${this.pointer(pfn)} off${i}=0 len${i}=4096`);
    const code = ['BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE'].indexOf(dir);
    return `dma_${what}_sg_attrs: (dma_${what}_sg_attrs+0x0/0x20) dev="${device}" nents=${pfns.length} dir=${code} ${shown.join(' ')}`;
  }
}

/** `n` page frames from one on */
export function range(first: number, n: number): number[] {
  return Array.from({length: n}, (_, i) => first + i);
}

function addresses(pfns: readonly number[]): string {
  return pfns.map((pfn) => `0x${(pfn * 4096).toString(16)}`).join(',');
}
