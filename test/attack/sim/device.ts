/**
 * Devices that do DMA, as their drivers and the DMA API show it (kernel/dma/mapping.c, drivers/iommu, block/blk-mq-dma.c):
 * lists or single mappings, behind an IOMMU or not, with a bounce buffer, without an unmap, or without the API.
 */
import type {Kernel} from './kernel.js';
import type {Direction, Hold, Spot, Window} from './truth.js';
import type {Deed} from './world.js';

export interface Style {
  /** a list a request, a mapping a piece, only the IOMMU's events (VFIO; NVMe of 6.18 behind one), or no event at all */
  api: 'list' | 'pieces' | 'iommu' | 'none';
  iommu: boolean;
  /** dma_need_unmap() is false: only requests of one piece are unmapped */
  keeps: boolean;
  bounced: boolean;
}

/** Physically neighbouring bytes. */
interface Piece {
  phys: number;
  size: number;
  address: number;
}

export interface Mapping extends Window {
  pieces: Piece[];
  unmapped: boolean;
  /** its end shows by an unmap */
  shown: boolean;
}

const CODE: Record<Direction, number> = {BIDIRECTIONAL: 0, TO_DEVICE: 1, FROM_DEVICE: 2};

export class Device {
  private iova = 0xfff00000;
  private readonly freed: number[] = [];
  private bounce = 0x7f000000;

  constructor(
    private readonly k: Kernel,
    readonly name: string,
    readonly style: Style,
    readonly block: string,
  ) {}

  /** Bytes of pages, `offset` into the first, made into pieces; mapped, and shown. */
  *map(
    dir: Direction,
    spots: readonly Spot[],
    holds: readonly Hold[],
    part?: {offset: number; size: number},
  ): Deed<Mapping> {
    const {style, k} = this;
    const pieces: Piece[] = [];
    for (const {pfn} of spots) {
      const phys = pfn * k.page + (part?.offset ?? 0);
      const size = part?.size ?? k.page;
      const last = pieces.at(-1);
      if (last !== undefined && last.phys + last.size === phys) last.size += size;
      else pieces.push({phys, size, address: phys});
    }
    if (style.iommu) this.translate(pieces);
    else if (style.bounced) for (const piece of pieces) piece.address = this.bounce += 0x20000;
    const mapping: Mapping = {
      device: this.name,
      dir,
      pages: new Set(spots.map(({pfn}) => pfn)),
      folios: new Set(spots.map(({folio}) => folio)),
      holds,
      traced: style.api !== 'none',
      pieces,
      unmapped: false,
      shown: style.api !== 'none' && !(style.keeps && pieces.length > 1),
    };
    k.truth.mapped(mapping);
    if (style.api === 'none') return mapping;
    if (style.bounced)
      for (const {phys, size} of pieces) {
        k.w.write(
          'swiotlb_bounced',
          `dev_name: ${this.name} dma_mask=ffffffff dev_addr=${phys.toString(16)} size=${size} NORMAL`,
        );
        yield k.gap();
      }
    if (style.iommu) for (const piece of pieces) yield* this.iommuEvent('map', piece);
    if (style.api === 'list') yield* this.mapList(dir, pieces);
    else if (style.api === 'pieces') for (const piece of pieces) yield* this.mapPiece(dir, piece);
    return mapping;
  }

  *unmap(mapping: Mapping): Deed {
    const {style, k} = this;
    const {dir, pieces} = mapping;
    mapping.unmapped = true;
    if (mapping.shown) {
      if (style.iommu) {
        for (const piece of pieces) yield* this.iommuEvent('unmap', piece);
        this.freed.push(pieces[0]!.address);
      }
      if (style.api === 'list') yield* this.unmapList(dir, pieces);
      else if (style.api === 'pieces') for (const piece of pieces) yield* this.unmapPiece(dir, piece);
    }
    // until its own unmap a page is the device's (Documentation/core-api/dma-api-howto.rst)
    k.truth.unmapped(mapping);
  }

  /** The driver looks at what came, and leaves it mapped. */
  *sync({pieces, dir}: Mapping): Deed {
    if (this.k.old || this.style.api === 'none') return;
    const {address, size} = pieces[0]!;
    this.k.w.write('dma_sync_single_for_cpu', `${this.name} dir=${dir} dma_addr=${address.toString(16)} size=${size}`);
    yield this.k.gap();
  }

