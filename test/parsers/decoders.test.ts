/** Payloads of kernels and probes that the captures do not have, by what kernels print (include/trace/events). */

import {describe, expect, it} from 'vitest';
import {ftrace} from '../../parsers/ftrace/index.js';
import {DmaDir, PageFlag, PageName} from '../../src/events/event.js';
import {read, type Seen} from './collect.js';

function decode(payload: string): Seen | undefined {
  return read(ftrace, `            fio-1234    [003] d..2.  1234.569000: ${payload}\n`).seen[0];
}

describe('tracepoints', () => {
  it.each([
    [
      'mm_page_alloc of 5.10, decimal pfn',
      'mm_page_alloc: page=00000000deadbeef pfn=1235456 order=3 migratetype=1 gfp_flags=GFP_KERNEL',
      {kind: 'PageAlloc', pfn: 1235456, order: 3},
    ],
    [
      'mm_page_alloc with raw pointers',
      'mm_page_alloc: page=ffffea0000180b00 pfn=0x602c order=0 migratetype=1 gfp_flags=GFP_KERNEL',
      {pfn: 0x602c, ptrHi: 0xffffea00, ptrLo: 0x180b00},
    ],
    [
      'page_ref before 5.2',
      'page_ref_mod_and_test: pfn=0x206a70 flags=referenced|uptodate|lru count=5 mapcount=0 mapping=          (null) mt=1 val=-1 ret=0',
      {kind: 'RefModAndTest', val: -1, ret: 0},
    ],
    [
      'page_ref before hashing',
      'page_ref_set: pfn=0x1 flags=none count=1 mapcount=0 mapping=(____ptrval____) mt=1 val=1',
      {kind: 'RefSet'},
    ],
    [
      'unknown flags',
      'page_ref_set: pfn=0x1 flags=locked|shiny|0x8000000 count=1 mapcount=0 mapping=0000000000000000 mt=1 val=1',
      {pageFlags: PageFlag.locked},
    ],
    [
      'page_ref of the fields option',
      'page_ref_mod: pfn=0x74f0 (29936) flags=0x10000000002082c (72057594038061100) count=0x0 (0) mapcount=0xffffffff (-1) mapping=0x0 (0) mt=0x0 (0) val=0xfffffc00 (-1024)',
      {
        kind: 'RefMod',
        pfn: 0x74f0,
        mapcount: -1,
        val: -1024,
        pageFlags: PageFlag.referenced | PageFlag.uptodate | PageFlag.lru | PageFlag.swapbacked,
      },
    ],
    [
      'filemap to 5.15',
      'mm_filemap_add_to_page_cache: dev 8:1 ino 2a5f page=00000000deadbeef pfn=1235456 ofs=16384',
      {kind: 'CacheAdd', devId: 8 * 2 ** 20 + 1, ino: 0x2a5f, pfn: 1235456, ofs: 16384, order: -1},
    ],
    [
      'dma_map_phys of 6.18',
      'dma_map_phys: 0000:00:04.0 dir=FROM_DEVICE dma_addr=12da00000 size=4096 phys_addr=12da00000 attrs=',
      {
        kind: 'DmaMap',
        device: '0000:00:04.0',
        dir: DmaDir.fromDevice,
        dmaAddr: 0x12da00000,
        phys: 0x12da00000,
        failed: 0,
      },
    ],
    [
      'a failed map',
      'dma_map_page: nvme dir=TO_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=2fb0000 attrs=',
      {kind: 'DmaMap', failed: 1, phys: 0x2fb0000},
    ],
    [
      'a failed map of 32 bits',
      'dma_map_page: nvme dir=TO_DEVICE dma_addr=ffffffff size=4096 phys_addr=2fb0000 attrs=',
      {failed: 1},
    ],
    [
      'dma_map_sg of early 6.12, merged by an IOMMU',
      'dma_map_sg: 0000:00:04.0 dir=TO_DEVICE dma_addrs={0xfffff000} sizes={0x2000} phys_addrs={0x12da00000,0x12da03000} attrs=',
      {
        kind: 'DmaMapSg',
        dmaList: [[0xfffff000, 0x2000]],
        list: [
          [0x12da00000, -1],
          [0x12da03000, -1],
        ],
        truncated: 0,
      },
    ],
    [
      'dma_map_sg cut at 128',
      'dma_map_sg: 0000:00:04.0 dir=TO_DEVICE nents=128/200 ents=128/200 [TRUNCATED] dma_addrs={0x1000} sizes={0x1000} phys_addrs={0x1000} attrs=',
      {truncated: 1, nr: 200},
    ],
    [
      'dma_map_sg_err, whose dma_addrs are physical',
      'dma_map_sg_err: 0000:00:04.0 dir=TO_DEVICE dma_addrs={0x1000,0x2000} err=-12 attrs=',
      {
        kind: 'DmaMapSgError',
        list: [
          [0x1000, -1],
          [0x2000, -1],
        ],
      },
    ],
    [
      'iommu to 5.15',
      'map: IOMMU: iova=0x00000000fffff000 paddr=0x000000012da00000 size=4096',
      {kind: 'IommuMap', dmaAddr: 0xfffff000, phys: 0x12da00000, size: 4096},
    ],
    [
      'iommu from 5.17',
      'unmap: IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 size=4096 unmapped_size=4096',
      {kind: 'IommuUnmap', dmaAddr: 0xfffff000, size: 4096},
    ],
    [
      'fault of an IOMMU',
      'io_page_fault: IOMMU:[nicdrv] 0000:05:00.0 iova=0x0000000091482640 flags=0x0001',
      {kind: 'IommuFault', device: '0000:05:00.0', dmaAddr: 0x91482640, access: 1, untimed: 0},
    ],
    [
      'the same with no driver',
      'io_page_fault: IOMMU:0000:05:00.0 iova=0x0000000091482640 flags=0x0000',
      {kind: 'IommuFault', device: '0000:05:00.0', dmaAddr: 0x91482640, access: 0},
    ],
    [
      'the same as fields',
      'io_page_fault: device=0000:05:00.0 driver=nicdrv iova=0x91482640 flags=0x0',
      {kind: 'IommuFault', device: '0000:05:00.0', dmaAddr: 0x91482640, access: 0},
    ],
    [
      'writeback of a named bdi',
      'writeback_dirty_page: bdi btrfs-1: ino=10847 index=4',
      {kind: 'WritebackDirtyFolio', text: 'btrfs-1', ino: 10847, index: 4, devId: -1},
    ],
    [
      'wait_on_page_writeback',
      'wait_on_page_writeback: bdi 8:0: ino=10847 index=4',
      {kind: 'WaitOnWriteback', devId: 8 * 2 ** 20},
    ],
    [
      'block with a command and a hostile comm',
      'block_rq_issue: 8,0 WS 4096 (2a 00) 2048 + 8 none,0,0 [a] 9 + 9 []',
      {kind: 'BlockIssue', sector: 2048, nr: 8, write: 1},
    ],
    [
      'mm_vmscan_writepage',
      'mm_vmscan_writepage: page=00000000deadbeef pfn=1235456 flags=RECLAIM_WB_FILE',
      {kind: 'VmscanWrite', pfn: 1235456},
    ],
    [
      'io_uring_register',
      'io_uring_register: ring 00000000341eb258, opcode 0, nr_user_files 0, nr_user_bufs 2, eventfd 0, ret -12',
      {kind: 'IoUringRegister', val: 0, nr: 2, ret: -12},
    ],
  ])('%s', (_name, payload, expected) => {
    expect(decode(payload)).toMatchObject(expected);
  });

  it.each([
    ['a failed allocation', 'mm_page_alloc: page=0000000000000000 pfn=0x0 order=9 migratetype=1 gfp_flags=GFP_KERNEL'],
    [
      'device memory',
      'dma_map_resource: 0000:00:04.0 dir=TO_DEVICE dma_addr=fe000000 size=4096 phys_addr=fe000000 attrs=',
    ],
    ['a tprobe beside its tracepoint', 'page_ref_mod: (__probestub_page_ref_mod+0x4/0x10) page=0xffffea000009cd80 v=0'],
    [
      'a tprobe of dma_map_page',
      'dma_map_page: (__probestub_dma_map_page+0x4/0x10) dev=0xffff888004dca810 phys_addr=41668608 dma_addr=41668608 size=4096 dir=0',
    ],
    [
      'a probe on another function under a known name',
      'unpin_user_page: (some_driver+0x40/0x90) page=0xffffea000009cd80',
    ],
  ])('hands over nothing for %s', (_name, payload) => {
    expect(decode(payload)).toBeUndefined();
  });
});

