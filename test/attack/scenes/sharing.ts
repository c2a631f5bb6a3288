/** Pages that several users have at once, each with a right of its own: which right a mapping or a drop is of. */
import {type Machine, NIC, NVME, range, RDMA} from '../machine.js';
import {EVERY, H, NEW, P, Q, type Scene} from './scene.js';

const GPU = 'gpu.0';
/** A network card that does nothing else. */
const CARD = '0000:00:08.0';
const iova = (n: number): string => `0x${n.toString(16).padStart(16, '0')}`;

/** The driver of a GPU that follows page tables (hmm_range_fault()): it maps pages of users that nobody holds for it. */
function gpuAtWork(k: Machine): void {
  for (const pfn of [0x9300, 0x9301]) {
    k.anon(pfn);
    k.map(pfn, 'BIDIRECTIONAL', GPU);
    k.wait(40);
    k.unmap(pfn, 'BIDIRECTIONAL', GPU);
    k.munmap(pfn);
  }
}

/** Half a page, or so many bytes of it. */
function mapPart(k: Machine, pfn: number, offset: number, size: number): void {
  const address = (pfn * 4096 + offset).toString(16);
  k.line(`dma_map_page: ${NVME} dir=FROM_DEVICE dma_addr=${address} size=${size} phys_addr=${address} attrs=`);
}

function unmapPart(k: Machine, pfn: number, offset: number, size: number): void {
  k.line(`dma_unmap_page: ${NVME} dir=FROM_DEVICE dma_addr=${(pfn * 4096 + offset).toString(16)} size=${size} attrs=`);
}

/** io_uring keeps one pin of a huge page that it registers whole (io_coalesce_buffer(), io_uring/rsrc.c since 6.12). */
function registerWhole(k: Machine): void {
  k.pinByPmd(H, H, 512);
  const tails = range(H + 1, 8).map((pfn) => k.pointer(pfn));
  k.line(`unpin_user_pages: (unpin_user_pages+0x4/0xc0) npages=511 pages={${tails.join(',')}}`);
  k.putPinned(H, 511);
}

