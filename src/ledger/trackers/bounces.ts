/**
 * Which mappings go through a bounce buffer (swiotlb): the device touches the buffer, the CPU copies at map, unmap and sync.
 *
 *     swiotlb_bounced: dev_name: 0000:00:04.0 dma_mask=ffffffff dev_addr=12da00000 size=4096 NORMAL      told: the page's own
 *     dma_map_page: 0000:00:04.0 dir=FROM_DEVICE dma_addr=7f000000 size=4096 phys_addr=12da00000 attrs=  address, then its mapping
 *
 * (kernel/dma/swiotlb.c: swiotlb_map(); drivers/iommu/dma-iommu.c, for devices that are not trusted.) Where that event is not
 * recorded the addresses tell: an IOMMU translates all mappings of a device or none, so a device that is given pages' own
 * addresses at other times is given a bounce buffer's where they differ (kernel/dma/direct.h: dma_direct_map_phys()).
 */
import type {Run} from '../tables/dma.js';

/** Most tasks that are told of bounces of mappings still to come, and bounces of one: a list has one for each entry. */
const TASKS_MAX = 1000;
const TOLD_MAX = 1024;

interface Told {
  device: number;
  readonly addresses: Set<number>;
}

export class Bounces {
  /** by device: mappings at the pages' own addresses so far */
  private readonly direct: number[] = [];
  /** by task (slotOf): told, and not mapped yet */
  private readonly awaited = new Map<number, Told>();

  /** swiotlb_bounced: what is mapped next in this task, by that device, at that address of its own, is bounced. */
  told(task: number, device: number, address: number): void {
    if (device < 0) return;
    let told = this.awaited.get(task);
    if (told === undefined || told.device !== device) {
      if (this.awaited.size >= TASKS_MAX) this.awaited.clear();
      this.awaited.set(task, (told = {device, addresses: new Set()}));
    }
    if (told.addresses.size >= TOLD_MAX) told.addresses.clear();
    told.addresses.add(address);
  }

  /**
   * A mapping of these pages was made in the calls of `task`, at their own addresses or not. Answers whether it is bounced:
   * of a list, whether any of its entries is.
   */
  mapped(task: number, device: number, direct: boolean, runs: readonly Run[], pageSize: number): boolean {
    if (device < 0) return false;
    const told = this.awaited.size === 0 ? undefined : this.awaited.get(task);
    if (told !== undefined) {
      this.awaited.delete(task);
      if (told.device === device && !direct && runs.some((run) => within(told.addresses, run, pageSize))) return true;
    }
    if (!direct) return (this.direct[device] ?? 0) >= DIRECT_FEW;
    this.direct[device] = (this.direct[device] ?? 0) + 1;
    return false;
  }
}

function within(addresses: ReadonlySet<number>, {pfn, pages}: Run, pageSize: number): boolean {
  for (const address of addresses) if (address >= pfn * pageSize && address < (pfn + pages) * pageSize) return true;
  return false;
}

/** So many mappings at the pages' own addresses say that the device has no IOMMU. */
const DIRECT_FEW = 3;