describe('probes', () => {
  const page = {pageName: PageName.pointer, ptrHi: 0xffffea00, ptrLo: 0x180b00};
  it.each([
    [
      'by symbol, whatever the event is called',
      'p_x_0: (unpin_user_page+0x4/0x60) page=0xffffea0000180b00',
      {kind: 'UnpinCall', nr: 1, mayBeTail: 1, ...page},
    ],
    [
      'by name, without a symbol',
      'p_unpin_user_page_0: (ffffffff812a69e4) page=0xffffea0000180b00',
      {kind: 'UnpinCall', ...page},
    ],
    [
      'perf probe return',
      'pin_user_pages_fast__return: (ffffffff812ab684 <- ffffffffa00010fa) arg1=0x2',
      {kind: 'PinReturn', ret: 2, ok: 1},
    ],
    [
      'arguments by position',
      'x: (try_grab_folio_fast+0x0/0x150) arg1=0xffffea0000180b00 arg2=0x3 arg3=0x80001',
      {kind: 'Grab', refs: 3, gupFlags: 0x80001, ...page},
    ],
    [
      'compiler suffix',
      'x: (try_grab_folio.constprop.0+0x0/0x150) folio=0xffffea0000180b00 refs=2 flags=0x80000',
      {kind: 'Grab', refs: 2, mayBeTail: 0},
    ],
    [
      'a return that failed',
      'x: (follow_page_pte+0x12b/0x520 <- try_grab_folio) ret=-12',
      {kind: 'GrabReturn', ok: 0, ret: -12},
    ],
    ['a return of u32', 'x: (a+0x1/0x2 <- try_grab_folio) ret=4294967284', {ok: 0, ret: -12}],
    [
      'NULL of try_grab_folio_fast',
      'x: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=0x0',
      {kind: 'GrabReturn', ok: 0},
    ],
    ['0x0 of try_grab_folio, by version', 'x: (a+0x1/0x2 <- try_grab_folio) ret=0x0', {kind: 'GrabReturn', ok: -1}],
    ['true of try_grab_page', 'x: (a+0x1/0x2 <- try_grab_page) ret=1', {ok: 1}],
    ['0 of try_grab_page', 'x: (a+0x1/0x2 <- try_grab_page) ret=0', {ok: -1}],
    [
      'decimal pointers of an fprobe',
      'x: (gup_put_folio+0x0/0x90) folio=18446719884455050240 refs=1 flags=524288',
      {kind: 'GupPut', ptrHi: 0xffffea00, gupFlags: 524288},
    ],
    [
      'a hashed pointer',
      'unpin_user_page: (unpin_user_page+0x4/0x60) page=00000000deadbeef',
      {kind: 'UnpinCall', pageName: PageName.none},
    ],
    [
      'garbage after the list',
      'x: (unpin_user_pages_dirty_lock+0x4/0xd0) npages=1 make_dirty=1 pages={0xffffea00016f3800,0x9e66f25e55a82e00,0xffff88800d265d00,0x0}',
      {kind: 'UnpinCall', nr: 1, makeDirty: 1, list: [[0xffffea00, 0x16f3800]]},
    ],
    [
      'an array by its address',
      'x: (unpin_user_pages+0x4/0xc0) pages=0xffff888005b9b000 npages=5',
      {kind: 'UnpinCall', nr: 5, list: [], pageName: PageName.none},
    ],
    [
      'a scatterlist with marks in its links',
      'x: (dma_map_sg_attrs+0x0/0x20) dev="pinbug.0" nents=1 dir=0 page0=0xfffffcfb801a6082 off0=0 len0=12288 page1=0xffff0000dead0000 off1=0 len1=7',
      {kind: 'DmaMapSgEntry', device: 'pinbug.0', nr: 1, list: [[0xfffffcfb, 0x801a6080, 0, 12288]]},
    ],
    [
      'a scatterlist of which two entries are printed',
      'x: (dma_map_sgtable+0x0/0x30) dev="0000:00:03.0" orig_nents=7 dir=1 page0=0xfffffcfb801a6d40 len0=4096 page1=0xfffffcfb801a74c0 len1=4096',
      {
        kind: 'DmaMapSgEntry',
        nr: 7,
        truncated: 1,
        list: [
          [0xfffffcfb, 0x801a6d40, 0, 4096],
          [0xfffffcfb, 0x801a74c0, 0, 4096],
        ],
      },
    ],
    [
      'dma_map_page_attrs and its return',
      'x: (nvme_prep_rq.part.0+0x70e/0x910 [nvme] <- dma_map_page_attrs) dma_addr=0xffffffffffffffff',
      {kind: 'DmaMapReturn', failed: 1, ok: 0},
    ],
    [
      'vmemmap_base',
      'x: (folio_end_writeback+0x0/0x80) folio=0xffffea0000180b00 vmemmap=0xffffea0000000000',
      {kind: 'WritebackEnd', vmemmapHi: 0xffffea00, vmemmapLo: 0},
    ],
  ])('%s', (_name, payload, expected) => {
    expect(decode(payload)).toMatchObject(expected);
  });
});