export const SHARING: readonly Scene[] = [
  {
    name: 'a disk behind a network answers before the card has looked at what it sent',
    why: 'nvme_tcp_queue_request() sends in the task of the submitter, and the packet has references of its own (skb_splice_from_iter(), net/core/skbuff.c)',
    on: EVERY,
    make(k) {
      k.alloc(Q);
      k.anon(P);
      k.pin(P);
      k.ref('page_ref_mod', P, 1);
      k.map(Q, 'TO_DEVICE', CARD);
      k.map(P, 'TO_DEVICE', CARD);
      k.wait(60);
      k.interrupt(() => k.unpin(P));
      k.wait(90);
      k.interrupt(() => {
        k.unmap(Q, 'TO_DEVICE', CARD);
        k.unmap(P, 'TO_DEVICE', CARD);
        k.put(P);
        k.put(Q);
      });
      k.munmap(P);
    },
  },
  {
    name: 'the same behind a card that serves a disk by RDMA as well',
    why: 'nvme_rdma_map_data() maps pinned pages to read into for the same PCI function (ib_dma_map_sg(), drivers/nvme/host/rdma.c): it is a network card all the same, as the heads of packets show',
    on: EVERY,
    make(k) {
      k.alloc(Q);
      k.anon(P);
      k.pin(P);
      k.ref('page_ref_mod', P, 1);
      k.map(Q, 'TO_DEVICE', NIC, 66); // it has read into a pinned page before
      k.map(P, 'TO_DEVICE', NIC);
      k.wait(60);
      k.interrupt(() => k.unpin(P));
      k.wait(90);
      k.interrupt(() => {
        k.unmap(Q, 'TO_DEVICE', NIC, 66);
        k.unmap(P, 'TO_DEVICE', NIC);
        k.put(P);
        k.put(Q);
      });
      k.munmap(P);
    },
  },
  {
    name: 'a GPU that follows page tables maps a page that a read has pinned',
    why: 'hmm_range_fault() takes no references: the notifier ends the mapping when the page is to go, the read is over before',
    on: EVERY,
    make(k) {
      gpuAtWork(k);
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.map(P, 'BIDIRECTIONAL', GPU);
      k.complete(P, 'FROM_DEVICE');
      k.wait(300);
      k.unmap(P, 'BIDIRECTIONAL', GPU);
      k.munmap(P);
    },
  },
  {
    name: 'a GPU that follows page tables maps a page that a write has pinned',
    why: 'the same, where the disk only reads the page',
    on: EVERY,
    make(k) {
      gpuAtWork(k);
      k.anon(P);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', NVME);
      k.map(P, 'BIDIRECTIONAL', GPU);
      k.complete(P, 'TO_DEVICE');
      k.wait(300);
      k.unmap(P, 'BIDIRECTIONAL', GPU);
      k.munmap(P);
    },
  },
  {
    name: 'a GPU that maps only what a memory region has pinned',
    why: 'hmm_range_fault() takes no references: the region goes first, and of other pages of the GPU nothing is in the trace',
    on: EVERY,
    make(k) {
      for (const pfn of range(P, 3)) {
        k.anon(pfn);
        k.pin(pfn, {longterm: true});
        k.map(pfn, 'BIDIRECTIONAL', RDMA);
      }
      for (const pfn of range(P, 3)) k.map(pfn, 'BIDIRECTIONAL', GPU);
      k.wait(3000);
      for (const pfn of range(P, 3)) {
        k.unmap(pfn, 'BIDIRECTIONAL', RDMA);
        k.unpin(pfn);
      }
      k.wait(3000);
      for (const pfn of range(P, 3)) {
        k.unmap(pfn, 'BIDIRECTIONAL', GPU);
        k.munmap(pfn);
      }
    },
  },
  {
    name: 'a GPU that maps only what a ring has registered',
    why: 'the same: the ring pins for itself, and may go first (io_sqe_buffers_unregister(), io_uring/rsrc.c)',
    on: EVERY,
    make(k) {
      for (const pfn of range(P, 3)) {
        k.anon(pfn);
        k.pin(pfn, {longterm: true});
      }
      k.wait(3000);
      for (const pfn of range(P, 3)) k.map(pfn, 'BIDIRECTIONAL', GPU);
      k.wait(3000);
      for (const pfn of range(P, 3)) k.unpin(pfn);
      k.wait(3000);
      for (const pfn of range(P, 3)) {
        k.unmap(pfn, 'BIDIRECTIONAL', GPU);
        k.munmap(pfn);
      }
    },
  },
  {
    name: 'a GPU that reads only what a ring has registered',
    why: 'what it may not write is mapped TO_DEVICE (amdgpu_ttm_tt_pin_userptr() of a read-only range), and nobody holds it for that',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {write: false, longterm: true});
      k.wait(3000);
      k.map(P, 'TO_DEVICE', GPU);
      k.wait(3000);
      k.unpin(P);
      k.wait(3000);
      k.unmap(P, 'TO_DEVICE', GPU);
      k.munmap(P);
    },
  },
  {
    name: 'a camera that fills shared memory, which a ring has registered',
    why: 'a dma-buf holds it, by references of the page cache up to 6.10 (udmabuf_create(), shmem_read_mapping_page()), and is mapped in the task (vb2_dma_sg_map_dmabuf())',
    on: EVERY,
    make(k) {
      for (const pfn of range(P, 3)) {
        k.shmem(pfn);
        k.pin(pfn, {longterm: true});
      }
      k.wait(3000);
      for (const pfn of range(P, 3)) k.ref('page_ref_mod_unless', pfn, 1);
      k.mapSg(range(P, 3), 'FROM_DEVICE', 'camera.0');
      k.wait(3000);
      for (const pfn of range(P, 3)) k.unpin(pfn);
      k.wait(3000);
      k.unmapSg(range(P, 3), 'FROM_DEVICE', 'camera.0');
      for (const pfn of range(P, 3)) k.put(pfn);
    },
  },
  {
    name: 'the same memory given to a card that registers regions of its own',
    why: 'ib_umem_dmabuf_map_pages() maps what the dma-buf holds: the count leaves room for its reference',
    on: ['counted'],
    make(k) {
      k.shmem(P);
      k.ref('page_ref_mod_unless', P, 1);
      k.pin(P, {longterm: true});
      k.mapSg([P], 'BIDIRECTIONAL', RDMA);
      k.unpin(P);
      k.wait(500);
      k.unmapSg([P], 'BIDIRECTIONAL', RDMA);
      k.put(P);
    },
  },
  {
    name: 'a buffer of a registered page, written by itself in the same task',
    why: 'sync_dirty_buffer() (fs/buffer.c), or a checkpoint of data=journal (fs/jbd2/checkpoint.c): no PG_writeback, no reference of its own',
    on: EVERY,
    make(k) {
      k.file(P);
      k.markDirty(P);
      k.pin(P, {write: false, longterm: true});
      k.map(P, 'TO_DEVICE', NVME);
      k.unpin(P);
      k.wait(100);
      k.interrupt(() => k.unmap(P, 'TO_DEVICE', NVME));
    },
  },
  {
    name: 'a huge page registered whole, read into at its tail',
    why: 'the one pin that is left is of the folio, whichever of its pages it was taken of',
    on: NEW,
    make(k) {
      k.anon(H, 9);
      registerWhole(k);
      k.mapSg(range(H + 100, 4), 'FROM_DEVICE');
      k.interrupt(() => k.unmapSg(range(H + 100, 4), 'FROM_DEVICE'));
      k.wait(50);
      k.bioUnpin(H, 1);
      k.munmap(H);
    },
  },
  {
    name: 'a huge page registered whole by two rings, one of which goes',
    why: 'each ring has its pin of the folio: the read is of the other',
    on: NEW,
    make(k) {
      k.anon(H, 9);
      registerWhole(k);
      registerWhole(k);
      k.mapSg(range(H + 100, 4), 'FROM_DEVICE');
      k.bioUnpin(H, 1);
      k.wait(50);
      k.interrupt(() => k.unmapSg(range(H + 100, 4), 'FROM_DEVICE'));
      k.wait(50);
      k.bioUnpin(H, 1);
      k.munmap(H);
    },
  },
  {
    name: 'a huge page registered whole, and a read of its tail that pins for itself',
    why: 'the read drops its own pin, after its unmap; the other stays',
    on: NEW,
    make(k) {
      k.anon(H, 9);
      registerWhole(k);
      k.mapSg(range(H + 100, 4), 'FROM_DEVICE', RDMA);
      k.pinByPmd(H, H + 102, 4);
      k.mapSg(range(H + 102, 4), 'FROM_DEVICE');
      k.interrupt(() => {
        k.unmapSg(range(H + 102, 4), 'FROM_DEVICE');
        k.bioUnpin(H, 4);
      });
      k.wait(50);
      k.unmapSg(range(H + 100, 4), 'FROM_DEVICE', RDMA);
      k.bioUnpin(H, 1);
      k.munmap(H);
    },
  },
  {
    name: 'one page twice in a list',
    why: 'readv() of two buffers in one page: two pins, one list, one unmap',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.pin(P);
      k.mapSg([P, P], 'FROM_DEVICE');
      k.interrupt(() => {
        k.unmapSg([P, P], 'FROM_DEVICE');
        k.unpin(P);
        k.unpin(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'a bio split within a page',
    why: 'bio_split(): two requests have a half of the page each, the pin goes with the last',
    on: NEW,
    make(k) {
      k.anon(P);
      k.pin(P);
      mapPart(k, P, 0, 2048);
      mapPart(k, P, 2048, 2048);
      k.interrupt(() => unmapPart(k, P, 2048, 2048));
      k.wait(70);
      k.interrupt(() => {
        unmapPart(k, P, 0, 2048);
        k.unpin(P);
      }, 0);
      k.munmap(P);
    },
  },
  {
    name: 'a request that timed out and is sent again',
    why: 'blk_mq_requeue_request() after the reset: unmapped, mapped by a worker, and then it ends',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.wait(5000);
      k.by({task: 'kworker/0:1H-60'}, () => {
        k.unmap(P, 'FROM_DEVICE', NVME);
        k.wait(100);
        k.map(P, 'FROM_DEVICE', NVME);
      });
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'a registered page under a read, the read ends first',
    why: 'two pins by one task: the read drops its own',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.wait(200);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.unpin(P);
      k.munmap(P);
    },
  },
  {
    name: 'a registered page under a read, the registration ends first',
    why: 'the same the other way round',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.unpin(P);
      k.wait(200);
      k.complete(P, 'FROM_DEVICE');
      k.munmap(P);
    },
  },
  {
    name: 'a memory region that two processes of one service register',
    why: 'each pins and maps the shared page for itself (drivers/infiniband/core/umem.c)',
    on: EVERY,
    make(k) {
      k.file(P, {disk: false});
      k.pin(P, {longterm: true});
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.by({task: 'app-501', cpu: 1}, () => {
        k.pin(P, {longterm: true});
        k.map(P, 'BIDIRECTIONAL', RDMA);
      });
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.unpin(P);
      k.wait(200);
      k.by({task: 'app-501', cpu: 1}, () => {
        k.unmap(P, 'BIDIRECTIONAL', RDMA);
        k.unpin(P);
      });
    },
  },
  {
    name: 'an IOMMU user that unmaps two mappings at once',
    why: 'VFIO unmaps a range whatever it was mapped by, then unpins (drivers/vfio/vfio_iommu_type1.c)',
    on: ['counted'],
    make(k) {
      const from = 0x10000000;
      for (const i of [0, 1]) {
        k.anon(P + i);
        k.pin(P + i, {longterm: true});
        const at = from + i * 4096;
        const paddr = iova((P + i) * 4096);
        k.line(`map: IOMMU: iova=${iova(at)} - ${iova(at + 4096)} paddr=${paddr} size=4096`);
      }
      k.line(`unmap: IOMMU: iova=${iova(from)} - ${iova(from + 8192)} size=8192 unmapped_size=8192`);
      k.unpin(P);
      k.unpin(P + 1);
    },
  },
  {
    name: 'a device that is taken away',
    why: 'its driver unmaps and unpins in a work item, in the order of the list (ib_uverbs_remove_one() and its kin)',
    on: EVERY,
    make(k) {
      const pfns = range(P, 3);
      for (const pfn of pfns) {
        k.anon(pfn);
        k.pin(pfn, {longterm: true});
        k.map(pfn, 'BIDIRECTIONAL', RDMA);
      }
      k.by({task: 'kworker/1:2-70', cpu: 1}, () => {
        for (const pfn of pfns) k.unmap(pfn, 'BIDIRECTIONAL', RDMA);
        for (const pfn of pfns) k.unpin(pfn);
      });
      for (const pfn of pfns) k.munmap(pfn);
    },
  },
  {
    name: 'a read of a loop device',
    why: 'a worker does it on the backing file, with the pages of the bio above (drivers/block/loop.c)',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.by({task: 'kworker/u4:2-71', cpu: 1}, () => k.map(P, 'FROM_DEVICE', NVME));
      k.interrupt(() => k.unmap(P, 'FROM_DEVICE', NVME));
      k.by({task: 'kworker/u4:2-71', cpu: 1}, () => k.unpin(P));
      k.munmap(P);
    },
  },
  {
    name: 'MSG_ZEROCOPY, and a read into the same page',
    why: 'the send has its own reference (skb_zerocopy_iter_stream()), the read its pin; each ends after its own unmap',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.get(P, {write: false});
      k.map(P, 'TO_DEVICE', NIC);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.wait(100);
      k.interrupt(() => {
        k.unmap(P, 'TO_DEVICE', NIC);
        k.put(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'MSG_ZEROCOPY sent while a read has the page pinned',
    why: 'the same, the read first: the mapping of the network card may be taken for the one of the pin',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.get(P, {write: false});
      k.map(P, 'TO_DEVICE', NIC);
      k.complete(P, 'FROM_DEVICE');
      k.wait(100);
      k.interrupt(() => {
        k.unmap(P, 'TO_DEVICE', NIC);
        k.put(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'vmsplice, then splice into a socket',
    why: 'the pipe drops its reference once the socket buffer has taken its own (skb_splice_from_iter())',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.get(P, {write: false});
      k.ref('page_ref_mod', P, 1);
      k.map(P, 'TO_DEVICE', NIC);
      k.put(P);
      k.wait(100);
      k.interrupt(() => {
        k.unmap(P, 'TO_DEVICE', NIC);
        k.put(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'a page of a page pool lent to a program that writes it to a disk',
    why: "TCP zero-copy receive: the network card's mapping is of the pool and stays (vm_insert_pages())",
    on: EVERY,
    make(k) {
      k.by({task: '<idle>-0', cpu: 1, irq: true}, () => {
        k.alloc(P);
        k.map(P, 'FROM_DEVICE', NIC);
      });
      k.ref('page_ref_mod', P, 1);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', NVME);
      k.complete(P, 'TO_DEVICE');
      k.put(P);
      k.wait(100);
      k.interrupt(() => {
        k.unmap(P, 'FROM_DEVICE', NIC);
        k.put(P);
      });
    },
  },
  {
    name: 'packets of two sockets of AF_XDP in one area',
    why: 'one pin for the area, a mapping for each card (xp_assign_dev()): the pin goes with the last',
    on: EVERY,
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.map(P, 'BIDIRECTIONAL', NIC);
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.unmap(P, 'BIDIRECTIONAL', NIC);
      k.wait(300);
      k.by({task: 'kworker/1:2-70', cpu: 1}, () => {
        k.unmap(P, 'BIDIRECTIONAL', RDMA);
        k.unpin(P);
      });
      k.munmap(P);
    },
  },
  {
    name: 'a huge page swapped out while a part of it is read by a disk',
    why: "one writeback of the whole folio, its mappings are the swap's own; the read ends after its unmap",
    on: NEW,
    make(k) {
      k.anon(H, 9);
      k.by({task: 'kswapd0-50', cpu: 1}, () => {
        k.startWriteback(H);
        k.mapSg(range(H, 64), 'TO_DEVICE');
      });
      k.pinByPmd(H, H + 8, 4);
      k.mapSg(range(H + 8, 4), 'FROM_DEVICE', RDMA);
      k.interrupt(() => {
        k.unmapSg(range(H + 8, 4), 'FROM_DEVICE', RDMA);
        k.bioUnpin(H, 4);
      });
      k.wait(80);
      k.interrupt(() => {
        k.unmapSg(range(H, 64), 'TO_DEVICE');
        k.endWriteback(H);
      });
      k.munmap(H);
    },
  },
  {
    name: 'two domains that hand out one address',
    why: 'behind an IOMMU each device has addresses of its own: the unmap of one ends nothing of the other',
    on: ['counted', 'probed'],
    make(k) {
      const map = (pfn: number, device: string): void =>
        k.line(
          `dma_map_page: ${device} dir=FROM_DEVICE dma_addr=fffff000 size=4096 phys_addr=${(pfn * 4096).toString(16)} attrs=`,
        );
      const unmap = (device: string): void =>
        k.line(`dma_unmap_page: ${device} dir=FROM_DEVICE dma_addr=fffff000 size=4096 attrs=`);
      for (const pfn of [P, Q]) {
        k.anon(pfn);
        k.pin(pfn);
      }
      map(P, NVME);
      map(Q, RDMA);
      k.interrupt(() => {
        unmap(NVME);
        k.unpin(P);
      });
      k.wait(60);
      k.interrupt(() => {
        unmap(RDMA);
        k.unpin(Q);
      });
      k.munmap(P);
      k.munmap(Q);
    },
  },
  {
    name: 'an iovec longer than what one bio takes',
    why: 'bio_iov_iter_get_pages() pins what it asked for and unpins what it does not use, before anything is mapped',
    on: EVERY,
    make(k) {
      const pfns = range(P, 6);
      for (const pfn of pfns) {
        k.anon(pfn);
        k.pin(pfn);
      }
      for (const pfn of pfns.slice(4)) k.unpin(pfn);
      k.mapSg(pfns.slice(0, 4), 'FROM_DEVICE');
      for (const pfn of pfns.slice(4)) k.pin(pfn);
      k.mapSg(pfns.slice(4), 'FROM_DEVICE');
      k.interrupt(() => {
        k.unmapSg(pfns.slice(4), 'FROM_DEVICE');
        for (const pfn of pfns.slice(4)) k.unpin(pfn);
      });
      k.interrupt(() => {
        k.unmapSg(pfns.slice(0, 4), 'FROM_DEVICE');
        for (const pfn of pfns.slice(0, 4)) k.unpin(pfn);
      }, 0);
      for (const pfn of pfns) k.munmap(pfn);
    },
  },
];

/** Bugs of the same looks. */
export const SHARING_BUGS: readonly Scene[] = [
  {
    name: 'shared memory that a camera fills for who pinned it, let go while it does',
    why: 'its driver pins what it maps, and nobody else holds the pages',
    on: NEW,
    finds: 'unpin-while-dma',
    sure: range(P, 3),
    make(k) {
      for (const pfn of range(P, 3)) {
        k.shmem(pfn);
        k.pin(pfn, {longterm: true});
      }
      k.mapSg(range(P, 3), 'FROM_DEVICE', 'camera.0');
      k.wait(3000);
      for (const pfn of range(P, 3)) k.unpin(pfn);
      k.wait(3000);
      k.unmapSg(range(P, 3), 'FROM_DEVICE', 'camera.0');
    },
  },
  {
    name: 'an unpin after the first half of a page',
    why: 'the other half of the split bio is still read',
    on: NEW,
    finds: 'unpin-while-dma',
    sure: [P],
    make(k) {
      k.anon(P);
      k.pin(P);
      mapPart(k, P, 0, 2048);
      mapPart(k, P, 2048, 2048);
      k.interrupt(() => {
        unmapPart(k, P, 2048, 2048);
        k.unpin(P);
      });
      k.wait(70);
      k.interrupt(() => unmapPart(k, P, 0, 2048));
      k.munmap(P);
    },
  },
  {
    name: 'a request sent again, whose page went when it timed out',
    why: 'the first end of the request unpinned: the second sending writes into a page that nobody holds',
    on: EVERY,
    finds: 'unpin-while-dma',
    make(k) {
      k.anon(P);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.wait(5000);
      k.unmap(P, 'FROM_DEVICE', NVME);
      k.map(P, 'FROM_DEVICE', NVME);
      k.unpin(P);
      k.wait(100);
      k.unmap(P, 'FROM_DEVICE', NVME);
      k.munmap(P);
    },
  },
  {
    name: 'both pins of a page dropped, while the registration is mapped',
    why: 'two pins by one task, and the device of one of them goes on',
    on: EVERY,
    finds: 'unpin-while-dma',
    make(k) {
      k.anon(P);
      k.pin(P, {longterm: true});
      k.map(P, 'BIDIRECTIONAL', RDMA);
      k.pin(P);
      k.map(P, 'FROM_DEVICE', NVME);
      k.complete(P, 'FROM_DEVICE');
      k.wait(200);
      k.unpin(P);
      k.wait(50);
      k.unmap(P, 'BIDIRECTIONAL', RDMA);
      k.munmap(P);
    },
  },
  {
    name: 'the one pin of a huge page registered whole, dropped under a read',
    why: 'nothing of the folio is pinned any more',
    on: NEW,
    finds: 'unpin-while-dma',
    make(k) {
      k.anon(H, 9);
      k.pinByPmd(H, H, 8);
      k.mapSg(range(H, 8), 'FROM_DEVICE');
      k.unpin(H, {n: 7, sub: H + 1});
      k.bioUnpin(H, 1);
      k.wait(50);
      k.interrupt(() => k.unmapSg(range(H, 8), 'FROM_DEVICE'));
      k.munmap(H);
    },
  },
];
