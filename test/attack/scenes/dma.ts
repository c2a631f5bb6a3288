/** Mappings that are not the pin's, that end in another way, or that only look alive. */
import {NIC, NVME, range, RDMA} from '../machine.js';
import {EVERY, NEW, P, Q, type Scene} from './scene.js';

export const DMA: readonly Scene[] = [
  {
    name: 'sendfile of a page that a read pins',
    why: 'the card maps it under the reference of the socket buffer (splice takes gets, fs/splice.c), the read ends first',
    on: EVERY,
    make(k) {
      k.file(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.by({task: 'httpd-600', cpu: 1}, () => {
        k.ref('page_ref_mod', P, 1);
        k.map(P, 'TO_DEVICE', NIC);
      });
      k.complete(P, 'FROM_DEVICE');
      k.wait(100);
      k.interrupt(() => k.unmap(P, 'TO_DEVICE', NIC));
      k.put(P);
    },
  },
  {
    name: 'sendfile by the task that pinned',
    why: 'the socket holds the page and has it mapped in the context of whoever sends; the pin was for something else',
    on: EVERY,
    make(k) {
      k.file(P);
      k.pin(P, {longterm: true});
      k.ref('page_ref_mod', P, 1);
      k.map(P, 'TO_DEVICE', NIC);
      k.wait(50);
      k.unpin(P);
      k.wait(100);
      k.interrupt(() => k.unmap(P, 'TO_DEVICE', NIC));
      k.put(P);
    },
  },
  {
    name: 'direct I/O of fs/direct-io.c, the bio is unpinned last',
    why: "dio_pin_page() adds a pin for each bio (folio_add_pin()), and the task drops its own while the bio's I/O runs",
    on: NEW,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.ref('page_ref_mod', P, 1024);
      k.map(P, 'FROM_DEVICE', NVME);
      k.unpin(P);
      k.wait(100);
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'direct I/O of fs/direct-io.c, the task unpins last',
    why: "dio_pin_page() adds a pin for each bio (folio_add_pin()), and the task drops its own when the bio's I/O is over",
    on: NEW,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.ref('page_ref_mod', P, 1024);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.wait(100);
      k.unpin(P);
      k.munmap(P);
    },
  },
  {
    name: 'direct I/O by get, on a page that a debugger pins',
    why: 'direct I/O before 6.5 takes gets (iov_iter_get_pages(), lib/iov_iter.c): the mapping is not of the pin',
    on: ['old'],
    make(k) {
      k.anon(P);
      k.get(P);
      k.by({task: 'gdb-700', cpu: 1}, () => k.pin(P, {write: false}));
      k.map(P, 'FROM_DEVICE', NVME);
      k.by({task: 'gdb-700', cpu: 1}, () => k.unpin(P));
      k.wait(100);
      k.interrupt(() => {
        k.unmap(P, 'FROM_DEVICE', NVME);
        k.put(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'a device that follows the page tables',
    why: 'pin_user_pages.rst, case 3: hardware with MMU notifiers needs no reference while it is mapped',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.get(P);
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.put(P);
      k.wait(500);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.munmap(P);
    },
  },
  {
    name: 'a memory region beside one for on-demand paging',
    why: 'ib_umem_odp_map_dma_and_lock() maps what it holds no reference of (drivers/infiniband/core/umem_odp.c); the other region unmaps, then unpins',
    on: NEW,
    make(k) {
      k.anon(Q);
      k.mapAt(0xfffe0000, Q, 'BIDIRECTIONAL', RDMA);
      k.anon(P);
      k.pin(P, {longterm: true});
      k.mapAt(0xfffd0000, P, 'BIDIRECTIONAL', RDMA);
      k.mapAt(0xfffc0000, P, 'BIDIRECTIONAL', RDMA);
      k.wait(1000);
      k.unmapAt(0xfffd0000, 'BIDIRECTIONAL', RDMA);
      k.unpin(P);
      k.wait(1000);
      k.unmapAt(0xfffc0000, 'BIDIRECTIONAL', RDMA);
      k.munmap(P);
      k.unmapAt(0xfffe0000, 'BIDIRECTIONAL', RDMA);
      k.munmap(Q);
    },
  },
  {
    name: 'a GPU that follows page tables maps a page that a ring on a disk without the DMA API has registered',
    why: 'hmm_range_fault() takes no references (Documentation/mm/hmm.rst); virtio-blk may map nothing',
    on: EVERY,
    make(k) {
      for (const pfn of [P, Q]) {
        k.anon(pfn);
        if (pfn === P) k.pin(pfn, {longterm: true});
        k.map(pfn, 'BIDIRECTIONAL', 'gpu.0');
      }
      k.wait(1000);
      k.unpin(P);
      k.wait(1000);
      for (const pfn of [P, Q]) {
        k.unmap(pfn, 'BIDIRECTIONAL', 'gpu.0');
        k.munmap(pfn);
      }
    },
  },
  {
    name: "the page's own writeback outlasts the pin",
    why: 'PG_writeback keeps the page, and its mapping is of the flusher, not of the pin (mm/page-writeback.c)',
    on: EVERY,
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', RDMA);
      k.flusher(() => {
        k.startWriteback(P);
        k.map(P, 'TO_DEVICE', NVME);
      });
      k.complete(P, 'TO_DEVICE', RDMA);
      k.wait(50);
      k.interrupt(() => {
        k.unmap(P, 'TO_DEVICE', NVME);
        k.endWriteback(P);
      });
    },
  },
  {
    name: 'a page of a page pool, kept mapped',
    why: 'network drivers map once, sync and recycle (net/core/page_pool.c): no pin, no get',
    on: EVERY,
    make(k) {
      k.by({task: 'ksoftirqd/0-12'}, () => {
        k.alloc(P);
        k.map(P, 'FROM_DEVICE', NIC);
        k.line(`dma_sync_single_for_cpu: ${NIC} dir=FROM_DEVICE dma_addr=${(P * 4096).toString(16)} size=1500`);
        k.wait(900);
        k.unmap(P, 'FROM_DEVICE', NIC);
        k.put(P);
      });
    },
  },
  {
    name: 'a device that never unmaps',
    why: 'dma_need_unmap() is false for a coherent device without an IOMMU (kernel/dma/mapping.c): no unmap event at all',
    on: EVERY,
    make(k) {
      for (let i = 0; i < 20; i++) {
        k.anon(P + i);
        k.pin(P + i);
        k.map(P + i, 'FROM_DEVICE', '0000:00:07.0');
        k.interrupt(() => k.unpin(P + i));
        k.munmap(P + i);
      }
    },
  },
  {
    name: 'a request of two reads, complete in two parts, on a device that never unmaps',
    why: 'the first bio ends with the part that it is of (blk_update_request(), block/blk-mq.c)',
    on: NEW,
    make(k) {
      const read = (first: number, n: number, sector: number): void => {
        for (const pfn of range(first, n)) {
          k.anon(pfn);
          k.pin(pfn);
        }
        for (const pfn of range(first, n)) k.map(pfn, 'FROM_DEVICE', '0000:00:07.0');
        k.line(`block_rq_issue: 259,1 R ${n * 4096} () ${sector} + ${n * 8} none,0,0 [app]`);
      };
      const complete = (first: number, n: number, sector: number): void =>
        k.interrupt(() => {
          k.line(`block_rq_complete: 259,1 R () ${sector} + ${n * 8} none,0,0 [0]`);
          for (const pfn of range(first, n)) k.unpin(pfn);
        });
      for (let i = 0; i < 12; i++) {
        read(P + i * 4, 1 + (i % 3), i * 1000);
        complete(P + i * 4, 1 + (i % 3), i * 1000);
      }
      read(Q, 2, 50_000);
      complete(Q, 1, 50_000);
      k.wait(100);
      complete(Q + 1, 1, 50_008);
    },
  },
  {
    name: 'two writes that begin with one page, the longer ends first',
    why: 'lists may share their first page; dma_unmap_sg names its whole list (include/trace/events/dma.h)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.anon(P + 5);
      k.pin(P, {write: false});
      k.mapSg([P], 'TO_DEVICE');
      k.pin(P, {write: false});
      k.pin(P + 5, {write: false});
      k.mapSg([P, P + 5], 'TO_DEVICE');
      k.interrupt(() => {
        k.unmapSg([P, P + 5], 'TO_DEVICE');
        k.unpin(P);
        k.unpin(P + 5);
        k.wait(200);
        k.unmapSg([P], 'TO_DEVICE');
        k.unpin(P);
      });
      k.munmap(P);
      k.munmap(P + 5);
    },
  },
  {
    name: 'a mapping that failed',
    why: 'dma_map_page is traced with DMA_MAPPING_ERROR too (kernel/dma/mapping.c)',
    on: NEW,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.line(
        `dma_map_page: ${NVME} dir=FROM_DEVICE dma_addr=ffffffffffffffff size=4096 phys_addr=${(P * 4096).toString(16)} attrs=`,
      );
      k.unpin(P);
      k.munmap(P);
    },
  },
  {
    name: 'a bounced write whose page is let go early, while a thousand other tasks bounce theirs',
    why: 'the device reads the buffer, which has had the data since it was mapped (swiotlb_tbl_map_single()); of so many tasks not all are kept',
    on: NEW,
    make(k) {
      k.anon(P);
      k.pin(P, {write: false});
      k.mapBounced(P, 'TO_DEVICE', 'sd.0', () => {
        for (let i = 0; i < 1001; i++)
          k.by({task: `job-${2000 + i}`}, () =>
            k.line('swiotlb_bounced: dev_name: sd.1 dma_mask=ffffffff dev_addr=12da00000 size=4096 NORMAL'),
          );
      });
      k.unpin(P);
      k.wait(100);
      k.unmapBounced('TO_DEVICE', 'sd.0');
      k.munmap(P);
    },
  },
  {
    name: 'a bounce buffer, unpinned after its unmap',
    why: 'the bus address is of the bounce buffer, the physical one of the page (kernel/dma/swiotlb.c)',
    on: NEW,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.mapBounced(P, 'FROM_DEVICE');
      k.interrupt(() => {
        k.unmapBounced('FROM_DEVICE');
        k.unpin(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'an unpin whose record comes late',
    why: 'page_ref events print after the atomic: meanwhile the task pins the page again, and the count says so',
    on: ['counted'],
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.interrupt(() => {
        k.unmap(P, 'FROM_DEVICE', NVME);
        k.line(`gup_put_folio: (gup_put_folio+0x0/0x90) folio=${k.pointer(P)} refs=1 flags=0x80000`);
      });
      k.unprinted(P, -1024);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', NVME);
      k.unprinted(P, 1024);
      k.interrupt(() => k.ref('page_ref_mod_and_test', P, -1024));
      k.complete(P, 'TO_DEVICE');
      k.munmap(P);
    },
  },
  ...[0, 1].map((us): Scene => ({
    name: `an unmap on another CPU, printed ${us} us after the unpin that followed it`,
    why: 'times have microseconds, and trace_clock local orders nothing across CPUs (Documentation/trace/ftrace.rst)',
    on: ['probed'],
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.wait(100);
      const step = k.step_us;
      k.step_us = us;
      k.by({task: 'kworker/0:1-20'}, () => k.putPinned(P));
      k.step_us = step;
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', NVME));
      k.munmap(P);
    },
  })),
  {
    name: 'a mirror: one pin, two disks',
    why: 'RAID1 clones the bio, both devices map the page; the original bio ends after both (drivers/md/raid1.c)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', NVME);
      k.map(P, 'TO_DEVICE', RDMA);
      k.interrupt(() => k.unmap(P, 'TO_DEVICE', RDMA));
      k.wait(80);
      k.complete(P, 'TO_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: "a driver's buffer on a page that was pinned before",
    why: 'it was freed and allocated anew in between: nothing of the pin is left',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
      k.by({task: 'kworker/0:0-9'}, () => {
        k.alloc(P);
        k.map(P, 'TO_DEVICE', NIC);
        k.wait(30);
        k.unmap(P, 'TO_DEVICE', NIC);
        k.put(P);
      });
    },
  },
  {
    name: 'a video buffer, synced a frame',
    why: 'V4L2 pins and maps at prepare, syncs each frame, unmaps and unpins at release (videobuf2-dma-sg.c)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.map(P, 'FROM_DEVICE', NIC);
      for (let i = 0; i < 5; i++) {
        k.wait(400);
        k.line(`dma_sync_single_for_cpu: ${NIC} dir=FROM_DEVICE dma_addr=${(P * 4096).toString(16)} size=4096`);
      }
      k.unmap(P, 'FROM_DEVICE', NIC);
      k.unpin(P);
      k.munmap(P);
    },
  },
  {
    name: 'an unmap that is missing without a mark',
    why: 'perf script prints losses only when asked, a kprobe within a kprobe is skipped: the next read is unmapped as usual',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.interrupt(() => k.unpin(P));
      k.wait(200);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'one registration, mapped again and again',
    why: 're-registering an RDMA region unmaps and maps under the same pins (drivers/infiniband/core/umem.c)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      for (let i = 0; i < 4; i++) {
        k.map(P, 'BIDIRECTIONAL', RDMA);
        k.wait(300);
        k.unmap(P, 'BIDIRECTIONAL', RDMA);
      }
      k.unpin(P);
      k.munmap(P);
    },
  },
  {
    name: 'a read whose pages are unpinned by a worker',
    why: 'bio_check_pages_dirty() leaves pages that were cleaned to a work item (block/bio.c): another task, after the unmap',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', NVME));
      k.by({task: 'kworker/1:1-21', cpu: 1}, () => {
        k.markDirty(P);
        k.unpin(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'one buffer, a read after the other, at one address',
    why: 'without an IOMMU the same page has the same bus address each time',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.anon(Q);
      for (let i = 0; i < 6; i++) {
        k.pin(P);
        k.map(P, 'FROM_DEVICE', NVME);
        k.complete(P, 'FROM_DEVICE');
      }
      k.munmap(P);
    },
  },
  {
    name: 'an IOMMU user that unmaps in parts',
    why: 'VFIO may unmap a part of what one map event covers, and unpins that part (drivers/vfio/vfio_iommu_type1.c)',
    on: ['counted'],
    make(k) {
      const iova = (n: number): string => `0x${n.toString(16).padStart(16, '0')}`;
      const from = 0x10000000;
      for (const pfn of [P, P + 1]) {
        k.anon(pfn);
        k.pin(pfn, {longterm: true});
      }
      k.line(`map: IOMMU: iova=${iova(from)} - ${iova(from + 8192)} paddr=${iova(P * 4096)} size=8192`);
      for (const i of [1, 0]) {
        const at = from + i * 4096;
        k.line(`unmap: IOMMU: iova=${iova(at)} - ${iova(at + 4096)} size=4096 unmapped_size=4096`);
        k.unpin(P + i);
      }
    },
  },
];
