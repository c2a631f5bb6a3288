/**
 * Which mappings go through a bounce buffer (swiotlb): the device touches the buffer, the CPU copies at map, unmap and sync.
 *
 *     dma_map_page: 0000:00:04.0 dir=FROM_DEVICE dma_addr=7f000000 size=4096 phys_addr=12da00000 attrs=
 *
 * Told by the addresses: an IOMMU translates all mappings of a device or none, so a device that is given pages' own
 * addresses at other times is given a bounce buffer's where they differ (kernel/dma/direct.h: dma_direct_map_phys()).
 */
export class Bounces {
  /** by device: mappings at the pages' own addresses so far */
  private readonly direct: number[] = [];

  /** A mapping was made, at its pages' own addresses or not; answers whether it is bounced. */
  mapped(device: number, direct: boolean): boolean {
    if (device < 0) return false;
    if (!direct) return (this.direct[device] ?? 0) >= DIRECT_FEW;
    this.direct[device] = (this.direct[device] ?? 0) + 1;
    return false;
  }
}

/** So many mappings at the pages' own addresses say that the device has no IOMMU. */
const DIRECT_FEW = 3;
