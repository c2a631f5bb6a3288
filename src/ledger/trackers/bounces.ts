/**
 * Which mappings go through a bounce buffer (swiotlb): the device touches the buffer, the CPU copies at map, unmap and sync.
 *
 *     swiotlb_bounced: dev_name: 0000:00:04.0 dma_mask=ffffffff dev_addr=12da00000 size=4096 NORMAL      told: the page's own
 *     dma_map_page: 0000:00:04.0 dir=FROM_DEVICE dma_addr=7f000000 size=4096 phys_addr=12da00000 attrs=  address, then its mapping
 *
 * (kernel/dma/swiotlb.c: swiotlb_map(); drivers/iommu/dma-iommu.c, for devices that are not trusted.) Where that event is not
 * recorded the addresses tell: an IOMMU translates all mappings of a device or none, so a device that is given pages' own
 * addresses at other times is given a bounce buffer's where they differ (kernel/dma/direct.h: dma_direct_map_phys()); a device
 * whose addresses all differ by one distance has a window on memory. Of the rest it is not known, unless an iommu:map event or
 * the recorder's header says which it is.
 */
import type {Run} from '../tables/dma.js';

/** Most tasks that are told of bounces of mappings still to come, and bounces of one: a list has one for each entry. */
const TASKS_MAX = 1000;
const TOLD_MAX = 1024;

interface Told {
  device: number;
  readonly addresses: Set<number>;
}

/** What the device touches: the page, a buffer, or one of the two. */
export type Through = 'page' | 'buffer' | 'unknown';

export interface Addresses {
  /** the pages' own */
  readonly direct: boolean;
  readonly apart: number;
  readonly translated: boolean;
  readonly told: boolean;
  readonly iommu: string | undefined;
}

export class Bounces {
  /** by device: mappings at the pages' own addresses so far */
  private readonly direct: number[] = [];
  /** by device: how far its other addresses are from the pages' own (NaN: it varies), and which pages that is known of */
  private readonly windows: {apart: number; low: number; high: number}[] = [];
  /** by task (slotOf): told, and not mapped yet */
  private readonly awaited = new Map<number, Told>();
  /** there were too many of them: that a mapping was not told of says no more that it was not bounced */
  private forgot = false;

  /** swiotlb_bounced: what is mapped next in this task, by that device, at that address of its own, is bounced. */
  told(task: number, device: number, address: number): void {
    if (device < 0) return;
    let told = this.awaited.get(task);
    if (told === undefined || told.device !== device) {
      if (this.awaited.size >= TASKS_MAX) {
        this.awaited.clear();
        this.forgot = true;
      }
      this.awaited.set(task, (told = {device, addresses: new Set()}));
    }
    if (told.addresses.size >= TOLD_MAX) told.addresses.clear();
    told.addresses.add(address);
  }

  /** Whether a mapping of these pages that the task made was told to be bounced; it is no longer awaited. */
  toldOf(task: number, device: number, runs: readonly Run[], pageSize: number): boolean {
    const told = this.awaited.size === 0 ? undefined : this.awaited.get(task);
    if (told === undefined) return false;
    this.awaited.delete(task);
    return told.device === device && runs.some((run) => within(told.addresses, run, pageSize));
  }

  /**
   * A mapping of these pages was made in the calls of `task`: of a list, what is true of any of its entries. `apart`: its
   * address less the first page's own, NaN where the trace does not tell; `translated`: an iommu:map event told of it;
   * `told`: swiotlb_bounced is recorded; `iommu`: what the recorder's header says of the machine's IOMMUs.
   */
  mapped(task: number, device: number, at: Addresses, runs: readonly Run[], pageSize: number): Through {
    if (device < 0) return 'page';
    if (this.toldOf(task, device, runs, pageSize) && !at.direct) return 'buffer';
    if (at.direct) {
      this.direct[device] = (this.direct[device] ?? 0) + 1;
      return 'page';
    }
    if ((this.direct[device] ?? 0) >= DIRECT_FEW) return 'buffer';
    const apart = this.apart(device, at.apart, (runs[0]?.pfn ?? 0) * pageSize);
    if (apart === 'one' || at.translated || (at.told && !this.forgot) || at.iommu?.includes('DMA') === true)
      return 'page';
    return apart === 'many' && /^(?:none|identity)? *$/.test(at.iommu ?? '-') ? 'buffer' : 'unknown';
  }

  /**
   * By how many distances a device's addresses are moved from the pages' own: `one`, as with a window on memory (dma-ranges of
   * a device tree, ppc64), or `many`; `few` while that is not known.
   */
  private apart(device: number, apart: number, address: number): 'one' | 'many' | 'few' {
    const seen = (this.windows[device] ??= {apart, low: address, high: address});
    if (seen.apart !== apart) seen.apart = NaN;
    seen.low = Math.min(seen.low, address);
    seen.high = Math.max(seen.high, address);
    if (Number.isNaN(seen.apart)) return 'many';
    return seen.high - seen.low >= WINDOW_FAR ? 'one' : 'few';
  }
}

function within(addresses: ReadonlySet<number>, {pfn, pages}: Run, pageSize: number): boolean {
  for (const address of addresses) if (address >= pfn * pageSize && address < (pfn + pages) * pageSize) return true;
  return false;
}

/** So many mappings at the pages' own addresses say that the device has no IOMMU. */
const DIRECT_FEW = 3;
/** Pages so far from each other have no two buffers as far apart by chance: the pool of buffers has 64 MiB (swiotlb=). */
const WINDOW_FAR = 2 ** 27;
