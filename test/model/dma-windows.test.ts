import {describe, expect, it} from 'vitest';
import {toldOf} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const P = 0x2fb0;
const Q = 0x2fb1;

/** A page, pinned. */
function pinned(...pfns: number[]): SmallKernel {
  const k = new SmallKernel();
  for (const pfn of pfns) {
    k.anon(pfn);
    k.pin(pfn);
  }
  return k;
}

describe('an unmap closes the mapping', () => {
  it('of its own device, where two devices behind an IOMMU have the same address', async () => {
    const k = pinned(P, Q);
    k.line('dma_map_page: a.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 phys_addr=2fb0000 attrs=');
    k.line('dma_map_page: b.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 phys_addr=2fb1000 attrs=');
    k.line('dma_unmap_page: b.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 attrs=');
    k.unpin(Q);
    k.line('dma_unmap_page: a.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 attrs=');
    k.unpin(P);
    k.munmap(P);
    k.munmap(Q);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('of its direction, where a page has several at one address', async () => {
    const k = pinned(P);
    k.map(P, 'FROM_DEVICE');
    k.map(P, 'TO_DEVICE');
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    k.unmap(P, 'TO_DEVICE');
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb0']);
  });

  it('once for each time a page was mapped', async () => {
    const k = pinned(P);
    k.map(P);
    k.map(P);
    k.unmap(P);
    k.unpin(P);
    k.unmap(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb0']);
  });

  it('of an address that was used before, for another page', async () => {
    const k = pinned(P, Q);
    for (const page of [P, Q]) {
      const phys = (page * 4096).toString(16);
      k.line(`dma_map_page: a.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 phys_addr=${phys} attrs=`);
      k.line('dma_unmap_page: a.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 attrs=');
      k.unpin(page);
      k.munmap(page);
    }
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('of a whole list, which the unmap names by its first page', async () => {
    const k = pinned(P, Q);
    k.line(
      'dma_map_sg: a.0 dir=FROM_DEVICE nents=1/1 ents=1/1 dma_addrs={0x2fb0000} sizes={0x2000} phys_addrs={0x2fb0000} attrs=',
    );
    k.unpin(Q);
    k.line('dma_unmap_sg: a.0 dir=FROM_DEVICE phys_addrs={0x2fb0000} attrs=');
    k.unpin(P);
    k.munmap(P);
    k.munmap(Q);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb1']);
  });

  it('of every page that a range touches, from within a page to within another', async () => {
    const k = pinned(P, Q);
    k.line('dma_map_page: a.0 dir=TO_DEVICE dma_addr=2fb0e00 size=1024 phys_addr=2fb0e00 attrs=');
    k.unpin(Q);
    k.line('dma_unmap_page: a.0 dir=TO_DEVICE dma_addr=2fb0e00 size=1024 attrs=');
    k.unpin(P);
    k.munmap(P);
    k.munmap(Q);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb1']);
  });

  it('that a probe on dma_map_sg_attrs named by its pages and offsets (6.1)', async () => {
    const k = new SmallKernel({version: '6.1'});
    for (const pfn of [P, Q]) {
      k.anon(pfn);
      k.pin(pfn);
    }
    const list = `dev="a.0" nents=1 dir=2 page0=${k.pointer(P)} off0=3584 len0=1024`;
    k.line(`dma_map_sg_attrs: (dma_map_sg_attrs+0x0/0x20) ${list}`);
    k.unpin(Q);
    k.line(`dma_unmap_sg_attrs: (dma_unmap_sg_attrs+0x0/0x50) ${list}`);
    k.unpin(P);
    k.munmap(P);
    k.munmap(Q);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb1']);
  });

  it('never, when it was mapped before the trace', async () => {
    const k = pinned(P);
    k.unmap(P);
    k.unpin(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('a device that never unmaps', () => {
  it('does not make a page costlier with every I/O, nor say anything of it', async () => {
    const k = pinned(P);
    k.unpin(P);
    for (let i = 0; i < 2000; i++) {
      k.pin(P, {bare: true});
      k.map(P, 'FROM_DEVICE', '0000:00:07.0');
      k.putPinned(P);
    }
    // some other device does unmap: unmap events are recorded, and its driver maps what it has pinned
    k.anon(P + 1);
    for (const deed of ['pin', 'map', 'unmap', 'unpin'] as const) k[deed](P + 1);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb0']);
  });
});