  /** An IOMMU makes one range of addresses of it all; addresses are used again. */
  private translate(pieces: Piece[]): void {
    const {page} = this.k;
    const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
    const again = size <= page && this.k.w.random.chance(0.7) ? this.freed.pop() : undefined;
    let address = again ?? (this.iova -= Math.max(page, Math.ceil(size / page) * page));
    address += pieces[0]!.phys % page;
    for (const piece of pieces) {
      piece.address = address;
      address += piece.size;
    }
  }

  private *iommuEvent(what: 'map' | 'unmap', {phys, size, address}: Piece): Deed {
    const hex = (n: number): string => `0x${n.toString(16).padStart(16, '0')}`;
    const {page} = this.k;
    const [from, at] = [address - (address % page), phys - (phys % page)];
    const all = Math.ceil((phys - at + size) / page) * page;
    const range = this.k.build.release === '5.10' ? `iova=${hex(from)}` : `iova=${hex(from)} - ${hex(from + all)}`;
    const rest = what === 'map' ? `paddr=${hex(at)} size=${all}` : `size=${all} unmapped_size=${all}`;
    this.k.w.write(what, `IOMMU: ${range} ${rest}`);
    yield this.k.gap();
  }

  private *mapList(dir: Direction, pieces: readonly Piece[]): Deed {
    const {k} = this;
    if (k.old) return yield* this.oldList('map', dir, pieces);
    const merged = this.style.iommu
      ? [{address: pieces[0]!.address, size: pieces.reduce((sum, {size}) => sum + size, 0)}]
      : pieces;
    const list = (of: readonly number[]): string => `{${of.map((n) => `0x${n.toString(16)}`).join(',')}}`;
    const n = `nents=${pieces.length}/${pieces.length} ents=${merged.length}/${merged.length}`;
    k.w.write(
      'dma_map_sg',
      `${this.name} dir=${dir} ${n} dma_addrs=${list(merged.map(({address}) => address))} ` +
        `sizes=${list(merged.map(({size}) => size))} phys_addrs=${list(pieces.map(({phys}) => phys))} attrs=`,
    );
    yield k.gap();
  }

  private *unmapList(dir: Direction, pieces: readonly Piece[]): Deed {
    const {k} = this;
    if (k.old) return yield* this.oldList('unmap', dir, pieces);
    const phys = pieces.map((piece) => `0x${piece.phys.toString(16)}`).join(',');
    k.w.write('dma_unmap_sg', `${this.name} dir=${dir} phys_addrs={${phys}} attrs=`);
    yield k.gap();
  }

  private *oldList(what: 'map' | 'unmap', dir: Direction, pieces: readonly Piece[]): Deed {
    const {k} = this;
    const shown = pieces.slice(0, 2).map(({phys, size}, i) => {
      const end = i === pieces.length - 1 ? 2n : 0n;
      const page = BigInt(k.pointer(Math.floor(phys / k.page))) + end;
      return `page${i}=0x${page.toString(16)} off${i}=${phys % k.page} len${i}=${size}`;
    });
    if (shown.length === 1) shown.push('page1=0xffff9731411a2180 off1=2645991136 len1=4294940465');
    yield* k.call(
      `dma_${what}_sg_attrs`,
      `dev="${this.name}" nents=${pieces.length} dir=${CODE[dir]} ${shown.join(' ')}`,
    );
  }

  private *mapPiece(dir: Direction, {phys, size, address}: Piece): Deed {
    const {k} = this;
    if (k.old) {
      const page = k.pointer(Math.floor(phys / k.page));
      yield* k.call(
        'dma_map_page_attrs',
        `dev="${this.name}" page=${page} offset=0x${(phys % k.page).toString(16)} size=${size} dir=${CODE[dir]}`,
      );
      return yield* k.returned('dma_map_page_attrs', 'nvme_map_data', `dma_addr=0x${address.toString(16)}`);
    }
    const name = k.build.release === '6.18' ? 'dma_map_phys' : 'dma_map_page';
    const where = `dma_addr=${address.toString(16)} size=${size} phys_addr=${phys.toString(16)}`;
    k.w.write(name, `${this.name} dir=${dir} ${where} attrs=`);
    yield k.gap();
  }

  private *unmapPiece(dir: Direction, {size, address}: Piece): Deed {
    const {k} = this;
    if (k.old)
      return yield* k.call(
        'dma_unmap_page_attrs',
        `dev="${this.name}" dma_addr=0x${address.toString(16)} size=${size} dir=${CODE[dir]}`,
      );
    const name = k.build.release === '6.18' ? 'dma_unmap_phys' : 'dma_unmap_page';
    k.w.write(name, `${this.name} dir=${dir} dma_addr=${address.toString(16)} size=${size} attrs=`);
    yield k.gap();
  }
}
