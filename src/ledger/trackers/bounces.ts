/**
 * Which mappings go through a bounce buffer (swiotlb): the device touches the buffer, the CPU copies at map, unmap and sync.
 *
 * Told by `swiotlb_bounced`, which fires inside the map call, before the map's own event:
 *
 *     swiotlb_bounced: dev_name: 0000:00:04.0 dma_mask=ffffffff dev_addr=12da00000 size=4096 NORMAL     (dev_addr: the page)
 *     dma_map_page: 0000:00:04.0 dir=FROM_DEVICE dma_addr=7f000000 size=4096 phys_addr=12da00000 attrs=
 *
 * or by the addresses: an IOMMU translates all mappings of a device or none, so a device that is given pages' own addresses
 * at other times is given a bounce buffer's where they differ.
 */
interface Told {
  phys: number;
}

/** Most calls of a task, and most tasks, that are remembered. */
const TASKS_MAX = 1000;

export class Bounces {
  private readonly told = new Map<number, Told>();
  /** by device: mappings at the pages' own addresses so far */
  private readonly direct: number[] = [];

  /** swiotlb_bounced, in the calls of `task`; `phys`: the original buffer */
  bounced(task: number, phys: number): void {
    if (this.told.size >= TASKS_MAX) this.told.clear();
    this.told.set(task, {phys});
  }

  /** A mapping was made; answers whether it is bounced. */
  mapped(task: number, device: number, phys: number, direct: boolean): boolean {
    if (direct) {
      if (device >= 0) this.direct[device] = (this.direct[device] ?? 0) + 1;
      return false;
    }
    const told = this.told.get(task);
    if (told !== undefined) {
      this.told.delete(task);
      if (told.phys === phys) return true;
    }
    return device >= 0 && (this.direct[device] ?? 0) >= DIRECT_FEW;
  }
}

/** So many mappings at the pages' own addresses say that the device has no IOMMU. */
const DIRECT_FEW = 3;
